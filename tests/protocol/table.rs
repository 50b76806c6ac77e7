//! The domain table against a naive map: rows, counts, digest, buckets, queries, memory.

use std::collections::BTreeMap;

use campaign_sync::protocol::digest::{Buckets, EMPTY_BUCKETS, RowHasher, bucket_of, id_hash};
use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::protocol::{Code, Digest};
use campaign_sync::store::DomainTable;
use campaign_sync::store::arena::TEXT_BYTES_MAX;
use campaign_sync::store::table::DNS;
use campaign_sync::sync::rng::Rng;

/// A row in a simple form that does not save memory.
#[derive(Clone, Debug, Default, PartialEq)]
struct Naive {
    name: String,
    offset: Option<i64>,
    dns: Option<String>,
    http: Option<String>,
    code: Option<i32>,
    lead: Option<String>,
    score: Option<f64>,
}

fn put<T: Clone>(column: &mut Option<T>, patch: &Patch<T>) {
    match patch {
        Patch::Absent => {}
        Patch::Null => *column = None,
        Patch::Value(value) => *column = Some(value.clone()),
    }
}

impl Naive {
    fn apply(&mut self, patch: &RowPatch<'_>) {
        if let Some(name) = patch.domain.value() {
            self.name = name.to_string();
        }
        put(&mut self.offset, &patch.offset);
        put(&mut self.dns, &owned(&patch.dns_status));
        put(&mut self.http, &owned(&patch.http_status));
        put(&mut self.code, &patch.http_status_code);
        put(&mut self.lead, &owned(&patch.lead_status));
        put(&mut self.score, &patch.lead_score);
    }

    /// The hash of the row, as the table computes it.
    fn hash(&self, id: &str) -> u64 {
        RowHasher::default().hash(&campaign_sync::protocol::digest::RowFields {
            domain_id: id,
            domain: Some(&self.name),
            offset: self.offset,
            dns_status: self.dns.as_deref(),
            http_status: self.http.as_deref(),
            http_status_code: self.code.map(i64::from),
            lead_status: self.lead.as_deref(),
            lead_score: self.score,
        })
    }
}

fn owned(patch: &Patch<std::borrow::Cow<'_, str>>) -> Patch<String> {
    match patch {
        Patch::Absent => Patch::Absent,
        Patch::Null => Patch::Null,
        Patch::Value(text) => Patch::Value(text.to_string()),
    }
}

fn row(table: &DomainTable, index: usize) -> Naive {
    let fields = table.fields(index);
    Naive {
        name: fields.domain.unwrap_or_default().to_owned(),
        offset: fields.offset,
        dns: fields.dns_status.map(str::to_owned),
        http: fields.http_status.map(str::to_owned),
        code: fields.http_status_code.map(|code| code as i32),
        lead: fields.lead_status.map(str::to_owned),
        score: fields.lead_score,
    }
}

fn maybe<T>(rng: &mut Rng, value: T) -> Patch<T> {
    match rng.up_to(3) {
        0 => Patch::Absent,
        1 => Patch::Null,
        _ => Patch::Value(value),
    }
}

fn random_patch(rng: &mut Rng, ids: u64) -> RowPatch<'static> {
    let words = ["ok", "error", "timeout", "", "pending", "läuft"];
    let word = |rng: &mut Rng| {
        let word = words[rng.up_to(5) as usize];
        maybe(rng, word.into())
    };
    let name = format!("n{}.example", rng.up_to(50));
    let score = [0.0, -0.0, 0.25, -7.5, 1e300][rng.up_to(4) as usize];
    let (offset, code) = (rng.up_to(1_000) as i64 - 500, rng.up_to(600) as i32);
    RowPatch {
        domain_id: format!("id-{}", rng.up_to(ids)).into(),
        domain: if rng.up_to(2) == 0 { Patch::Absent } else { Patch::Value(name.into()) },
        offset: maybe(rng, offset),
        dns_status: word(rng),
        http_status: word(rng),
        http_status_code: maybe(rng, code),
        lead_status: word(rng),
        lead_score: maybe(rng, score),
    }
}

/// Digest and buckets, computed from scratch.
fn from_scratch(naive: &BTreeMap<String, Naive>) -> (Digest, Box<Buckets>) {
    let (mut digest, mut buckets) = (Digest::default(), Box::new(EMPTY_BUCKETS));
    for (id, row) in naive {
        let hash = row.hash(id);
        digest.add(hash);
        let bucket = &mut buckets[bucket_of(id_hash(id))];
        bucket.count += 1;
        bucket.sum.add(hash);
    }
    (digest, buckets)
}

