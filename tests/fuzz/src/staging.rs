//! Any parts as a snapshot.

use std::collections::BTreeMap;

use campaign_sync::protocol::Digest;
use campaign_sync::protocol::digest::RowHasher;
use campaign_sync::protocol::json::Reader;
use campaign_sync::protocol::snapshot::SnapshotPart;
use campaign_sync::store::consistency::large_discrepancy;
use campaign_sync::store::{CampaignStore, DomainTable, Staging, StagingFault};
use serde_json::{Value, json};

use crate::document::object;

/// Each line is the data of a part. A line that begins with `=` gets the count and the digest of the rows
/// of all such lines, so that some snapshots are complete.
///
/// # Panics
/// If a promise is broken.
pub fn run(input: &[u8]) {
    if let Ok(text) = core::str::from_utf8(input) {
        let _ = after(text);
    }
}

fn after(text: &str) -> CampaignStore {
    let lines: Vec<&str> = text.lines().take(64).collect();
    let claim = claim(&lines);
    let (mut store, mut staging) = (CampaignStore::default(), None::<Staging>);
    for line in &lines {
        let mended = line.strip_prefix('=').and_then(|line| with_claim(line, claim));
        let data = mended.as_deref().unwrap_or(line);
        let Ok(part) = SnapshotPart::read(&mut Reader::new(data)) else { continue };
        let before = staging.clone();
        let taken = match &mut staging {
            None => Staging::begin(&part).map(|started| staging = Some(started)),
            Some(staging) => staging.add(&part),
        };
        match taken {
            Ok(()) => {}
            // A repeated part and a part after a gap change nothing.
            Err(StagingFault::Repeated | StagingFault::Gap) => {
                let rows = |it: &Option<Staging>| it.as_ref().map_or(0, |it| it.table.len());
                assert_eq!(rows(&before), rows(&staging));
            }
            Err(StagingFault::Invalid(_)) => staging = None,
        }
        if let Some(complete) = staging.take_if(|it| it.is_complete()) {
            finish(&mut store, complete, part.domains_count, part.domains_digest);
        }
    }
    store
}

/// Installs a sound snapshot, and checks that its rows are exactly those that were announced.
fn finish(store: &mut CampaignStore, staging: Staging, count: u64, digest: Digest) {
    let shown = counted(store.table());
    if !staging.is_sound() {
        return;
    }
    let position = staging.position.clone();
    let swapped = store.install(staging);
    let rows = counted(store.table());
    assert_eq!((rows.0, rows.1), (count, digest), "what was swapped in is not what was announced");
    assert_eq!(store.position(), Some(&position));
    assert_eq!(swapped.rows, count);
    let aside = store.unconfirmed().len() as u64;
    let gone = shown.0.saturating_sub(aside + count);
    assert!(gone <= large_discrepancy(shown.0), "more rows are gone at once than may be");
}

/// Counts and hashes the rows of a table one by one.
fn counted(table: &DomainTable) -> (u64, Digest) {
    let (mut hasher, mut digest) = (RowHasher::default(), Digest::default());
    for row in 0..table.len() {
        digest.add(hasher.hash(&table.fields(row)));
    }
    assert_eq!(digest, table.digest(), "the running digest is not that of the rows");
    (table.len() as u64, digest)
}

/// The count and the digest of the rows of all lines that begin with `=`. Rows with the same id count once.
fn claim(lines: &[&str]) -> (u64, Digest) {
    let mut rows = BTreeMap::new();
    for line in lines.iter().filter_map(|line| line.strip_prefix('=')) {
        let Some(object) = object(line) else { continue };
        for row in object.get("domains").and_then(Value::as_array).into_iter().flatten() {
            rows.insert(row["domainId"].to_string(), row.clone());
        }
    }
    let domains: Vec<Value> = rows.into_values().collect();
    let part = json!({"campaignId": "c", "epoch": "e", "sequenceNumber": 1, "eventId": "e1",
        "part": 1, "parts": 1, "domains": domains, "domainsCount": domains.len(),
        "domainsDigest": Digest::default().to_string()});
    let text = part.to_string();
    let table = SnapshotPart::read(&mut Reader::new(&text))
        .ok()
        .and_then(|part| Staging::begin(&part).ok())
        .map(|staging| staging.table)
        .unwrap_or_default();
    counted(&table)
}

fn with_claim(line: &str, (count, digest): (u64, Digest)) -> Option<String> {
    let mut object = object(line)?;
    object.insert("domainsCount".to_owned(), json!(count));
    object.insert("domainsDigest".to_owned(), json!(digest.to_string()));
    Some(Value::Object(object).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_that_can_be_swapped_in_are() {
        let rows: Vec<usize> = crate::seeds::of("staging")
            .iter()
            .map(|seed| after(core::str::from_utf8(seed).unwrap()).table().len())
            .collect();
        assert_eq!(rows, [2, 2, 0, 2]);
    }
}
