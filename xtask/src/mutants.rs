//! `cargo xtask mutants`: changes the files that decide, one spot at a time. The scenarios must notice
//! each change.
//!
//! `.cargo/mutants.toml` selects the files and the tests. `docs/MUTANTS.md` lists the mutants that no
//! scenario notices, each with the reason.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::repo::Repo;
use crate::setup;

/// The list of mutants that no scenario notices.
const LISTED: &str = "docs/MUTANTS.md";
/// The results of the last full run.
const LAST: &str = "docs/soak/mutants.json";
/// The percentage of the compiled mutants that must be noticed.
const NOTICED_MIN: f64 = 90.0;

/// The mutants to test.
pub(crate) struct Options {
    shard: Option<String>,
    jobs: u32,
    /// Only the mutants that were not noticed in the last full run, and those with the same name in the
    /// same file.
    again: bool,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let shard: Option<String> = arguments.opt_value_from_str("--shard")?;
        let jobs = arguments.opt_value_from_str("--jobs").context("--jobs is a number")?;
        let again = arguments.contains("--again");
        crate::done(arguments)?;
        if shard.as_deref().is_some_and(|shard| !is_shard(shard)) {
            bail!("--shard is K/N, K being 0 to N - 1");
        }
        Ok(Self { shard, jobs: jobs.unwrap_or(1), again })
    }

    /// All mutants.
    pub(crate) const fn everything() -> Self {
        Self { shard: None, jobs: 2, again: false }
    }

    /// The mutants that were not noticed in the last full run.
    pub(crate) const fn again() -> Self {
        Self { shard: None, jobs: 2, again: true }
    }
}

fn is_shard(text: &str) -> bool {
    let parts = text.split_once('/').map(|(k, n)| (k.parse::<u32>(), n.parse::<u32>()));
    matches!(parts, Some((Ok(k), Ok(n))) if k < n)
}

/// Tests the mutants. Fails if too few are noticed.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    let percent = measure(repo, options)?;
    if percent < NOTICED_MIN && !options.again {
        bail!("fewer than {NOTICED_MIN} of a hundred were noticed");
    }
    Ok(())
}

/// Tests the mutants, and writes `target/report/mutants.json`, or `survivors.json` for those that were
/// not noticed in the last run. Returns the percentage that was noticed.
pub(crate) fn measure(repo: &Repo, options: &Options) -> Result<f64> {
    setup::for_mutants(repo)?;
    let name = if options.again { "survivors" } else { "mutants" };
    let folder = repo.target(name);
    test(repo, options, &folder)?;
    let of = |outcome: &str| {
        let path = folder.join("mutants.out").join(format!("{outcome}.txt"));
        let text = fs::read_to_string(&path);
        text.with_context(|| format!("cannot read {}", path.display()))
    };
    let [caught, timeout, missed, unviable] =
        [of("caught")?, of("timeout")?, of("missed")?, of("unviable")?];
    let count = |names: &str| names.lines().count();
    let noticed = count(&caught) + count(&timeout);
    let viable = noticed + count(&missed);
    let percent = 100.0 * noticed as f64 / viable.max(1) as f64;
    let names: Vec<String> = missed.lines().map(|name| format!("    {name:?}")).collect();
    let report = format!(
        "{{\n  \"shard\": {:?},\n  \"caught\": {},\n  \"timeout\": {},\n  \"missed\": {},\n  \
         \"unviable\": {},\n  \"noticed_percent\": {percent:.1},\n  \"not_noticed\": [\n{}\n  ]\n}}\n",
        options.shard.as_deref().unwrap_or("0/1"),
        count(&caught),
        count(&timeout),
        count(&missed),
        count(&unviable),
        names.join(",\n")
    );
    let path = repo.report(&format!("{name}.json"))?;
    fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{noticed} of {viable} mutants noticed ({percent:.1} %)");
    // The table escapes a bar, because a bar would end a cell.
    let listed = fs::read_to_string(repo.path(LISTED)).context("cannot read the list")?;
    let listed = listed.replace("\\|", "|");
    let unlisted = missed.lines().map(without_place).filter(|name| !listed.contains(name));
    unlisted.for_each(|name| println!("not noticed, and not in {LISTED}: {name}"));
    Ok(percent)
}

fn test(repo: &Repo, options: &Options, folder: &Path) -> Result<()> {
    let mut command = repo.command("cargo-mutants");
    command.args(["mutants", "--package", "campaign-sync", "--no-times", "--output"]).arg(folder);
    command.args(["--jobs", &options.jobs.to_string()]);
    command.args(options.shard.iter().flat_map(|shard| ["--shard", shard]));
    if options.again {
        let last = fs::read_to_string(repo.path(LAST)).with_context(|| format!("no {LAST}"))?;
        let names = last.lines().filter_map(|line| line.trim().strip_prefix('"'));
        let names = names.filter_map(|line| pattern(line.trim_end_matches(['"', ','])));
        let patterns: Vec<String> = names.flat_map(|name| ["--re".to_owned(), name]).collect();
        if patterns.is_empty() {
            bail!("{LAST} says that all were noticed");
        }
        command.args(patterns);
    }
    // The codes 2 and 3 say that some mutants were not noticed or took too long. The caller decides how
    // many may be.
    let status = command.status().context("cannot start cargo-mutants")?;
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        bail!("cargo-mutants: {status}");
    }
    Ok(())
}

/// A regular expression for a mutant, by its file and its change, on any line.
fn pattern(name: &str) -> Option<String> {
    let (file, _) = name.split_once(':').filter(|(file, _)| file.ends_with(".rs"))?;
    let escape = |text: &str| {
        text.chars().fold(String::new(), |mut escaped, char| {
            if "\\.+*?()|[]{}^$".contains(char) {
                escaped.push('\\');
            }
            escaped.push(char);
            escaped
        })
    };
    Some(format!("^{}:[0-9:]+ {}$", escape(file), escape(without_place(name))))
}

/// A mutant's name without line and column, which change.
fn without_place(name: &str) -> &str {
    name.split_once(": ").map_or(name, |(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::{is_shard, pattern, without_place};

    #[test]
    fn shard_is_below_the_number_of_shards() {
        for shard in ["0/1", "3/4"] {
            assert!(is_shard(shard), "{shard}");
        }
        for text in ["", "1", "4/4", "0/0", "-1/4", "1/4/2", "a/b"] {
            assert!(!is_shard(text), "{text}");
        }
    }

    #[test]
    fn mutant_is_listed_without_its_line() {
        let name = "src/sync/gap.rs:68:66: replace > with >= in GapBuffer::hold";
        assert_eq!(without_place(name), "replace > with >= in GapBuffer::hold");
    }

    #[test]
    fn pattern_matches_a_mutant_on_any_line() {
        let name = "src/sync/gap.rs:82:35: replace || with && in GapBuffer::take_next";
        let expected = r"^src/sync/gap\.rs:[0-9:]+ replace \|\| with && in GapBuffer::take_next$";
        assert_eq!(pattern(name).as_deref(), Some(expected));
        assert_eq!(pattern("shard: 0/1"), None);
    }
}
