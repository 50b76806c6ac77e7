//! The bodies of requests. A member that a body does not have is refused, and so is a missing one: a request
//! with a misspelled guard must not be carried out without it.

use campaign_sync::protocol::limits::INTEGER_MAX;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::access::users::is_name;
use crate::campaign::{NewCampaign, RequestContext};
use crate::faults::Settings;
use crate::log::Divergence;
use crate::log::divergence::Kind;

/// The longest reason, in characters. The event of a transition contains it.
const REASON_CHARS_MAX: usize = 1_000;

/// The longest expected state, in characters.
const STATE_CHARS_MAX: usize = 64;

/// The longest password, in characters.
const PASSWORD_CHARS_MAX: usize = 1_024;

/// A body, or the parameters of a query.
pub trait Checked: DeserializeOwned {
    /// The rule that a member breaks, if one does. The text names the member.
    fn problem(&self) -> Option<&'static str> {
        None
    }
}

/// The message of the first rule that is broken.
pub(super) fn first<const N: usize>(problems: [(bool, &'static str); N]) -> Option<&'static str> {
    problems.into_iter().find(|(is_broken, _)| *is_broken).map(|(_, message)| message)
}

/// Whether a text has more characters than this.
pub(super) fn is_longer(text: Option<&str>, chars: usize) -> bool {
    text.is_some_and(|text| text.chars().count() > chars)
}

/// A change of a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Change {
    /// `phase`, or `phase/status`: the request is refused unless the campaign is in this state.
    #[serde(alias = "expected_state")]
    #[schema(max_length = 64)]
    expected_state: Option<String>,
    /// The reason, for people.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

impl Checked for Change {
    fn problem(&self) -> Option<&'static str> {
        problem_of(self.expected_state.as_deref(), self.reason.as_deref())
    }
}

fn problem_of(expected_state: Option<&str>, reason: Option<&str>) -> Option<&'static str> {
    first([
        (is_longer(expected_state, STATE_CHARS_MAX), "expectedState has at most 64 characters"),
        (is_longer(reason, REASON_CHARS_MAX), "reason has at most 1,000 characters"),
    ])
}

impl From<Change> for RequestContext {
    fn from(Change { expected_state, reason }: Change) -> Self {
        Self { expected_state, reason, ..Self::default() }
    }
}

/// The new owner of a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OwnerUpdate {
    /// The user; `null` for the operator.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true, min_length = 1, max_length = 64, pattern = "^[-A-Za-z0-9_.@]+$")]
    pub(super) owner: Option<String>,
    /// `phase`, or `phase/status`: the request is refused unless the campaign is in this state.
    #[serde(alias = "expected_state")]
    #[schema(max_length = 64)]
    expected_state: Option<String>,
    /// The reason, for people.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

impl Checked for OwnerUpdate {
    fn problem(&self) -> Option<&'static str> {
        let owner = self.owner.as_deref().is_some_and(|name| !is_name(name));
        let owner = first([(owner, "owner is the name of a user, or null for the operator")]);
        owner.or_else(|| problem_of(self.expected_state.as_deref(), self.reason.as_deref()))
    }
}

impl OwnerUpdate {
    /// The owner, and the rest of the request.
    pub(super) fn split(self) -> (Option<String>, RequestContext) {
        let Self { owner, expected_state, reason } = self;
        (owner, RequestContext { expected_state, reason, ..RequestContext::default() })
    }
}

impl Checked for NewCampaign {
    fn problem(&self) -> Option<&'static str> {
        Self::problem(self)
    }
}

/// A user and a password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Credentials {
    /// The name of the user.
    #[schema(max_length = 64)]
    pub(super) user: String,
    /// The password.
    #[schema(max_length = 1024)]
    pub(super) password: String,
    /// With `true` the answer has a token for `connection_init` and `Authorization`, and sets no cookie.
    pub(super) bearer: Option<bool>,
}

impl Checked for Credentials {
    fn problem(&self) -> Option<&'static str> {
        let password = is_longer(Some(&self.password), PASSWORD_CHARS_MAX);
        first([
            (is_longer(Some(&self.user), 64), "user has at most 64 characters"),
            (password, "password has at most 1,024 characters"),
        ])
    }
}

/// The body of a request that says nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Checked for Nothing {}

impl Checked for Settings {
    fn problem(&self) -> Option<&'static str> {
        let message = "drop, duplicate, reorder and corrupt are 0 to 1, delayMs at most 60,000";
        first([(!self.is_valid(), message)])
    }
}

/// The campaign whose history is truncated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Truncate {
    /// The id of the campaign.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(super) campaign_id: String,
    /// The number of newest events to keep; 0 if absent.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    pub(super) keep: Option<u64>,
}

impl Checked for Truncate {
    fn problem(&self) -> Option<&'static str> {
        first([(self.keep > Some(INTEGER_MAX), "keep is at most 2^53 - 1")])
    }
}

/// The most rows that one request changes without an event. They are changed in one transaction, which holds
/// up every other write.
const DIVERGED_ROWS_MAX: u64 = 10_000;

/// The campaign whose rows are changed without an event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Diverge {
    /// The id of the campaign.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    pub(super) campaign_id: String,
    /// The number of rows; 1 if absent.
    #[schema(minimum = 0, maximum = 10_000)]
    rows: Option<u64>,
    /// The change of these rows.
    kind: Option<Kind>,
    /// With `true`, the stored count and digest do not follow, so the next integrity check fails. With
    /// `false` they follow, and only clients can notice.
    break_integrity: Option<bool>,
}

impl Checked for Diverge {
    fn problem(&self) -> Option<&'static str> {
        first([(self.rows > Some(DIVERGED_ROWS_MAX), "rows are at most 10,000")])
    }
}

impl Diverge {
    /// The requested divergence.
    pub(super) fn how(&self) -> Divergence {
        Divergence {
            rows: self.rows.unwrap_or(1),
            kind: self.kind.unwrap_or_default(),
            break_integrity: self.break_integrity.unwrap_or_default(),
        }
    }
}
