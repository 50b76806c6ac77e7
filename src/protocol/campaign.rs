//! The campaign record: everything about a campaign but its rows.

use super::json::Reader;
use super::schema::{Field, Kind, Value, nullable, optional, read, required};
use super::{Code, Phase, Status};

/// Counters that belong to the current phase only.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PhaseCounters {
    /// Items the phase has to do.
    pub total_items: u64,
    /// Items done.
    pub processed_items: u64,
    /// Items that went well.
    pub successful_items: u64,
    /// Items that did not.
    pub failed_items: u64,
    /// 0 to 100.
    pub progress_percentage: f64,
}

impl PhaseCounters {
    /// Total, processed, successful and failed items, 0 where they are not told.
    pub(super) fn of([total, processed, successful, failed]: [Value<'_>; 4]) -> Self {
        Self {
            total_items: total.count(),
            processed_items: processed.count(),
            successful_items: successful.count(),
            failed_items: failed.count(),
            progress_percentage: 0.0,
        }
    }

    /// Sets the percentage from the counts; a phase without items is at 0.
    #[must_use]
    pub fn with_derived_progress(mut self) -> Self {
        self.progress_percentage = if self.total_items == 0 {
            0.0
        } else {
            (self.processed_items as f64 / self.total_items as f64 * 100.0).min(100.0)
        };
        self
    }
}

/// A campaign without its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignRecord {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub phase: Phase,
    /// How far within the phase.
    pub status: Status,
    /// Counters of the phase.
    pub counters: PhaseCounters,
    /// Domains the campaign has, whatever the phase.
    pub total_domain_count: u64,
    /// RFC 3339, or empty.
    pub created_at: String,
    /// RFC 3339, or empty.
    pub updated_at: String,
    /// What went wrong, if something did.
    pub error_message: Option<String>,
}

impl Default for CampaignRecord {
    fn default() -> Self {
        Self {
            name: String::new(),
            phase: Phase::Setup,
            status: Status::NotStarted,
            counters: PhaseCounters::default(),
            total_domain_count: 0,
            created_at: String::new(),
            updated_at: String::new(),
            error_message: None,
        }
    }
}

impl CampaignRecord {
    /// Reads a campaign object: `{name, currentPhase, phaseStatus, totalItems, processedItems,
    /// successfulItems, failedItems, progressPercentage, totalDomainCount, createdAt?, updatedAt?,
    /// errorMessage?}`. Unknown members are ignored, phase and status are required.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Code> {
        let [
            name,
            phase,
            status,
            total,
            processed,
            successful,
            failed,
            percent,
            domains,
            rest @ ..,
        ] = read(reader, &RECORD)?;
        let [created_at, updated_at, error_message] = rest;
        Ok(Self {
            name: name.string_or_empty(),
            phase: phase.phase().ok_or(Code::InvalidContent)?,
            status: status.status().ok_or(Code::InvalidContent)?,
            counters: PhaseCounters {
                progress_percentage: percent.float().unwrap_or_default(),
                ..PhaseCounters::of([total, processed, successful, failed])
            },
            total_domain_count: domains.count(),
            created_at: created_at.string_or_empty(),
            updated_at: updated_at.string_or_empty(),
            error_message: error_message.string(),
        })
    }

    /// Reads the campaign object that a message has as one of its members.
    pub(super) fn read_raw(value: Value<'_>) -> Result<Option<Self>, Code> {
        value.raw().map(|raw| Self::read(&mut Reader::new(raw))).transpose()
    }
}

static RECORD: [Field; 12] = [
    optional("name", Kind::Text),
    required("currentPhase", Kind::Phase),
    required("phaseStatus", Kind::Status),
    optional("totalItems", Kind::Unsigned),
    optional("processedItems", Kind::Unsigned),
    optional("successfulItems", Kind::Unsigned),
    optional("failedItems", Kind::Unsigned),
    optional("progressPercentage", Kind::Float),
    optional("totalDomainCount", Kind::Unsigned),
    nullable("createdAt", Kind::Text),
    nullable("updatedAt", Kind::Text),
    nullable("errorMessage", Kind::Text),
];
