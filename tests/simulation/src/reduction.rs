//! What is left out of a seed: a failure is told by the shortest run that still shows it.

use super::faults::{Fault, Plan};
use super::reference::Defect;

/// Parts of a plan that are left out. Nothing is, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reduction {
    /// Kinds of faults that do not happen.
    pub(crate) without: Vec<Fault>,
    /// Only so many clients.
    pub(crate) clients: Option<u64>,
    /// Only so many campaigns.
    pub(crate) campaigns: Option<u64>,
    /// Faults stop after so long.
    pub(crate) chaos_ms: Option<u64>,
    /// What is wrong with the log of the reference server. Nothing is, but in tests.
    pub(crate) defect: Option<Defect>,
}

/// Simulations that one search may cost.
const TRIALS_MAX: u32 = 150;

impl Reduction {
    /// Takes its part away from the plan.
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

    /// The options that say the same on the command line.
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

    /// The most that can be left out of a failing seed, as far as a short search finds: it leaves one
    /// thing out after the other, as long as the same guarantee breaks and the journal does not get
    /// longer. `lines` tells the length of a journal if it does.
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

    /// One step further, in each direction.
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

    /// Both together.
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
