//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use super::catalogue::has_list;
use super::faults::Fault;
use super::kinds::Kind;
use super::reduction::Reduction;
use super::reference::Defect;

/// The usage text.
pub(crate) const USAGE: &str = "\
usage: simulation [--seeds N] [--seed S] [--minutes M] [--only model|sealed|users|core|list]
                  [--journals FILE] [--fail-fast] [--onto REPORT]
       simulation --seed S [--without FAULT,FAULT…] [--clients N] [--campaigns N] [--chaos-ms T]
       simulation --exhaustive [--faults N] [--timers N] [--report FILE]";

/// The number of seeds by default.
const SEEDS: u64 = 200;

/// The seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    /// One seed, or a reduced form of it, with its journal.
    One(u64, Reduction),
    /// The regressions, and consecutive seeds.
    Many(Span),
}

/// Consecutive seeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The first seed.
    pub(crate) first: u64,
    /// The most seeds that run.
    pub(crate) count: u64,
    /// No seed starts after this time.
    pub(crate) time: Duration,
    /// Run only the seeds of these worlds.
    pub(crate) only: Option<Selection>,
    /// The file that receives one line for each seed: the seed, and the hash and the number of lines of
    /// its journal. Two builds that behave alike write the same file.
    pub(crate) journals: Option<PathBuf>,
    /// A report to which the run adds its counts.
    pub(crate) onto: Option<PathBuf>,
    /// Whether the run ends at the first seed that fails. Then the regressions do not run, and no
    /// shorter run is searched for.
    pub(crate) fail_fast: bool,
}

/// Some of the worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// Those of this kind.
    Kind(Kind),
    /// Those whose pages show the list of campaigns, of every kind.
    List,
}

impl Selection {
    fn named(name: &str) -> Option<Self> {
        if name == "list" { Some(Self::List) } else { Kind::named(name).map(Self::Kind) }
    }

    /// Whether the world of that seed is one of them.
    pub(crate) fn includes(self, seed: u64) -> bool {
        match self {
            Self::Kind(kind) => kind == Kind::of(seed),
            Self::List => has_list(seed),
        }
    }
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A description of the invalid argument, for people.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut seed, mut seeds, mut minutes, mut only) = (None, None, None, None);
        let (mut reduction, mut journals, mut fail_fast) = (Reduction::default(), None, false);
        let mut onto = None;
        while let Some(name) = arguments.next() {
            let (chosen, most) = match name.as_str() {
                "--seed" => (&mut seed, u64::MAX),
                "--seeds" => (&mut seeds, 1_000_000_000),
                "--minutes" => (&mut minutes, 10_000),
                "--clients" => (&mut reduction.clients, 8),
                "--campaigns" => (&mut reduction.campaigns, 6),
                "--chaos-ms" => (&mut reduction.chaos_ms, 80_000),
                // For people who want to see a failure of the reference server. The option has no other
                // use.
                "--defect" => {
                    let name = arguments.next().ok_or("`--defect` needs a name")?;
                    reduction.defect = Defect::named(&name);
                    reduction.defect.ok_or_else(|| format!("there is no defect `{name}`"))?;
                    continue;
                }
                "--without" => {
                    let names = arguments.next().ok_or("`--without` needs kinds of faults")?;
                    reduction.without.extend(faults(&names)?);
                    continue;
                }
                "--journals" => {
                    journals = Some(arguments.next().ok_or("`--journals` needs a file")?.into());
                    continue;
                }
                "--onto" => {
                    onto = Some(arguments.next().ok_or("`--onto` needs a report")?.into());
                    continue;
                }
                "--fail-fast" => {
                    fail_fast = true;
                    continue;
                }
                "--only" => {
                    let named = arguments.next().as_deref().and_then(Selection::named);
                    only = Some(named.ok_or("`--only` needs the kind of a world, or `list`")?);
                    continue;
                }
                _ => return Err(format!("there is no option `{name}`")),
            };
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a number"))?;
            let number = value.parse().ok().filter(|number| (1..=most).contains(number));
            let wrong = || format!("`{name} {value}`: a number of 1 to {most} is needed");
            if chosen.replace(number.ok_or_else(wrong)?).is_some() {
                return Err(format!("`{name}` can be given once"));
            }
        }
        let time = minutes.map_or(Duration::MAX, |minutes| Duration::from_secs(60 * minutes));
        let (first, count) = match (seed, seeds, minutes) {
            (Some(seed), None, None) if journals.is_none() && !fail_fast => {
                return Ok(Self::One(seed, reduction));
            }
            (Some(seed), None, None) => (seed, 1),
            _ if !reduction.is_none() => {
                return Err(format!("`{}` goes with one seed", reduction.options().trim()));
            }
            (_, Some(count), _) => (seed.unwrap_or(1), count),
            (_, None, Some(_)) => (seed.unwrap_or(1), u64::MAX),
            (None, None, None) => (1, SEEDS),
        };
        Ok(Self::Many(Span { first, count, time, only, journals, onto, fail_fast }))
    }
}

fn faults(names: &str) -> Result<Vec<Fault>, String> {
    let known = || Fault::all().map(Fault::name).collect::<Vec<_>>().join(", ");
    let fault = |name: &str| {
        Fault::named(name)
            .ok_or_else(|| format!("no kind of fault is `{name}`; there are {}", known()))
    };
    names.split(',').map(fault).collect()
}
