//! The type words of the original dialect, each family under one name (facts §4.4).

/// What a document is about, whatever spelling its type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ack,
    SubscriptionConfirmed,
    Pong,
    Progress(Counting),
    Status,
    Transition,
    DomainGenerated,
    DnsResult,
    HttpResult,
    PhaseComplete,
    CampaignComplete(Ending),
    Notification,
    StateSync,
    StateSyncComplete,
    ListUpdate,
    Deleted,
    SessionExpired,
    Error,
    /// Known, and nothing that the store holds.
    Irrelevant,
    Unknown,
}

/// What the counters of a progress document count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    Items,
    GeneratedDomains,
    Validations,
}

/// How a campaign ended, as far as the type itself tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    SaidInContent,
    Completed,
    Failed,
}

impl Kind {
    /// Reads a type of any of the four envelopes.
    pub(super) fn parse(kind: &str) -> Self {
        match kind {
            "connection_ack" => Self::Ack,
            "subscription_confirmed" => Self::SubscriptionConfirmed,
            "pong" => Self::Pong,
            "campaign.progress" | "campaign_progress" => Self::Progress(Counting::Items),
            "domain_generation_progress" => Self::Progress(Counting::GeneratedDomains),
            "validation_progress" => Self::Progress(Counting::Validations),
            "campaign.status" | "campaign_status" => Self::Status,
            "campaign.phase.transition" | "phase_transition" => Self::Transition,
            "domain.generated" | "domain_generated" => Self::DomainGenerated,
            "dns.validation.result" | "dns_validation_result" => Self::DnsResult,
            "http.validation.result" | "http_validation_result" => Self::HttpResult,
            "campaign_phase_complete" | "phase_complete" => Self::PhaseComplete,
            "campaign_complete" => Self::CampaignComplete(Ending::SaidInContent),
            "campaign.completed" | "campaign_completed" => {
                Self::CampaignComplete(Ending::Completed)
            }
            "campaign.failed" | "campaign_failed" => Self::CampaignComplete(Ending::Failed),
            "system.notification" | "system_notification" | "user_notification" => {
                Self::Notification
            }
            "campaign.state.sync" | "campaign.state.sync.error" | "campaign.state.error" => {
                Self::StateSync
            }
            "campaign.state.sync.complete" | "campaign.state.complete" => Self::StateSyncComplete,
            "campaign.list.update" | "campaign_list_update" => Self::ListUpdate,
            "campaign.deleted" | "campaign_deleted" => Self::Deleted,
            "session_expired" => Self::SessionExpired,
            "error" | "campaign_error" => Self::Error,
            // `subscription_ack` also answers requests that subscribed nothing, so it proves
            // nothing; `phase.state.changed` tells of phases that are not the current one too.
            "subscription_ack"
            | "phase.state.changed"
            | "phase.configuration.required"
            | "proxy.status"
            | "proxy_status_update"
            | "proxy_list_update"
            | "persona_list_update"
            | "keyword_set_list_update"
            | "dashboard_activity"
            | "campaign_created"
            | "heartbeat" => Self::Irrelevant,
            _ => Self::Unknown,
        }
    }
}
