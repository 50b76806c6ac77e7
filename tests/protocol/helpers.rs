//! Helpers that replace code of the standard library, because that code is too large to download.

use campaign_sync::protocol::merge_sort::sort;
use campaign_sync::protocol::time::parse_rfc3339_ms;
use campaign_sync::protocol::write::{push_decimal, push_hex};
use campaign_sync::sync::rng::Rng;

#[test]
fn a_sort_is_complete_and_keeps_equal_rows_in_order() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for length in (0..70).chain([127, 128, 129, 1_000, 4_097]) {
        let keys: Vec<u64> = (0..length).map(|_| random() % 20).collect();
        let key = |row: u32| keys[row as usize];
        let mut rows: Vec<u32> = (0..length as u32).collect();
        let mut expected = rows.clone();
        sort(&mut rows, &mut |one, other| key(one).cmp(&key(other)));
        expected.sort_by_key(|&row| key(row));
        assert_eq!(rows, expected, "{length} rows");
    }
}

#[test]
fn a_timestamp_is_read_in_utc() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.5Z", 500),
        ("1970-01-01 00:00:01.123456789z", 1_123),
        ("2000-02-29T12:00:00Z", 951_825_600_000),
        ("2024-12-31t23:59:60Z", 1_735_689_600_000),
    ] {
        assert_eq!(parse_rfc3339_ms(text), Some(expected), "{text}");
    }
}

#[test]
fn invalid_timestamp_is_refused() {
    for text in [
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-13-01T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970/01-01T00:00:00Z",
        "1970-01-01X00:00:00Z",
        "1970-01-01T00:00:00+1:30",
        "1970-01-01T00:00:00+ab:cd",
        "197é-01-01T00:00:00Z",
    ] {
        assert_eq!(parse_rfc3339_ms(text), None, "{text}");
    }
}

#[test]
fn numbers_are_written_as_by_the_standard_library() {
    for number in [0, 7, 10, 4_096, 99_999, 1 << 53, u64::MAX] {
        let (mut decimal, mut hex) = (String::new(), String::new());
        push_decimal(&mut decimal, number);
        push_hex(&mut hex, number, 16);
        assert_eq!((decimal, hex), (number.to_string(), format!("{number:016x}")));
    }
}

#[test]
fn generator_matches_the_published_sequence() {
    let mut rng = Rng::new(1_234_567);
    let drawn = [(); 5].map(|()| rng.next());
    assert_eq!(
        drawn,
        [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
    );
}
