//! Simulated domains and results. All of them follow from the campaign's seed and the row's offset, so a run
//! that was killed continues with the same results.

use campaign_sync::protocol::digest::id_hash;

/// Words for domain names. Some have characters that careless readers break: umlauts, `&`, `<`.
const NAME_PARTS: &[&str] = &[
    "harbor",
    "müller",
    "cedar",
    "violet",
    "granite",
    "café",
    "rock&roll",
    "lantern",
    "x<y",
    "maple",
    "straße",
    "orbit",
    "meadow",
    "quartz",
    "señal",
    "copper",
];

/// The simulated results of one row.
#[derive(Clone, Copy, Debug)]
pub struct DomainOutcome {
    seed: u64,
    offset: u64,
}

impl DomainOutcome {
    /// The results of the row at this offset.
    pub const fn of(seed: u64, offset: u64) -> Self {
        Self { seed, offset }
    }

    /// A pseudo-random number from 0 to `below` − 1, independent for every `purpose`.
    fn draw(self, purpose: &str, below: u64) -> u64 {
        id_hash(&format!("{purpose} {} {}", self.seed, self.offset)) % below.max(1)
    }

    /// The row's id, in the form of a UUID.
    pub fn domain_id(self) -> String {
        let (a, b) = (self.draw("id-high", u64::MAX), self.draw("id-low", u64::MAX));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b >> 48) & 0x3fff,
            b & 0xffff_ffff_ffff,
        )
    }

    /// The domain name: `{word}`, `{letters}` and `{n}` of the pattern are replaced.
    pub fn domain(self, pattern: &str) -> String {
        let letters: String = (0..4)
            .map(|place| char::from(b'a' + self.draw(&format!("letter {place}"), 26) as u8))
            .collect();
        let word = NAME_PARTS[self.draw("word", NAME_PARTS.len() as u64) as usize];
        pattern
            .replace("{word}", word)
            .replace("{letters}", &letters)
            .replace("{n}", &self.offset.to_string())
    }

    /// The result of DNS validation.
    pub fn dns_status(self) -> &'static str {
        match self.draw("dns", 100) {
            0..70 => "resolved",
            70..90 => "unresolved",
            90..97 => "timeout",
            _ => "error",
        }
    }

    /// The result of HTTP validation, with the status code if there is a response.
    pub fn http_status(self) -> (&'static str, Option<i32>) {
        match self.draw("http", 100) {
            0..75 => ("success", Some(200)),
            75..85 => ("failed", Some(404)),
            85..90 => ("failed", Some(503)),
            90..97 => ("timeout", None),
            _ => ("error", None),
        }
    }

    /// The result of the analysis, with its score.
    pub fn lead(self) -> (&'static str, f64) {
        let score = self.draw("lead", 1_000) as f64 / 10.0;
        (if score >= 60.0 { "match" } else { "no_match" }, score)
    }

    /// The duration of a lookup, in milliseconds.
    pub fn processing_ms(self) -> u64 {
        5 + self.draw("time", 200)
    }
}
