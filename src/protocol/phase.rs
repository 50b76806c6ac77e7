//! Phases and statuses of a campaign, with the spellings that older servers use for them.

use core::fmt;

use super::names::named;

named! {
    /// The phase of a campaign (docs/PROTOCOL.md, chapter 2).
    Phase {
        /// The campaign is configured.
        Setup = "setup" | "Idle" | "idle",
        /// Domains are generated.
        DomainGeneration = "domain_generation" | "generation" | "DomainGeneration",
        /// Domains are looked up in DNS.
        DnsValidation = "dns_validation" | "DNSValidation" | "dns_validation_validation",
        /// Resolved domains are fetched and searched for keywords.
        HttpKeywordValidation = "http_keyword_validation" | "http_validation" | "HTTPValidation"
            | "http_keyword_validation_validation" | "http_validation_validation",
        /// Content is extracted.
        Extraction = "extraction",
        /// Leads are enriched.
        Enrichment = "enrichment",
        /// Results are scored.
        Analysis = "analysis" | "lead_generation" | "LeadGeneration",
        /// The campaign is cleaned up.
        Cleanup = "cleanup",
    }
}

named! {
    /// The status of a campaign within its phase (docs/PROTOCOL.md, chapter 2).
    Status {
        /// The phase has not started.
        NotStarted = "not_started" | "pending" | "Pending" | "queued",
        /// The phase may start.
        Ready = "ready",
        /// The phase is configured but has not started.
        Configured = "configured",
        /// The phase is running.
        InProgress = "in_progress" | "running" | "InProgress" | "generating" | "validating",
        /// The phase is paused.
        Paused = "paused" | "pausing" | "Paused",
        /// The phase is complete.
        Completed = "completed" | "archived" | "Succeeded" | "succeeded" | "Completed",
        /// The phase failed.
        Failed = "failed" | "cancelled" | "Failed",
        /// The phase is skipped.
        Skipped = "skipped",
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
