//! Reading all rows in slices, while they change: a reader ends with exactly the rows of the table.

use std::collections::BTreeMap;

use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::store::DomainTable;
use campaign_sync::store::query::PAGE_ROWS_MAX;
use campaign_sync::store::slice::SliceReader;

fn set(table: &mut DomainTable, number: usize, dns: &str) {
    let patch = RowPatch {
        domain_id: format!("id-{number}").into(),
        domain: Patch::Value(format!("name-{number}.example").into()),
        offset: Patch::Value(number as i64),
        dns_status: Patch::Value(dns.into()),
        ..RowPatch::default()
    };
    table.upsert(&patch).expect("the row is valid");
}

fn table(rows: usize) -> DomainTable {
    let mut table = DomainTable::default();
    for number in 0..rows {
        set(&mut table, number, "timeout");
    }
    table
}

fn has(table: &DomainTable) -> BTreeMap<String, String> {
    let row = |row| {
        let fields = table.fields(row);
        (fields.domain_id.to_owned(), fields.dns_status.unwrap_or_default().to_owned())
    };
    (0..table.len()).map(row).collect()
}

/// A reader of the table, with the rows that it got.
struct Reading {
    number: u64,
    rows: BTreeMap<String, String>,
}

impl Reading {
    fn new(number: u64) -> Self {
        Self { number, rows: BTreeMap::new() }
    }

    /// Takes one slice, and returns its length.
    fn step(&mut self, reader: &mut SliceReader, table: &DomainTable) -> usize {
        let slice = reader.slice(table, self.number);
        assert_eq!(slice.total, table.len());
        for row in &slice.rows {
            assert!(!row.unconfirmed);
            let dns = row.dns_status.unwrap_or_default();
            self.rows.insert(row.domain_id.to_owned(), dns.to_owned());
        }
        slice.rows.len()
    }
}

#[test]
fn slices_bring_every_row_once() {
    let table = table(2 * PAGE_ROWS_MAX + 500);
    let (mut reader, mut reading) = (SliceReader::default(), Reading::new(7));
    let lengths: Vec<usize> = (0..4).map(|_| reading.step(&mut reader, &table)).collect();
    assert_eq!(lengths, [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 500, 0]);
    assert_eq!(reading.rows, has(&table));
}

#[test]
fn empty_table_has_one_empty_slice() {
    let (mut reader, mut reading) = (SliceReader::default(), Reading::new(7));
    assert_eq!(reading.step(&mut reader, &DomainTable::default()), 0);
}

#[test]
fn rows_that_changed_come_again_and_no_others() {
    let mut table = table(3 * PAGE_ROWS_MAX);
    let (mut reader, mut reading) = (SliceReader::default(), Reading::new(7));
    reading.step(&mut reader, &table);
    // The first two were read, the third one was not.
    for number in [3, 900, 2_500] {
        set(&mut table, number, "resolved");
    }
    // The same value is no change.
    set(&mut table, 5, "timeout");
    let lengths: Vec<usize> = (0..4).map(|_| reading.step(&mut reader, &table)).collect();
    assert_eq!(lengths, [PAGE_ROWS_MAX, PAGE_ROWS_MAX, 2, 0]);
    assert_eq!(reading.rows, has(&table));
}

#[test]
fn another_reader_begins_with_nothing() {
    let table = table(PAGE_ROWS_MAX + 10);
    let mut reader = SliceReader::default();
    let (mut one, mut other) = (Reading::new(1), Reading::new(2));
    assert_eq!(one.step(&mut reader, &table), PAGE_ROWS_MAX);
    assert_eq!(other.step(&mut reader, &table), PAGE_ROWS_MAX);
    // The first one has lost its place, and ends with everything all the same.
    while one.step(&mut reader, &table) > 0 {}
    assert_eq!(one.rows, has(&table));
    while other.step(&mut reader, &table) > 0 {}
    assert_eq!(other.rows, has(&table));
}

#[test]
fn reader_that_is_done_may_begin_again() {
    let table = table(10);
    let (mut reader, mut reading) = (SliceReader::default(), Reading::new(7));
    let lengths: Vec<usize> = (0..4).map(|_| reading.step(&mut reader, &table)).collect();
    assert_eq!(lengths, [10, 0, 10, 0]);
}

#[test]
fn reader_ends_with_the_rows_of_the_table_in_random_histories() {
    for seed in 1..=40_u64 {
        let mut state = seed;
        let mut below = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit
        };
        let mut table = table(below(3_000));
        let mut reader = SliceReader::default();
        let mut reading = Reading::new(1);
        let mut quiet = 0;
        let mut steps = 0;
        loop {
            steps += 1;
            let length = reading.step(&mut reader, &table);
            if length == 0 {
                if reading.rows.len() == table.len() {
                    break;
                }
                // Rows were removed: another reader begins.
                reading = Reading::new(reading.number + 1);
            }
            quiet += 1;
            if quiet > 12 {
                continue;
            }
            for _ in 0..below(40) {
                let number = below(4_000);
                match below(8) {
                    0 => _ = table.remove(&format!("id-{number}")),
                    kind => set(&mut table, number, ["resolved", "timeout", "error"][kind % 3]),
                }
            }
        }
        assert_eq!(reading.rows, has(&table), "seed {seed} after {steps} slices");
    }
}
