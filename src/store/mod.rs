//! The data of a campaign: record, domain rows, transitions, consistency, snapshots and views.
//! Pure.
//!
//! Every operation is all or nothing: an event or a snapshot is validated as a whole, and then
//! either applied as a whole or refused without any change. The store has no clock, no socket and
//! no policy for requests. `sync` decides when to request data.

mod apply;
pub mod arena;
pub mod campaign;
pub mod catalogue;
pub mod change;
pub mod consistency;
pub mod folding;
pub mod index;
pub mod intern;
pub mod query;
mod rows;
pub mod slice;
pub mod staging;
pub mod table;
pub mod view;

pub use campaign::CampaignStore;
pub use catalogue::{CatalogueChanges, CatalogueStore};
pub use change::{Change, EventMeta, Fault, PhaseChange};
pub use consistency::{Discrepancy, ExpectedDigest};
pub use query::{DomainPage, DomainQuery, DomainRow, SortBy};
pub use staging::{Staging, StagingFault};
pub use table::DomainTable;
pub use view::{CampaignView, ViewContext};
