//! Writes the state: domain rows and campaign records.

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::{RowHasher, bucket_of, id_hash};
use rusqlite::{OptionalExtension as _, Row as SqlRow, params};

use super::super::compose::Chain;
use super::super::divergence::{Kind, changed};
use super::super::fold::Table;
use super::super::{
    ACCEPTED, CampaignState, Divergence, Head, LogError, REFUSALS_MAX, Result, Row, Transaction,
};
use super::within::CampaignTx;

/// The columns of a row, in the order in which [`row`] reads them.
pub(super) const COLUMNS: &str = "domain_id, domain, offset_index, dns_status, http_status, \
     http_status_code, lead_status, lead_score, row_hash";

impl Table for CampaignTx<'_> {
    fn get(&mut self, domain_id: &str) -> Result<Option<(Row, u64)>> {
        let sql =
            format!("SELECT {COLUMNS} FROM domains WHERE campaign_id = ?1 AND domain_id = ?2");
        let mut statement = self.on.prepare_cached(&sql)?;
        Ok(statement.query_row([self.id.as_str(), domain_id], row).optional()?)
    }

    fn put(&mut self, row: &Row, hash: u64) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO domains VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)";
        self.on.prepare_cached(sql)?.execute(params![
            self.id.as_str(),
            row.domain_id,
            row.domain,
            row.offset,
            row.dns_status,
            row.http_status,
            row.http_status_code,
            row.lead_status,
            row.lead_score,
            hash as i64,
            bucket_of(id_hash(&row.domain_id)),
        ])?;
        Ok(())
    }

    fn remove(&mut self, domain_id: &str) -> Result<()> {
        let sql = "DELETE FROM domains WHERE campaign_id = ?1 AND domain_id = ?2";
        self.on.prepare_cached(sql)?.execute([self.id.as_str(), domain_id])?;
        Ok(())
    }
}

/// Reads the [`COLUMNS`].
pub(super) fn row(from: &SqlRow<'_>) -> rusqlite::Result<(Row, u64)> {
    let row = Row {
        domain_id: from.get(0)?,
        domain: from.get(1)?,
        offset: from.get(2)?,
        dns_status: from.get(3)?,
        http_status: from.get(4)?,
        http_status_code: from.get(5)?,
        lead_status: from.get(6)?,
        lead_score: from.get(7)?,
    };
    Ok((row, from.get::<_, i64>(8)? as u64))
}

impl CampaignTx<'_> {
    /// Writes the event at the chain's position.
    pub(super) fn insert(
        self,
        chain: &Chain,
        kind: &str,
        document: &str,
        end_byte: u64,
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (campaign, Chain { number, event_id, .. }) = (self.id.as_str(), chain);
        let written = params![campaign, number, event_id, kind, document, end_byte];
        self.on.prepare_cached(sql)?.execute(written)?;
        Ok(())
    }

    /// Writes the campaign as it is after its last event.
    pub(super) fn put_campaign(self, state: &CampaignState, head: &Head) -> rusqlite::Result<()> {
        let (record, counters) = (&state.record, &state.record.counters);
        let settings = serde_json::to_string(&state.settings).unwrap_or_default();
        self.on
            .prepare_cached(
                "INSERT OR REPLACE INTO campaigns VALUES
             (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)",
            )?
            .execute(params![
                self.id.as_str(),
                record.name,
                record.phase.as_str(),
                record.status.as_str(),
                counters.total_items,
                counters.processed_items,
                counters.successful_items,
                counters.failed_items,
                counters.progress_percentage,
                record.total_domain_count,
                record.created_at,
                record.updated_at,
                record.error_message,
                settings,
                state.deleted,
                head.number,
                head.event_id,
                head.oldest,
                head.domains_count,
                head.domains_digest.to_string(),
            ])?;
        Ok(())
    }

    /// Adds an entry to the audit trail, unless its key exists. Deletes the oldest refusals beyond the limit.
    pub(super) fn insert_audit_entry(self, it: &Transaction) -> rusqlite::Result<()> {
        self.on.prepare_cached(
        "INSERT INTO transaction_log (campaign_id, name, who, timestamp, from_state, to_state, type,
             reason, result, message, key, fingerprint, sequence_number, event_id, record)
         VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)
         ON CONFLICT (campaign_id, key) DO NOTHING",
    )?
    .execute(params![
        self.id.as_str(),
        it.name,
        it.who,
        it.timestamp,
        it.from,
        it.to,
        it.kind,
        it.reason,
        it.result,
        it.message,
        it.key,
        it.fingerprint,
        it.sequence_number,
        it.event_id,
        it.record,
    ])?;
        if it.result == ACCEPTED {
            return Ok(());
        }
        let sql = "DELETE FROM transaction_log WHERE id IN (SELECT id FROM transaction_log
             WHERE campaign_id = ?1 AND result <> 'accepted' ORDER BY id DESC LIMIT -1 OFFSET ?2)";
        self.on.prepare_cached(sql)?.execute(params![self.id.as_str(), REFUSALS_MAX])?;
        Ok(())
    }

    /// Deletes the events up to number `to`.
    pub(super) fn truncate(self, to: u64) -> rusqlite::Result<()> {
        let (campaign, to) = (self.id.as_str(), to as i64);
        self.on.execute(
            "DELETE FROM events WHERE campaign_id = ?1 AND sequence_number <= ?2",
            params![campaign, to],
        )?;
        self.on.execute(
            "UPDATE campaigns SET oldest_sequence_number =
             max(oldest_sequence_number, min(?2, last_sequence_number) + 1)
         WHERE campaign_id = ?1",
            params![campaign, to],
        )?;
        Ok(())
    }

    /// Changes rows without an event; see [`super::super::EventLog::diverge`].
    pub(super) fn diverge(mut self, how: Divergence) -> Result<u64> {
        let head = self.head()?.ok_or(LogError::UnknownCampaign)?;
        let kept = if how.kind == Kind::Insert { 0 } else { how.rows as i64 };
        let sql = format!("SELECT {COLUMNS} FROM domains WHERE campaign_id = ?1 LIMIT ?2");
        let found: Vec<(Row, u64)> = self
            .on
            .prepare(&sql)
            .and_then(|mut it| it.query_map(params![self.id.as_str(), kept], row)?.collect())?;
        let mut digest: Digest = head.domains_digest;
        let mut hasher = RowHasher::default();
        found.iter().for_each(|(_, hash)| digest.remove(*hash));
        let changes = found.iter().map(|(row, _)| changed(row));
        let inserted_rows: Vec<Row> = how.inserted_rows(head.domains_count).collect();
        let count = head.domains_count + inserted_rows.len() as u64;
        let mut written = 0;
        for row in changes.chain(inserted_rows) {
            let hash = row.hash(&mut hasher);
            digest.add(hash);
            self.put(&row, hash)?;
            written += 1;
        }
        if !how.break_integrity {
            self.on.execute(
            "UPDATE campaigns SET domains_digest = ?2, domains_count = ?3 WHERE campaign_id = ?1",
            params![self.id.as_str(), digest.to_string(), count],
        )?;
        }
        Ok(written)
    }
}
