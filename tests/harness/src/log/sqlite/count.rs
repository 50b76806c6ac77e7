//! Recounts rows in SQL.

use std::ffi::c_int;

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::{RowFields, RowHasher};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::{Connection, Result};

use super::super::{PhaseCounts, Recount};
use super::within::CampaignTx;

/// The arguments of [`RowsDigest`], in order.
const HASHED: &str = "domain_id, domain, offset_index, dns_status, http_status, http_status_code, \
     lead_status, lead_score";

/// The number of these arguments.
const HASHED_COUNT: c_int = 8;

/// The SQL aggregate `rows_digest`: computes the digest of rows from their columns, not from the stored
/// hashes.
struct RowsDigest;

impl Aggregate<(Digest, RowHasher), i64> for RowsDigest {
    fn init(&self, _: &mut Context<'_>) -> Result<(Digest, RowHasher)> {
        Ok(Default::default())
    }

    fn step(
        &self,
        row: &mut Context<'_>,
        (digest, hasher): &mut (Digest, RowHasher),
    ) -> Result<()> {
        let text = |at| row.get_raw(at).as_str_or_null();
        let hash = hasher.hash(&RowFields {
            domain_id: row.get_raw(0).as_str()?,
            domain: text(1)?,
            offset: row.get(2)?,
            dns_status: text(3)?,
            http_status: text(4)?,
            http_status_code: row.get(5)?,
            lead_status: text(6)?,
            lead_score: row.get(7)?,
        });
        digest.add(hash);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<(Digest, RowHasher)>) -> Result<i64> {
        Ok(sum.unwrap_or_default().0.0 as i64)
    }
}

/// Registers the aggregate on a connection.
pub(super) fn prepare(on: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    on.create_aggregate_function("rows_digest", HASHED_COUNT, flags, RowsDigest)
}

impl CampaignTx<'_> {
    pub(super) fn recount(self) -> Result<Option<Recount>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let sql = format!(
            "SELECT count(*), count(dns_status), count(*) FILTER (WHERE dns_status = 'resolved'),
                 count(http_status), count(*) FILTER (WHERE http_status = 'success'),
                 count(lead_status), count(*) FILTER (WHERE lead_status = 'match'),
                 rows_digest({HASHED})
             FROM domains WHERE campaign_id = ?1"
        );
        self.on.prepare_cached(&sql)?.query_row([self.id.as_str()], |row| {
            let phase_counts = PhaseCounts {
                rows: row.get(0)?,
                dns_done: row.get(1)?,
                resolved: row.get(2)?,
                http_done: row.get(3)?,
                fetched: row.get(4)?,
                analysed: row.get(5)?,
                leads: row.get(6)?,
            };
            let digest = Digest(row.get::<_, i64>(7)? as u64);
            Ok(Some(Recount { head, count: phase_counts.rows, digest, phase_counts }))
        })
    }
}
