//! The list of campaigns.

use campaign_sync::protocol::CampaignId;
use rusqlite::{Connection, params_from_iter};

use super::super::{CampaignQuery, View};
use super::read::state;

/// The statement of a query, and its parameters. The index `campaigns_by_owner` serves it, so it reads no
/// campaign of another owner.
fn statement(query: &CampaignQuery<'_>) -> (String, Vec<String>) {
    let mut sql = "SELECT * FROM campaigns WHERE deleted = 0".to_owned();
    let mut values = Vec::new();
    let mut and = |condition: &str, value: &str| {
        values.push(value.to_owned());
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    if let Some(owner) = query.owner {
        and("settings ->> 'owner' =", owner);
    }
    if let Some(after) = query.after {
        and("campaign_id >", after.as_str());
    }
    let limit = query.limit.map_or(-1, |limit| limit.min(i64::MAX as u64) as i64);
    sql.push_str(&format!(" ORDER BY campaign_id LIMIT {limit}"));
    (sql, values)
}

pub(super) fn list(
    tx: &Connection,
    query: &CampaignQuery<'_>,
) -> rusqlite::Result<Vec<(CampaignId, View)>> {
    let (sql, values) = statement(query);
    let mut statement = tx.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut campaigns = Vec::new();
    while let Some(row) = rows.next()? {
        let Ok(id) = CampaignId::new(&row.get::<_, String>(0)?) else { continue };
        let (head, state) = state(row)?;
        let matching = head.domains_count;
        campaigns.push((id, View { head, state, rows: Vec::new(), matching }));
    }
    Ok(campaigns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::params_from_iter;

    /// The steps of SQLite for a query.
    fn plan(query: &CampaignQuery<'_>) -> String {
        let on = Connection::open_in_memory().unwrap();
        on.execute_batch(include_str!("../schema.sql")).unwrap();
        let (sql, values) = statement(query);
        let mut explain = on.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.query_map(params_from_iter(values), |row| row.get::<_, String>(3));
        steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn list_of_one_owner_reads_only_the_index_of_this_owner() {
        let after = CampaignId::new("c1").unwrap();
        let own = CampaignQuery { owner: Some("ada"), ..CampaignQuery::default() };
        let next = CampaignQuery { after: Some(&after), limit: Some(10), ..own };
        for (query, range) in [(own, "(<expr>=?)"), (next, "(<expr>=? AND campaign_id>?)")] {
            let plan = plan(&query);
            assert!(plan.contains(&format!("USING INDEX campaigns_by_owner {range}")), "{plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{plan}");
        }
    }

    #[test]
    fn page_of_all_campaigns_begins_at_its_cursor() {
        let after = CampaignId::new("c1").unwrap();
        let query = CampaignQuery { after: Some(&after), limit: Some(10), owner: None };
        let plan = plan(&query);
        assert!(plan.contains("USING PRIMARY KEY (campaign_id>?)"), "{plan}");
    }
}
