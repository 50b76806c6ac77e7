//! The types of sequenced events.

use super::names::named;

named! {
    /// The type of an event. Control messages are not events; see [`super::server`]. Frequent types come first.
    EventKind {
        /// Rows were created or changed.
        DomainsUpdated = "domains.updated",
        /// A row was created.
        DomainGenerated = "domain.generated",
        /// A row has a DNS outcome.
        DnsResult = "dns.validation.result",
        /// A row has an HTTP outcome.
        HttpResult = "http.validation.result",
        /// The counters of a phase.
        Progress = "campaign.progress",
        /// The status within a phase.
        Status = "campaign.status",
        /// The change to another phase.
        Transition = "campaign.phase.transition",
        /// Rows were removed.
        DomainsRemoved = "domains.removed",
        /// The campaign was created, updated or deleted.
        ListUpdate = "campaign.list.update",
        /// The campaign was deleted.
        Deleted = "campaign.deleted",
        /// A message for users.
        Notification = "system.notification",
        /// Messages for users, without effect on the store.
        Informational = "proxy.status" | "phase.state.changed" | "phase.configuration.required",
    }
}
