//! The campaign details: record, domain rows, transitions, consistency, snapshots, views. Pure.
//!
//! Everything here is all or nothing: an event or a snapshot is validated whole and applied whole,
//! or refused with nothing changed. The store knows no clock, no socket and no policy about when
//! to ask for what; that is decided in `sync`.

mod apply;
pub mod arena;
pub mod campaign;
pub mod change;
pub mod consistency;
pub mod index;
pub mod intern;
pub mod query;
pub mod staging;
pub mod table;
pub mod view;

pub use campaign::CampaignStore;
pub use change::{Change, EventMeta, Fault, PhaseChange};
pub use consistency::{Discrepancy, ExpectedDigest};
pub use query::{DomainPage, DomainQuery, DomainRow, SortBy};
pub use staging::{Staging, StagingFault};
pub use table::DomainTable;
pub use view::{CampaignView, ViewContext};
