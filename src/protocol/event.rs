//! The types of sequenced events.

/// What an event is about. Control messages are not events; see [`super::server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// `campaign.progress`
    Progress,
    /// `campaign.status`
    Status,
    /// `campaign.phase.transition`
    Transition,
    /// `domain.generated`
    DomainGenerated,
    /// `dns.validation.result`
    DnsResult,
    /// `http.validation.result`
    HttpResult,
    /// `domains.updated`
    DomainsUpdated,
    /// `domains.removed`
    DomainsRemoved,
    /// `campaign.list.update`
    ListUpdate,
    /// `campaign.deleted`
    Deleted,
    /// `system.notification`
    Notification,
    /// `proxy.status`, `phase.state.changed`, `phase.configuration.required`: for people, without
    /// effect on the store.
    Advisory,
}

impl EventKind {
    /// Reads a type of v1. `None` for a type of a later version.
    pub fn parse(kind: &str) -> Option<Self> {
        Some(match kind {
            "domains.updated" => Self::DomainsUpdated,
            "domain.generated" => Self::DomainGenerated,
            "dns.validation.result" => Self::DnsResult,
            "http.validation.result" => Self::HttpResult,
            "campaign.progress" => Self::Progress,
            "campaign.status" => Self::Status,
            "campaign.phase.transition" => Self::Transition,
            "domains.removed" => Self::DomainsRemoved,
            "campaign.list.update" => Self::ListUpdate,
            "campaign.deleted" => Self::Deleted,
            "system.notification" => Self::Notification,
            "proxy.status" | "phase.state.changed" | "phase.configuration.required" => {
                Self::Advisory
            }
            _ => return None,
        })
    }
}
