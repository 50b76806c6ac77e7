//! Reads. Each read is one transaction, so everything in it belongs to one event number.

use std::sync::Arc;

use campaign_sync::protocol::campaign::{CampaignRecord, PhaseCounters};
use campaign_sync::protocol::digest::{Buckets, EMPTY_BUCKETS};
use campaign_sync::protocol::{CampaignId, Digest, Phase, Status};
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, params};

use super::super::{CampaignState, Event, Head, Row, RowQuery, Transaction, View};
use super::rows::{COLUMNS, row};
use super::within::CampaignTx;

pub(super) fn campaigns(tx: &Connection) -> rusqlite::Result<Vec<CampaignId>> {
    let mut statement = tx.prepare_cached("SELECT campaign_id FROM campaigns ORDER BY 1")?;
    let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
    ids.map(|id| id.map(|id| CampaignId::new(&id).ok())).filter_map(Result::transpose).collect()
}

impl CampaignTx<'_> {
    pub(super) fn head(self) -> rusqlite::Result<Option<Head>> {
        Ok(self.state()?.map(|(head, _)| head))
    }

    /// The campaign without its rows.
    pub(super) fn state(self) -> rusqlite::Result<Option<(Head, CampaignState)>> {
        let mut statement =
            self.on.prepare_cached("SELECT * FROM campaigns WHERE campaign_id = ?1")?;
        statement.query_row([self.id.as_str()], state).optional()
    }

    pub(super) fn events(self, after: u64, bytes: usize) -> rusqlite::Result<Vec<Event>> {
        let mut statement = self.on.prepare_cached(
            "SELECT sequence_number, document FROM events
         WHERE campaign_id = ?1 AND sequence_number > ?2 AND sequence_number >=
             (SELECT oldest_sequence_number FROM campaigns WHERE campaign_id = ?1)
         ORDER BY sequence_number",
        )?;
        let mut rows = statement.query(params![self.id.as_str(), after])?;
        let (mut events, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let document: Arc<str> = row.get::<_, String>(1)?.into();
            size += document.len() + 1;
            if size > bytes && !events.is_empty() {
                break;
            }
            events.push(Event { number: row.get(0)?, document });
        }
        Ok(events)
    }

    /// The end, in bytes of the campaign's log, of the event with this number or of the last one before it.
    /// Only differences matter: after all events were truncated, the count restarts at 0.
    pub(super) fn end_byte(self, number: u64) -> rusqlite::Result<u64> {
        self.on
            .prepare_cached(
                "SELECT end_byte FROM events WHERE campaign_id = ?1 AND sequence_number <= ?2
         ORDER BY sequence_number DESC LIMIT 1",
            )?
            .query_row(params![self.id.as_str(), number], |row| row.get(0))
            .optional()
            .map(Option::unwrap_or_default)
    }

    pub(super) fn bytes_after(self, after: u64) -> rusqlite::Result<u64> {
        let start = self
            .on
            .prepare_cached(
                "SELECT end_byte - length(CAST(document AS BLOB)) FROM events
             WHERE campaign_id = ?1 AND sequence_number > ?2 ORDER BY sequence_number LIMIT 1",
            )?
            .query_row(params![self.id.as_str(), after], |row| row.get(0))
            .optional()?;
        let end = self.end_byte(i64::MAX.unsigned_abs())?;
        Ok(start.map_or(0, |start: u64| end - start))
    }

    pub(super) fn view(self, query: &RowQuery) -> rusqlite::Result<Option<View>> {
        let Some((head, state)) = self.state()? else { return Ok(None) };
        let (filter, values) = filter(self.id, query);
        let everything = filter == ALL_ROWS;
        let mut rows: Vec<Row> = Vec::new();
        if query.limit != Some(0) {
            let sql = format!(
                "SELECT {COLUMNS} FROM domains WHERE {filter}
             ORDER BY offset_index, domain_id LIMIT {} OFFSET {}",
                query.limit.map_or(-1, |limit| limit.min(i64::MAX as u64) as i64),
                query.skip.min(i64::MAX as u64),
            );
            let mut statement = self.on.prepare_cached(&sql)?;
            let found = statement.query_map(params_from_iter(&values), row)?;
            rows = found.map(|found| found.map(|(row, _)| row)).collect::<Result<_, _>>()?;
        }
        let matching = if everything || query.awaiting.is_some() {
            head.domains_count
        } else {
            let sql = format!("SELECT count(*) FROM domains WHERE {filter}");
            self.on.prepare_cached(&sql)?.query_row(params_from_iter(&values), |row| row.get(0))?
        };
        Ok(Some(View { head, state, rows, matching }))
    }

    pub(super) fn buckets(self) -> rusqlite::Result<Option<(u64, Box<Buckets>)>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let mut statement = self
            .on
            .prepare_cached("SELECT bucket, row_hash FROM domains WHERE campaign_id = ?1")?;
        let mut rows = statement.query([self.id.as_str()])?;
        let mut buckets = Box::new(EMPTY_BUCKETS);
        while let Some(row) = rows.next()? {
            let bucket = &mut buckets[usize::from(row.get::<_, u8>(0)?)];
            bucket.count += 1;
            bucket.sum.add(row.get::<_, i64>(1)? as u64);
        }
        Ok(Some((head.number, buckets)))
    }

    pub(super) fn transactions(self) -> rusqlite::Result<Vec<Transaction>> {
        let sql = format!(
            "SELECT {AUDIT_COLUMNS} FROM transaction_log WHERE campaign_id = ?1 ORDER BY id"
        );
        let mut statement = self.on.prepare_cached(&sql)?;
        let rows = statement.query_map([self.id.as_str()], transaction)?;
        rows.collect()
    }

    pub(super) fn audit_entry(self, key: &str) -> rusqlite::Result<Option<Transaction>> {
        let sql = format!(
            "SELECT {AUDIT_COLUMNS} FROM transaction_log WHERE campaign_id = ?1 AND key = ?2"
        );
        self.on.prepare_cached(&sql)?.query_row([self.id.as_str(), key], transaction).optional()
    }
}

