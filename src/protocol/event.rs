//! The types of sequenced events.

use super::lookup::lookup;

/// The type of an event. Control messages are not events; see [`super::server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// As wide as a value of WebAssembly: the module masks a narrower one after every call that returns it.
#[repr(u32)]
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
    /// `proxy.status`, `phase.state.changed`, `phase.configuration.required`: messages for users,
    /// without effect on the store.
    Informational,
}

impl EventKind {
    /// Reads a type of v1; `None` for a type of a later version.
    pub fn parse(kind: &str) -> Option<Self> {
        lookup(&KINDS, kind)
    }
}

/// The type names on the wire. Frequent types come first.
static KINDS: [(&str, EventKind); 14] = [
    ("domains.updated", EventKind::DomainsUpdated),
    ("domain.generated", EventKind::DomainGenerated),
    ("dns.validation.result", EventKind::DnsResult),
    ("http.validation.result", EventKind::HttpResult),
    ("campaign.progress", EventKind::Progress),
    ("campaign.status", EventKind::Status),
    ("campaign.phase.transition", EventKind::Transition),
    ("domains.removed", EventKind::DomainsRemoved),
    ("campaign.list.update", EventKind::ListUpdate),
    ("campaign.deleted", EventKind::Deleted),
    ("system.notification", EventKind::Notification),
    ("proxy.status", EventKind::Informational),
    ("phase.state.changed", EventKind::Informational),
    ("phase.configuration.required", EventKind::Informational),
];
