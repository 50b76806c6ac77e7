//! Phases and statuses of a campaign, with the spellings that older servers use for them.

use core::fmt;

use super::lookup::lookup;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $enum:ident { $($(#[doc = $vdoc:literal])+ $name:ident = $text:literal $(| $alias:literal)*,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum { $($(#[doc = $vdoc])+ $name,)+ }

        impl $enum {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The canonical word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Reads the canonical word or one of its aliases.
            pub fn parse(text: &str) -> Option<Self> {
                lookup(&[$(($text, Self::$name), $(($alias, Self::$name),)*)+], text)
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a campaign is on its way (facts §7.1).
    Phase {
        /// Being configured.
        Setup = "setup" | "Idle" | "idle",
        /// Domains are generated.
        DomainGeneration = "domain_generation" | "generation" | "DomainGeneration",
        /// Domains are looked up.
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
        /// Put away.
        Cleanup = "cleanup",
    }
}

words! {
    /// How far a campaign is within its phase (facts §7.2).
    Status {
        /// Not started.
        NotStarted = "not_started" | "pending" | "Pending" | "queued",
        /// May begin.
        Ready = "ready",
        /// Configured, not started.
        Configured = "configured",
        /// Under way.
        InProgress = "in_progress" | "running" | "InProgress" | "generating" | "validating",
        /// Held.
        Paused = "paused" | "pausing" | "Paused",
        /// Done.
        Completed = "completed" | "archived" | "Succeeded" | "succeeded" | "Completed",
        /// Gave up.
        Failed = "failed" | "cancelled" | "Failed",
        /// Left out.
        Skipped = "skipped",
    }
}
