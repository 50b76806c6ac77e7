//! The parameters of queries. A parameter that a route does not have is refused, like a member of a body.

use campaign_sync::protocol::limits::INTEGER_MAX;
use campaign_sync::protocol::{CampaignId, Code};
use serde::Deserialize;
use utoipa::IntoParams;

use super::bodies::{Checked, first, is_longer};
use crate::campaign::Refusal;
use crate::log::RowQuery;

/// The longest text that is compared with columns, in characters.
const TEXT_CHARS_MAX: usize = 255;

/// Rows per page: the default, and the maximum.
const PAGE_ROWS: (u64, u64) = (100, 10_000);

/// Campaigns per page: the default, and the maximum.
const PAGE_CAMPAIGNS: (u64, u64) = (100, 1_000);

/// No parameter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

impl Checked for NoQuery {}

/// The position that a read waits for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// `epoch/number`: the answer waits up to 2 s until the log has reached it.
    #[param(pattern = "^[!-~]{1,128}/[0-9]{1,15}$")]
    min_position: Option<String>,
}

/// A page of rows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct DomainsQuery {
    /// `epoch/number`: the answer waits up to 2 s until the log has reached it.
    #[serde(rename = "min_position")]
    #[param(pattern = "^[!-~]{1,128}/[0-9]{1,15}$")]
    min_position: Option<String>,
    /// The number of matching rows to skip; 0 if absent.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    offset: Option<u64>,
    /// The most rows of the answer; 100 if absent. More than 10,000 count as 10,000.
    #[param(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    limit: Option<u64>,
    /// Only rows with this text in the domain name.
    #[param(max_length = 255)]
    search: Option<String>,
    /// Only rows with this DNS result.
    #[param(max_length = 255)]
    dns_status: Option<String>,
    /// Only rows with this HTTP result.
    #[param(max_length = 255)]
    http_status: Option<String>,
}

/// A part of the audit trail.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransitionsQuery {
    /// `epoch/number`: the answer waits up to 2 s until the log has reached it.
    #[param(pattern = "^[!-~]{1,128}/[0-9]{1,15}$")]
    min_position: Option<String>,
    /// Includes all requests that change the campaign, not only transitions.
    pub(super) all: Option<bool>,
}

/// A page of campaigns. Without parameters the answer has all campaigns.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The most campaigns of the answer; 100 if only the cursor is given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// The member `next` of the page before.
    #[param(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

/// A read of one campaign that may wait for a position.
pub trait AtPosition {
    /// `epoch/number`, as the request gave it.
    fn min_position(&self) -> Option<&str>;

    /// The epoch and the number to wait for.
    ///
    /// # Errors
    /// [`Code::InvalidBody`] for a text of another form.
    fn position(&self) -> Result<Option<(String, u64)>, Refusal> {
        let Some(text) = self.min_position() else { return Ok(None) };
        let parsed = text.rsplit_once('/').and_then(|(epoch, number)| {
            let plain = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
            let number = number.parse().ok().filter(|it| plain && *it <= INTEGER_MAX)?;
            (1..=128).contains(&epoch.len()).then(|| (epoch.to_owned(), number))
        });
        let wrong = || Refusal::new(Code::InvalidBody, "min_position must be epoch/number");
        parsed.map(Some).ok_or_else(wrong)
    }
}

impl AtPosition for Reading {
    fn min_position(&self) -> Option<&str> {
        self.min_position.as_deref()
    }
}

impl AtPosition for DomainsQuery {
    fn min_position(&self) -> Option<&str> {
        self.min_position.as_deref()
    }
}

impl AtPosition for TransitionsQuery {
    fn min_position(&self) -> Option<&str> {
        self.min_position.as_deref()
    }
}

impl Checked for Reading {}

impl Checked for TransitionsQuery {}

impl Checked for DomainsQuery {
    fn problem(&self) -> Option<&'static str> {
        first([
            (self.offset > Some(INTEGER_MAX), "offset is at most 2^53 - 1"),
            (self.limit > Some(INTEGER_MAX), "limit is at most 2^53 - 1"),
            (is_longer(self.search.as_deref(), TEXT_CHARS_MAX), "search is at most 255 characters"),
            (
                is_longer(self.dns_status.as_deref(), TEXT_CHARS_MAX),
                "dnsStatus is at most 255 characters",
            ),
            (
                is_longer(self.http_status.as_deref(), TEXT_CHARS_MAX),
                "httpStatus is at most 255 characters",
            ),
        ])
    }
}

impl DomainsQuery {
    /// The rows to skip, and the most rows of the answer.
    pub(super) fn range(&self) -> (u64, u64) {
        let limit = self.limit.unwrap_or(PAGE_ROWS.0).min(PAGE_ROWS.1);
        (self.offset.unwrap_or_default(), limit)
    }

    /// The rows that the request asks for.
    pub(super) fn rows(&self) -> RowQuery {
        let (skip, limit) = self.range();
        RowQuery {
            skip,
            limit: Some(limit),
            search: self.search.clone().filter(|text| !text.is_empty()),
            dns_status: self.dns_status.clone(),
            http_status: self.http_status.clone(),
            ..RowQuery::default()
        }
    }
}

impl Checked for ListQuery {
    fn problem(&self) -> Option<&'static str> {
        let limit = self.limit.is_some_and(|limit| !(1..=PAGE_CAMPAIGNS.1).contains(&limit));
        let cursor = self.cursor.as_deref().is_some_and(|it| CampaignId::new(it).is_err());
        first([(limit, "limit is 1 to 1,000"), (cursor, "cursor is the next of another page")])
    }
}

impl ListQuery {
    /// The most campaigns of the answer; `None` for all.
    pub(super) fn limit(&self) -> Option<u64> {
        self.limit.or_else(|| self.cursor.as_ref().map(|_| PAGE_CAMPAIGNS.0))
    }

    /// The last campaign of the page before.
    pub(super) fn cursor(&self) -> Option<CampaignId> {
        self.cursor.as_deref().and_then(|it| CampaignId::new(it).ok())
    }
}
