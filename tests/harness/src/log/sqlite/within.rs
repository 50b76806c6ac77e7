//! One campaign within a transaction.

use campaign_sync::protocol::CampaignId;
use rusqlite::Connection;

/// One campaign, and the connection whose transaction reads or writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CampaignTx<'t> {
    pub(super) on: &'t Connection,
    pub(super) id: &'t CampaignId,
}

pub(super) const fn within<'t>(on: &'t Connection, id: &'t CampaignId) -> CampaignTx<'t> {
    CampaignTx { on, id }
}
