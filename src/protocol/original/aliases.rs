//! The type words of the original dialect, each family under one name (facts §4.4).

use crate::protocol::schema::lookup;

/// What a document is about, whatever spelling its type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
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

impl About {
    /// Reads a type of any of the four envelopes.
    pub(super) fn parse(kind: &str) -> Self {
        lookup(&TYPES, kind).unwrap_or(Self::Unknown)
    }
}

static TYPES: [(&str, About); 50] = [
    ("connection_ack", About::Ack),
    ("subscription_confirmed", About::SubscriptionConfirmed),
    ("pong", About::Pong),
    ("campaign.progress", About::Progress(Counting::Items)),
    ("campaign_progress", About::Progress(Counting::Items)),
    ("domain_generation_progress", About::Progress(Counting::GeneratedDomains)),
    ("validation_progress", About::Progress(Counting::Validations)),
    ("campaign.status", About::Status),
    ("campaign_status", About::Status),
    ("campaign.phase.transition", About::Transition),
    ("phase_transition", About::Transition),
    ("domain.generated", About::DomainGenerated),
    ("domain_generated", About::DomainGenerated),
    ("dns.validation.result", About::DnsResult),
    ("dns_validation_result", About::DnsResult),
    ("http.validation.result", About::HttpResult),
    ("http_validation_result", About::HttpResult),
    ("campaign_phase_complete", About::PhaseComplete),
    ("phase_complete", About::PhaseComplete),
    ("campaign_complete", About::CampaignComplete(Ending::SaidInContent)),
    ("campaign.completed", About::CampaignComplete(Ending::Completed)),
    ("campaign_completed", About::CampaignComplete(Ending::Completed)),
    ("campaign.failed", About::CampaignComplete(Ending::Failed)),
    ("campaign_failed", About::CampaignComplete(Ending::Failed)),
    ("system.notification", About::Notification),
    ("system_notification", About::Notification),
    ("user_notification", About::Notification),
    ("campaign.state.sync", About::StateSync),
    ("campaign.state.sync.error", About::StateSync),
    ("campaign.state.error", About::StateSync),
    ("campaign.state.sync.complete", About::StateSyncComplete),
    ("campaign.state.complete", About::StateSyncComplete),
    ("campaign.list.update", About::ListUpdate),
    ("campaign_list_update", About::ListUpdate),
    ("campaign.deleted", About::Deleted),
    ("campaign_deleted", About::Deleted),
    ("session_expired", About::SessionExpired),
    ("error", About::Error),
    ("campaign_error", About::Error),
    // `subscription_ack` also answers requests that subscribed nothing, so it proves nothing;
    // `phase.state.changed` tells of phases that are not the current one too.
    ("subscription_ack", About::Irrelevant),
    ("phase.state.changed", About::Irrelevant),
    ("phase.configuration.required", About::Irrelevant),
    ("proxy.status", About::Irrelevant),
    ("proxy_status_update", About::Irrelevant),
    ("proxy_list_update", About::Irrelevant),
    ("persona_list_update", About::Irrelevant),
    ("keyword_set_list_update", About::Irrelevant),
    ("dashboard_activity", About::Irrelevant),
    ("campaign_created", About::Irrelevant),
    ("heartbeat", About::Irrelevant),
];