pub(super) fn state(row: &SqlRow<'_>) -> rusqlite::Result<(Head, CampaignState)> {
    let record = CampaignRecord {
        name: row.get(1)?,
        phase: Phase::parse(&row.get::<_, String>(2)?).unwrap_or(Phase::Setup),
        status: Status::parse(&row.get::<_, String>(3)?).unwrap_or(Status::NotStarted),
        counters: PhaseCounters {
            total_items: row.get(4)?,
            processed_items: row.get(5)?,
            successful_items: row.get(6)?,
            failed_items: row.get(7)?,
            progress_percentage: row.get(8)?,
        },
        total_domain_count: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        error_message: row.get(12)?,
    };
    let settings = serde_json::from_str(&row.get::<_, String>(13)?).unwrap_or_default();
    let head = Head {
        number: row.get(15)?,
        event_id: row.get(16)?,
        oldest: row.get(17)?,
        domains_count: row.get(18)?,
        domains_digest: Digest::parse(&row.get::<_, String>(19)?).unwrap_or_default(),
    };
    Ok((head, CampaignState { record, settings, deleted: row.get(14)? }))
}

const ALL_ROWS: &str = "campaign_id = ?1";

fn filter(campaign: &CampaignId, query: &RowQuery) -> (String, Vec<Value>) {
    let mut sql = ALL_ROWS.to_owned();
    let mut values = vec![Value::Text(campaign.to_string())];
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    if let Some(from) = query.from_offset {
        and("offset_index >=", Value::Integer(from));
    }
    if let Some(status) = &query.dns_status {
        and("dns_status =", Value::Text(status.clone()));
    }
    if let Some(status) = &query.http_status {
        and("http_status =", Value::Text(status.clone()));
    }
    if let Some(text) = &query.search {
        let pattern = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        and("domain LIKE", Value::Text(format!("%{pattern}%")));
        sql.push_str(" ESCAPE '\\'");
    }
    if let Some(buckets) = &query.buckets {
        let list: Vec<String> = buckets.iter().map(u8::to_string).collect();
        sql.push_str(&format!(" AND bucket IN ({})", list.join(",")));
    }
    sql.push_str(match query.awaiting {
        Some(Phase::DnsValidation) => " AND dns_status IS NULL",
        Some(Phase::HttpKeywordValidation) => {
            " AND dns_status = 'resolved' AND http_status IS NULL"
        }
        Some(Phase::Analysis) => " AND http_status = 'success' AND lead_status IS NULL",
        _ => "",
    });
    (sql, values)
}

/// The columns of an audit entry, in the order in which [`transaction`] reads them.
const AUDIT_COLUMNS: &str = "name, who, timestamp, from_state, to_state, type, reason, result, message, \
     key, fingerprint, sequence_number, event_id, record";

fn transaction(row: &SqlRow<'_>) -> rusqlite::Result<Transaction> {
    Ok(Transaction {
        name: row.get(0)?,
        who: row.get(1)?,
        timestamp: row.get(2)?,
        from: row.get(3)?,
        to: row.get(4)?,
        kind: row.get(5)?,
        reason: row.get(6)?,
        result: row.get(7)?,
        message: row.get(8)?,
        key: row.get(9)?,
        fingerprint: row.get(10)?,
        sequence_number: row.get(11)?,
        event_id: row.get(12)?,
        record: row.get(13)?,
    })
}
