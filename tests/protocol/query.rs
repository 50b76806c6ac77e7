//! Queries over rows: filters, orders, pages, and orders that are cached while they are valid.

use campaign_sync::protocol::domain::{Patch, RowPatch};
use campaign_sync::store::folding::FoldedNames;
use campaign_sync::store::query::{OrderCache, PAGE_ROWS_MAX, RowOrder, page};
use campaign_sync::store::{DomainQuery, DomainTable, SortBy};

struct Rows {
    table: DomainTable,
    aside: DomainTable,
    cache: OrderCache,
    folded: FoldedNames,
}

impl Rows {
    /// Builds rows from names, DNS outcomes and scores. The offsets follow this order.
    fn new(rows: &[(&str, Option<&str>, Option<f64>)]) -> Self {
        let mut table = DomainTable::default();
        for (offset, (name, dns, score)) in rows.iter().enumerate() {
            let patch = RowPatch {
                domain_id: format!("id-{offset}").into(),
                domain: Patch::Value((*name).into()),
                offset: Patch::Value(offset as i64),
                dns_status: dns.map_or(Patch::Absent, |dns| Patch::Value(dns.into())),
                lead_score: score.map_or(Patch::Absent, Patch::Value),
                ..RowPatch::default()
            };
            table.upsert(&patch).expect("rows are in order");
        }
        Self {
            table,
            aside: DomainTable::default(),
            cache: OrderCache::default(),
            folded: FoldedNames::default(),
        }
    }

    fn names(&mut self, order: RowOrder) -> Vec<String> {
        self.shown(&DomainQuery { offset: 0, limit: 1_000, order }).1
    }

    fn shown(&mut self, query: &DomainQuery) -> (usize, Vec<String>) {
        let page = page([&self.table, &self.aside], &mut self.cache, &self.folded, query);
        (page.total, page.rows.iter().map(|row| row.domain.to_owned()).collect())
    }

    fn set_dns(&mut self, id: &'static str, dns: &'static str) {
        let dns_status = Patch::Value(dns.into());
        let patch = RowPatch { domain_id: id.into(), dns_status, ..RowPatch::default() };
        self.table.upsert(&patch).expect("the row is known");
    }
}

fn some() -> Rows {
    Rows::new(&[
        ("Cherry.example", Some("ok"), Some(0.5)),
        ("apple.example", Some("error"), None),
        ("banana.Example", Some("ok"), Some(-1.0)),
        ("übergrün.example", None, Some(0.5)),
    ])
}

fn by(sort_by: SortBy, descending: bool) -> RowOrder {
    RowOrder { sort_by, descending, ..RowOrder::default() }
}

#[test]
fn default_query_lists_all_rows_by_offset() {
    let all = ["Cherry.example", "apple.example", "banana.Example", "übergrün.example"];
    assert_eq!(some().names(RowOrder::default()), all);
    let mut backwards = all;
    backwards.reverse();
    assert_eq!(some().names(by(SortBy::Offset, true)), backwards);
}

#[test]
fn search_matches_part_of_the_name_in_any_case() {
    let mut rows = some();
    let mut search =
        |text: &str| rows.names(RowOrder { search: text.to_owned(), ..RowOrder::default() }).len();
    assert_eq!(search("EXAMPLE"), 4);
    assert_eq!(search("  cherry "), 1);
    assert_eq!(search("übergrün"), 1);
    assert_eq!(search("üBERGRüN.Ex"), 1, "letters beyond ASCII in lower case");
    assert_eq!(search("nan"), 1);
    assert_eq!(search("nobody"), 0);
    assert_eq!(search("a name that is longer than every name there is"), 0);
}

/// Folds a text as the package's JavaScript does.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase().replace('ς', "σ")
}

impl Rows {
    /// Folds the missing names, as a driver does before a search, and returns how many there were.
    fn fold(&mut self) -> usize {
        let missing = self.folded.missing([&self.table, &self.aside]);
        let pairs: Vec<String> =
            missing.iter().flat_map(|name| [(*name).to_owned(), folded(name)]).collect();
        self.folded.add(&pairs.join("\0"));
        pairs.len() / 2
    }

    fn found(&mut self, text: &str) -> Vec<String> {
        self.names(RowOrder { search: folded(text), ..RowOrder::default() })
    }
}

#[test]
fn search_finds_every_name_by_itself_in_any_case() {
    let names =
        ["MÜLLER.example", "İSTANBUL", "ΣΊΣΥΦΟΣ", "ПРИМЕР.рф", "Straße.example", "plain.example"];
    let rows: Vec<_> = names.iter().map(|name| (*name, None, None)).collect();
    let mut rows = Rows::new(&rows);
    assert_eq!(rows.fold(), 5, "names in ASCII need no help");
    for name in names {
        for text in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            assert_eq!(rows.found(&text), [name], "{text}");
        }
    }
    assert_eq!(rows.found("σίσυφος"), ["ΣΊΣΥΦΟΣ"]);
    assert_eq!(rows.found("müll"), ["MÜLLER.example"]);
    assert_eq!(rows.found("Example").len(), 3);
}

