//! The campaign record: everything about a campaign but its rows.

use super::domain::optional;
use super::json::{RawStr, Reader};
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
        let mut record = Self::default();
        let (mut phase, mut status) = (None, None);
        reader.object(|key, value| {
            match key.inner {
                "currentPhase" => phase = Some(read_phase(value)?),
                "phaseStatus" => status = Some(read_status(value)?),
                _ => record.member(key, value)?,
            }
            Ok(())
        })?;
        record.phase = phase.ok_or(Code::InvalidContent)?;
        record.status = status.ok_or(Code::InvalidContent)?;
        Ok(record)
    }

    fn member(&mut self, key: RawStr<'_>, value: &mut Reader<'_>) -> Result<(), Code> {
        match key.inner {
            "name" => self.name = value.text()?.into_owned(),
            "totalItems" => self.counters.total_items = value.unsigned()?,
            "processedItems" => self.counters.processed_items = value.unsigned()?,
            "successfulItems" => self.counters.successful_items = value.unsigned()?,
            "failedItems" => self.counters.failed_items = value.unsigned()?,
            "progressPercentage" => self.counters.progress_percentage = value.float()?,
            "totalDomainCount" => self.total_domain_count = value.unsigned()?,
            "createdAt" => {
                self.created_at = optional(value, Reader::text)?.unwrap_or_default().into_owned()
            }
            "updatedAt" => {
                self.updated_at = optional(value, Reader::text)?.unwrap_or_default().into_owned()
            }
            "errorMessage" => {
                self.error_message = optional(value, Reader::text)?.map(|text| text.into_owned());
            }
            _ => value.skip()?,
        }
        Ok(())
    }
}

/// Reads a phase.
///
/// # Errors
/// [`Code::InvalidContent`] for a word that is no phase.
pub fn read_phase(reader: &mut Reader<'_>) -> Result<Phase, Code> {
    Phase::parse(&reader.text()?).ok_or(Code::InvalidContent)
}

/// Reads a status.
///
/// # Errors
/// [`Code::InvalidContent`] for a word that is no status.
pub fn read_status(reader: &mut Reader<'_>) -> Result<Status, Code> {
    Status::parse(&reader.text()?).ok_or(Code::InvalidContent)
}
