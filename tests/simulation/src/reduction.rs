//! The parts of a seed's plan that a reduced run leaves out. A failure is reported with the shortest run
//! that still shows it.

use super::faults::{Fault, Plan};
use super::reference::Defect;

/// The parts of a plan that are left out. The default leaves out nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reduction {
    /// Kinds of faults that do not happen.
    pub(crate) without: Vec<Fault>,
    /// The most clients.
    pub(crate) clients: Option<u64>,
    /// The most campaigns.
    pub(crate) campaigns: Option<u64>,
    /// The longest duration of the phase with faults.
    pub(crate) chaos_ms: Option<u64>,
    /// A deliberate defect of the reference server's log, which only shows that the simulator detects
    /// it.
    pub(crate) defect: Option<Defect>,
}

/// The most simulations of one search.
const TRIALS_MAX: u32 = 150;

impl Reduction {
    /// Removes these parts from the plan.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        for fault in &self.without {
            plan.levels.switch_off(*fault);
        }
        for (slot, most) in [
            (&mut plan.clients, self.clients),
            (&mut plan.campaigns, self.campaigns),
            (&mut plan.chaos_ms, self.chaos_ms),
        ] {
            *slot = most.map_or(*slot, |most| most.min(*slot));
        }
    }

    /// Whether nothing is left out.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The command-line options with the same effect.
    pub(crate) fn options(&self) -> String {
        let mut text = String::new();
        if let Some(defect) = self.defect {
            text.push_str(&format!(" --defect {defect:?}"));
        }
        if !self.without.is_empty() {
            let names: Vec<&str> = self.without.iter().map(|fault| fault.name()).collect();
            text.push_str(&format!(" --without {}", names.join(",")));
        }
        for (name, value) in
            [("clients", self.clients), ("campaigns", self.campaigns), ("chaos-ms", self.chaos_ms)]
        {
            if let Some(value) = value {
                text.push_str(&format!(" --{name} {value}"));
            }
        }
        text
    }

    /// Searches for the most that a failing seed can do without. The search leaves out one part after
    /// the other, as long as the same guarantee breaks and the journal does not get longer. It is short
    /// and may miss a better result. `lines` returns the length of the journal if the reduced run still
    /// fails.
    pub(crate) fn of_failure(lines: impl Fn(&Self) -> Option<u64>) -> Self {
        let mut best = Self::default();
        let Some(mut shortest) = lines(&best) else { return best };
        let mut trials = 0;
        loop {
            let before = best.clone();
            for candidate in before.smaller() {
                let candidate = candidate.with(&best);
                trials += 1;
                if trials > TRIALS_MAX {
                    return best;
                }
                if let Some(lines) = lines(&candidate).filter(|lines| *lines <= shortest) {
                    (best, shortest) = (candidate, lines);
                }
            }
            if best == before {
                return best;
            }
        }
    }

    /// The next reductions to try, in each direction.
    fn smaller(&self) -> Vec<Self> {
        let mut steps: Vec<Self> = Vec::new();
        for most in [1, 2] {
            steps.push(Self { clients: Some(most), ..Self::default() });
            steps.push(Self { campaigns: Some(most), ..Self::default() });
        }
        let left = self.chaos_ms.unwrap_or(80_000);
        for part in [left / 4, left / 2, left * 3 / 4] {
            steps.push(Self { chaos_ms: Some(part.max(1_000)), ..Self::default() });
        }
        let others = Fault::all().filter(|fault| !self.without.contains(fault));
        steps.extend(others.map(|fault| Self { without: vec![fault], ..Self::default() }));
        steps
    }

    /// Combines two reductions.
    fn with(mut self, other: &Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.clients = least(self.clients, other.clients);
        self.campaigns = least(self.campaigns, other.campaigns);
        self.chaos_ms = least(self.chaos_ms, other.chaos_ms);
        for fault in &other.without {
            if !self.without.contains(fault) {
                self.without.push(*fault);
            }
        }
        self
    }
}