#[test]
fn each_name_is_folded_once_and_kept() {
    let mut rows = Rows::new(&[("ÄÖ.example", None, None), ("plain.example", None, None)]);
    assert_eq!((rows.fold(), rows.fold()), (1, 0));
    rows.set_dns("id-0", "ok");
    assert_eq!(rows.fold(), 0, "another column changes no name");
    let patch = RowPatch {
        domain_id: "id-2".into(),
        domain: Patch::Value("ÅSA.example".into()),
        ..RowPatch::default()
    };
    rows.table.upsert(&patch).expect("the row is in order");
    assert_eq!((rows.fold(), rows.found("åsa").len()), (1, 1));
    for (gone, forms) in [("id-0", 2), ("id-1", 0)] {
        rows.table.remove(gone);
        let names = rows.fold();
        assert_eq!(names, usize::from(forms == 0), "most of the forms are of no row");
    }
    assert_eq!(rows.folded.bytes()[0], 2 * "ÅSA.example".len());
    assert_eq!((rows.found("ÄÖ").len(), rows.found("åsa").len()), (0, 1));
}

#[test]
fn folded_names_cost_at_most_64_bytes_each_beside_their_texts() {
    let names: Vec<String> = (0..100_000).map(|number| format!("ü{number}.example")).collect();
    let mut rows = Rows::new(&names.iter().map(|name| (&**name, None, None)).collect::<Vec<_>>());
    assert_eq!(rows.fold(), names.len());
    let [text, overhead] = rows.folded.bytes();
    assert_eq!(text, 2 * names.iter().map(String::len).sum::<usize>());
    assert!(overhead <= 64 * names.len(), "{} bytes each", overhead / names.len());
}

#[test]
fn filters_are_exact_and_combine() {
    let mut rows = some();
    let filter = |dns: &str, search: &str| RowOrder {
        dns_status: Some(dns.to_owned()),
        search: search.to_owned(),
        ..RowOrder::default()
    };
    assert_eq!(rows.names(filter("ok", "")), ["Cherry.example", "banana.Example"]);
    assert_eq!(rows.names(filter("ok", "ban")), ["banana.Example"]);
    assert!(rows.names(filter("o", "")).is_empty());
    assert!(rows.names(filter("never heard", "")).is_empty());
}

#[test]
fn ties_keep_the_order_of_offsets() {
    let mut rows = some();
    let scored = rows.names(by(SortBy::LeadScore, true));
    assert_eq!(scored[..2], ["Cherry.example", "übergrün.example"]);
    assert_eq!(scored[3], "apple.example", "no score is the least");
    let named = rows.names(by(SortBy::Domain, false));
    assert_eq!(named, ["Cherry.example", "apple.example", "banana.Example", "übergrün.example"]);
    let by_dns = rows.names(by(SortBy::DnsStatus, false));
    assert_eq!(by_dns[0], "übergrün.example", "no outcome is the least");
    assert_eq!(by_dns[1], "apple.example");
}

#[test]
fn a_page_is_a_part_of_the_total_and_bounded() {
    let names: Vec<String> = (0..1_500).map(|number| format!("n{number}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), None, None)).collect();
    let mut rows = Rows::new(&rows);
    let mut shown = |offset, limit| {
        let query = DomainQuery { offset, limit, order: RowOrder::default() };
        let (total, names) = rows.shown(&query);
        (total, names.len(), names.first().cloned())
    };
    assert_eq!(shown(0, 10), (1_500, 10, Some("n0".to_owned())));
    assert_eq!(shown(1_490, 100), (1_500, 10, Some("n1490".to_owned())));
    assert_eq!(shown(0, usize::MAX), (1_500, PAGE_ROWS_MAX, Some("n0".to_owned())));
    assert_eq!(shown(5_000, 10), (1_500, 0, None));
    assert_eq!(shown(usize::MAX, usize::MAX), (1_500, 0, None));
}

#[test]
fn cached_order_follows_every_column_it_depends_on() {
    let mut rows = some();
    let failed = RowOrder { dns_status: Some("error".to_owned()), ..RowOrder::default() };
    assert_eq!(rows.names(failed.clone()), ["apple.example"]);
    rows.set_dns("id-0", "error");
    assert_eq!(rows.names(failed.clone()), ["Cherry.example", "apple.example"]);
    rows.table.remove("id-1");
    assert_eq!(rows.names(failed.clone()), ["Cherry.example"]);
    let renamed = RowPatch {
        domain_id: "id-0".into(),
        domain: Patch::Value("zebra.example".into()),
        offset: Patch::Value(9),
        ..RowPatch::default()
    };
    rows.table.upsert(&renamed).expect("in order");
    assert_eq!(rows.names(failed), ["zebra.example"]);
    assert_eq!(rows.names(RowOrder::default()).last().map(String::as_str), Some("zebra.example"));
}

#[test]
fn unconfirmed_rows_come_last_and_are_flagged() {
    let mut rows = some();
    let aside = RowPatch {
        domain_id: "id-x".into(),
        domain: Patch::Value("aside.example".into()),
        offset: Patch::Value(-5),
        ..RowPatch::default()
    };
    rows.aside.upsert(&aside).expect("in order");
    let query = DomainQuery { offset: 3, limit: 2, order: RowOrder::default() };
    let page = page([&rows.table, &rows.aside], &mut rows.cache, &rows.folded, &query);
    let shown: Vec<_> = page.rows.iter().map(|row| (row.domain, row.unconfirmed)).collect();
    assert_eq!(
        (page.total, &*shown),
        (5, &[("übergrün.example", false), ("aside.example", true)][..])
    );
}
