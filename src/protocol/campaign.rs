//! The campaign record: all data of a campaign except its rows (docs/PROTOCOL.md, chapter 10).

use super::json::Reader;
use super::schema::{Field, Kind, Value, nullable, optional, read, required, slots};
use super::{Code, Phase, Status};

/// Counters of the current phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PhaseCounters {
    /// Items that the phase must process.
    pub total_items: u64,
    /// Items that are processed.
    pub processed_items: u64,
    /// Items that succeeded.
    pub successful_items: u64,
    /// Items that failed.
    pub failed_items: u64,
    /// Progress in percent, from 0 to 100.
    pub progress_percentage: f64,
}

impl PhaseCounters {
    /// Builds counters from total, processed, successful and failed items. Absent counts are 0.
    pub(super) fn of([total, processed, successful, failed]: &[Value<'_>; 4]) -> Self {
        Self {
            total_items: total.count(),
            processed_items: processed.count(),
            successful_items: successful.count(),
            failed_items: failed.count(),
            progress_percentage: 0.0,
        }
    }

    /// Computes the percentage from the counts. A phase without items is at 0.
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
    /// The display name.
    pub name: String,
    /// The current phase.
    pub phase: Phase,
    /// The status within the phase.
    pub status: Status,
    /// Counters of the phase.
    pub counters: PhaseCounters,
    /// The number of domains that the campaign has, in any phase.
    pub total_domain_count: u64,
    /// The time of creation in RFC 3339, or empty.
    pub created_at: String,
    /// The time of the last update in RFC 3339, or empty.
    pub updated_at: String,
    /// The error message, if there is one.
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
    /// errorMessage?}`. Unknown members are ignored. Phase and status are required.
    ///
    /// # Errors
    /// [`Code::InvalidContent`], syntax errors.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Code> {
        let values = &mut slots();
        read(reader, &RECORD, values)?;
        let [
            name,
            phase,
            status,
            counts @ ..,
            percent,
            domains,
            created_at,
            updated_at,
            error_message,
        ] = values;
        Ok(Self {
            name: name.string_or_empty(),
            phase: phase.phase().ok_or(Code::InvalidContent)?,
            status: status.status().ok_or(Code::InvalidContent)?,
            counters: PhaseCounters {
                progress_percentage: percent.float().unwrap_or_default(),
                ..PhaseCounters::of(counts)
            },
            total_domain_count: domains.count(),
            created_at: created_at.string_or_empty(),
            updated_at: updated_at.string_or_empty(),
            error_message: error_message.string(),
        })
    }

    /// Reads the campaign object in the member `campaign` of the message that `outer` reads; `None` if
    /// the member is absent or `null`.
    pub(super) fn read_raw(
        outer: &mut Reader<'_>,
        value: &Value<'_>,
    ) -> Result<Option<Self>, Code> {
        let Some(raw) = value.raw() else { return Ok(None) };
        let mut reader = Reader::new(raw);
        let read = Self::read(&mut reader).map(Some);
        read.map_err(|code| outer.blame_inside(&reader, code, "campaign"))
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
