//! Reads the output of the test runners into numbers of passed and failed tests.

use std::fmt;
use std::ops::AddAssign;

/// The numbers of passed and failed tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// The result of a suite that could not report its tests.
    pub(crate) fn crashed() -> Self {
        Self { passed: 0, failed: 1 }
    }

    /// The result of one test that passed or failed as a whole.
    pub(crate) fn of_one(success: bool) -> Self {
        Self { passed: success.into(), failed: (!success).into() }
    }

    /// Reads the output of a runner and its exit. A runner that fails, or that runs no test, counts at
    /// least one failure.
    pub(crate) fn of_runner(output: &str, success: bool) -> Self {
        let mut tally = Self::default();
        for line in output.lines() {
            tally += libtest(line).or_else(|| node(line)).unwrap_or_default();
        }
        let contradicts = !success && tally.failed == 0;
        let ran_nothing = tally == Self::default();
        if contradicts || ran_nothing {
            tally.failed += 1;
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The last lines of an output.
pub(crate) fn tail(output: &str, lines: usize) -> &str {
    let start = output.trim_end().rmatch_indices('\n').nth(lines.saturating_sub(1));
    &output[start.map_or(0, |(at, _)| at + 1)..]
}

/// The names of the failed tests as the runners print them, each once.
pub(crate) fn failing_names(output: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in output.lines() {
        if let Some(name) = failing_name(line)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Reads `test result: ok. 3 passed; 0 failed; …` of the runners of cargo and wasm-bindgen.
fn libtest(line: &str) -> Option<Tally> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |name: &str| {
        counts.split(';').find_map(|part| part.trim().strip_suffix(name)?.trim().parse().ok())
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")? })
}

/// Reads `# pass 3` or `ℹ pass 3` of `node --test`. A cancelled test did not pass.
fn node(line: &str) -> Option<Tally> {
    let (name, count) = node_mark(line)?.split_once(' ')?;
    let count = count.parse().ok()?;
    match name {
        "pass" => Some(Tally { passed: count, failed: 0 }),
        "fail" | "cancelled" => Some(Tally { passed: 0, failed: count }),
        _ => None,
    }
}

fn node_mark(line: &str) -> Option<&str> {
    line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))
}

fn failing_name(line: &str) -> Option<&str> {
    let line = line.trim();
    if let Some(test) = line.strip_prefix("test ") {
        let (name, outcome) = test.rsplit_once(" ... ")?;
        return outcome.starts_with("FAIL").then_some(name);
    }
    if let Some(rest) = line.strip_prefix("not ok ") {
        return rest.split_once(" - ").map(|(_, name)| name);
    }
    let name = line.strip_prefix("✖ ").or_else(|| line.strip_prefix("✗ "))?;
    // The list at the end of node's report repeats the names under this heading.
    (name != "failing tests:").then(|| name.rsplit_once(" (").map_or(name, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn results_of_all_crates_are_added_up() {
        let output = "\
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
test b::c ... FAILED
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
";
        assert_eq!(Tally::of_runner(output, false), tally(3, 1));
        assert_eq!(failing_names(output), ["b::c"]);
    }

    #[test]
    fn both_reporters_of_node_are_parsed() {
        let tap = "not ok 2 - it holds\n# tests 3\n# suites 0\n# pass 1\n# fail 1\n# cancelled 1\n";
        assert_eq!(Tally::of_runner(tap, false), tally(1, 2));
        assert_eq!(failing_names(tap), ["it holds"]);
        let spec =
            "✔ one (1ms)\n✖ two (2.5ms)\nℹ pass 1\nℹ fail 1\n✖ failing tests:\n✖ two (2ms)\n";
        assert_eq!(Tally::of_runner(spec, false), tally(1, 1));
        assert_eq!(failing_names(spec), ["two"]);
    }

    #[test]
    fn crashed_runner_counts_as_one_failure() {
        assert_eq!(Tally::of_runner("error: could not compile\n", false), tally(0, 1));
        let then_crashed = "test result: ok. 2 passed; 0 failed; 0 ignored\nsegmentation fault\n";
        assert_eq!(Tally::of_runner(then_crashed, false), tally(2, 1));
    }

    #[test]
    fn runner_without_tests_counts_as_one_failure() {
        assert_eq!(Tally::of_runner("no tests to run!\n", true), tally(0, 1));
        assert_eq!(Tally::of_runner("# pass 0\n# fail 0\n", true), tally(0, 1));
    }

    #[test]
    fn output_of_a_test_is_not_parsed_as_a_result() {
        let output = "passed 4\n# passing by\n  ℹ note\ntest result: ok. 1 passed; 0 failed; 0\n";
        assert_eq!(Tally::of_runner(output, true), tally(1, 0));
    }

    #[test]
    fn tail_returns_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb", 5), "a\nb");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn summary_states_passed_and_failed() {
        assert_eq!(tally(12, 0).to_string(), "12 passed, 0 failed");
    }
}