fn assert_same(table: &DomainTable, naive: &BTreeMap<String, Naive>) {
    assert_eq!(table.len(), naive.len());
    for (id, expected) in naive {
        let index = table.find(id).unwrap_or_else(|| panic!("{id} is not found"));
        assert_eq!(table.id(index), id);
        assert_eq!(row(table, index), *expected, "{id}");
    }
    let (digest, buckets) = from_scratch(naive);
    assert_eq!((table.digest(), table.buckets()), (digest, &*buckets));
    let mut counts = BTreeMap::new();
    for word in naive.values().filter_map(|row| row.dns.as_deref()) {
        *counts.entry(word).or_insert(0) += 1;
    }
    assert_eq!(table.statuses(DNS).counts().collect::<BTreeMap<_, _>>(), counts);
}

#[test]
fn random_changes_match_a_naive_map() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let (mut table, mut naive) = (DomainTable::default(), BTreeMap::<String, Naive>::new());
        for step in 0..2_000 {
            let patch = random_patch(&mut rng, 120);
            let id = patch.domain_id.to_string();
            if rng.up_to(4) == 0 {
                assert_eq!(table.remove(&id), naive.remove(&id).is_some());
            } else if patch.domain.value().is_none() && !naive.contains_key(&id) {
                assert_eq!(table.validate(&patch), Err(Code::InvalidContent));
                assert_eq!(table.upsert(&patch), Err(Code::InvalidContent));
            } else {
                assert_eq!(table.upsert(&patch), Ok(!naive.contains_key(&id)));
                naive.entry(id).or_default().apply(&patch);
            }
            if step % 100 == 0 {
                assert_same(&table, &naive);
            }
        }
        assert_same(&table, &naive);
        naive.keys().for_each(|id| assert!(table.remove(id)));
        assert_same(&table, &BTreeMap::new());
        assert_eq!(table.digest(), Digest::default(), "an empty table, by whatever way");
    }
}

#[test]
fn digest_does_not_depend_on_the_order_of_changes() {
    let mut rng = Rng::new(5);
    let mut patches: Vec<_> = (0..300).map(|_| random_patch(&mut rng, 1 << 40)).collect();
    for (index, patch) in patches.iter_mut().enumerate() {
        patch.domain = Patch::Value(format!("{index}.example").into());
    }
    let build = |patches: &[RowPatch<'_>]| {
        let mut table = DomainTable::default();
        patches.iter().for_each(|patch| assert_eq!(table.upsert(patch), Ok(true)));
        (table.digest(), *table.buckets())
    };
    let forwards = build(&patches);
    patches.reverse();
    assert_eq!(build(&patches), forwards);
}

fn named(id: &str, name: String) -> RowPatch<'_> {
    let domain = Patch::Value(name.into());
    RowPatch { domain_id: id.into(), domain, ..RowPatch::default() }
}

#[test]
fn unused_texts_are_freed() {
    let mut table = DomainTable::default();
    let mut naive = BTreeMap::new();
    for round in 0..40 {
        for number in 0..200 {
            let id = format!("id-{number}");
            let patch = named(&id, format!("{round}-{}", "x".repeat(1_000)));
            table.upsert(&patch).expect("in order");
            naive.entry(id.clone()).or_insert_with(Naive::default).apply(&patch);
        }
        table.remove(&format!("id-{round}"));
        naive.remove(&format!("id-{round}"));
        assert_same(&table, &naive);
    }
    let live: usize = naive.iter().map(|(id, row)| id.len() + row.name.len()).sum();
    assert!(table.text_bytes() < 2 * live + (3 << 20), "{} bytes held", table.text_bytes());
}

#[test]
fn texts_beyond_the_limit_are_refused_and_change_nothing() {
    let mut table = DomainTable::default();
    let longest = "x".repeat(TEXT_BYTES_MAX);
    assert_eq!(table.upsert(&named(&longest, longest.clone())), Ok(true));
    let digest = table.digest();
    let longer = "x".repeat(TEXT_BYTES_MAX + 1);
    for patch in [named(&longer, "n".into()), named("id", longer.clone())] {
        assert_eq!(table.validate(&patch), Err(Code::InvalidContent));
        assert_eq!(table.upsert(&patch), Err(Code::InvalidContent));
    }
    assert_eq!((table.len(), table.digest()), (1, digest));
    let rename = named(&longest, longer.clone());
    assert_eq!(table.upsert(&rename), Err(Code::InvalidContent));
    assert_eq!((table.name(0).len(), table.digest()), (TEXT_BYTES_MAX, digest));
}

#[test]
fn a_million_rows_cost_at_most_64_bytes_each_beside_their_texts() {
    // The ids have different lengths, because the limit holds for every length.
    for digits in [4, 17] {
        let mut table = DomainTable::default();
        for number in 0..1_000_000_u32 {
            let id = format!("5f0c1f6e-8a4b-{number:0digits$}");
            let patch = RowPatch {
                offset: Patch::Value(i64::from(number)),
                dns_status: Patch::Value(["ok", "error"][number as usize % 2].into()),
                ..named(&id, format!("name{number}.example"))
            };
            table.upsert(&patch).expect("in order");
        }
        assert_eq!(table.len(), 1_000_000);
        let per_row = table.overhead_bytes() as f64 / 1e6;
        assert!(per_row <= 64.0, "{per_row} bytes a row");
    }
}
