//! `cargo xtask fuzz`: runs libFuzzer on every target of `tests/fuzz`, for a number of seconds each.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use pico_args::Arguments;

use crate::repo::{Repo, run};

/// The targets. `tests/fuzz/src/lib.rs` states the promise of each.
const TARGETS: [&str; 4] = ["frame", "staging", "machine", "session"];
/// Adds the counters from which the search learns.
const INSTRUMENT: &str = "xtask/scripts/instrument.sh";
/// An input that takes more seconds than this is a hang.
const INPUT_SECONDS: u32 = 20;
/// The longest input. Nothing of interest is longer, and long inputs are slow.
const INPUT_BYTES: u32 = 16_384;
const MEMORY_MB: u32 = 2_048;

/// The targets to fuzz, and the seconds for each.
pub(crate) struct Options {
    targets: Vec<&'static str>,
    seconds: u32,
}

impl Options {
    pub(crate) fn parse(mut arguments: Arguments) -> Result<Self> {
        let seconds: Option<u32> =
            arguments.opt_value_from_str("--seconds").context("--seconds is a number")?;
        let named = arguments.finish();
        let target = |name: &std::ffi::OsString| {
            TARGETS.into_iter().find(|target| name == target).with_context(|| {
                format!("there is no target {name:?}; there are {}", TARGETS.join(", "))
            })
        };
        let targets: Vec<_> = named.iter().map(target).collect::<Result<_>>()?;
        let seconds = seconds.unwrap_or(60);
        if !(1..=86_400).contains(&seconds) {
            bail!("--seconds {seconds}: a number of 1 to 86400 is needed");
        }
        let targets = if targets.is_empty() { TARGETS.to_vec() } else { targets };
        Ok(Self { targets, seconds })
    }

    /// Every target, for this many seconds each.
    pub(crate) fn everything(seconds: u32) -> Self {
        Self { targets: TARGETS.to_vec(), seconds }
    }
}

/// The result for one target.
struct Run {
    target: &'static str,
    seconds: u64,
    inputs: u64,
    /// Edges of this repository's code that were reached.
    edges: u64,
    corpus: usize,
    findings: Vec<PathBuf>,
}

/// The command that starts this program again to fuzz everything. Its output goes into the log of a suite.
pub(crate) fn command(repo: &Repo, seconds: u32) -> Result<Command> {
    let this = std::env::current_exe().context("cannot tell where this program is")?;
    let mut command = repo.command(&this.to_string_lossy());
    command.args(["fuzz", "--seconds", &seconds.to_string()]);
    Ok(command)
}

/// Fuzzes. A finding is an error.
pub(crate) fn run_command(repo: &Repo, options: &Options) -> Result<()> {
    let corpora = repo.target("fuzz/corpus");
    run(repo
        .command("cargo")
        .args(["run", "--package", "campaign-sync-fuzz", "--bin", "fuzz-seeds", "--"])
        .arg(&corpora))?;
    let mut build = repo.command("cargo");
    // A separate directory: a library that is also a `cdylib` has the same file name, however it was
    // compiled.
    build.env("CARGO_TARGET_DIR", repo.target("fuzz/build"));
    build.env("RUSTC_WORKSPACE_WRAPPER", repo.path(INSTRUMENT));
    build.args(["build", "--package", "campaign-sync-fuzz", "--features", "libfuzzer"]);
    for target in TARGETS {
        build.args(["--bin", &format!("fuzz-{target}")]);
    }
    run(&mut build)?;
    let runs = options.targets.iter().map(|target| fuzz(repo, target, options.seconds));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    fs::write(repo.report("fuzz.json")?, report(&runs)).context("cannot write fuzz.json")?;
    let failed = runs.iter().filter(|run| !run.findings.is_empty()).count();
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {result}. {} passed; {failed} failed", runs.len() - failed);
    if failed > 0 {
        bail!("{failed} targets break a promise: keep the inputs in tests/fuzz/found/TARGET/");
    }
    Ok(())
}

fn fuzz(repo: &Repo, target: &'static str, seconds: u32) -> Result<Run> {
    let corpus = repo.target("fuzz/corpus").join(target);
    let found = repo.target("fuzz/found").join(target);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let before = files(&found)?;
    let log = repo.report(&format!("fuzz-{target}.log"))?;
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let began = Instant::now();
    let mut command: Command =
        repo.command(&repo.target(&format!("fuzz/build/debug/fuzz-{target}")).to_string_lossy());
    command.arg(&corpus).args(["-use_value_profile=1", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={INPUT_SECONDS}"));
    command.arg(format!("-max_len={INPUT_BYTES}")).arg(format!("-rss_limit_mb={MEMORY_MB}"));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).status();
    let status = status.with_context(|| format!("cannot start fuzz-{target}"))?;
    let text = fs::read(&log).context("cannot read the log back")?;
    let text = String::from_utf8_lossy(&text);
    let mut findings = files(&found)?;
    findings.retain(|file| !before.contains(file));
    if !status.success() && findings.is_empty() {
        bail!("fuzz-{target} ended with {status} and without a finding: see {}", log.display());
    }
    let run = Run {
        target,
        seconds: began.elapsed().as_secs(),
        inputs: number_after(&text, "stat::number_of_executed_units:").unwrap_or(0),
        edges: number_after(&text, " cov: ").unwrap_or(0),
        corpus: files(&corpus)?.len(),
        findings,
    };
    let Run { seconds, inputs, edges, corpus, findings, .. } = &run;
    let result = if findings.is_empty() { "ok" } else { "FAILED" };
    println!(
        "test {target} ... {result}: {inputs} inputs, {edges} edges, {corpus} kept, {seconds} s"
    );
    for finding in findings {
        println!("{}", finding.display());
    }
    Ok(run)
}

/// The number after the last `mark`.
fn number_after(text: &str, mark: &str) -> Option<u64> {
    let rest = text.rsplit_once(mark)?.1.trim_start();
    let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder);
    let entries = entries.with_context(|| format!("cannot list {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// The report, with one member per target.
fn report(runs: &[Run]) -> String {
    let member = |run: &Run| {
        let Run { target, seconds, inputs, edges, corpus, findings } = run;
        format!(
            "  \"{target}\": {{\"seconds\": {seconds}, \"inputs\": {inputs}, \"edges\": {edges}, \
             \"corpus\": {corpus}, \"findings\": {}}}",
            findings.len()
        )
    };
    let members: Vec<String> = runs.iter().map(member).collect();
    format!("{{\n{}\n}}\n", members.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_after_the_last_mark_counts() {
        let text = "#8 NEW cov: 12 ft: 3\n#9 NEW cov: 345 ft: 9\nstat::x:   77\n";
        assert_eq!(number_after(text, " cov: "), Some(345));
        assert_eq!(number_after(text, "stat::x:"), Some(77));
        assert_eq!(number_after(text, "stat::y:"), None);
    }

    #[test]
    fn unknown_target_is_refused_by_name() {
        let options = Options::parse(Arguments::from_vec(vec!["nothing".into()]));
        let text = options.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains("\"nothing\"") && text.contains("machine"), "{text}");
    }
}
