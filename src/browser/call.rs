//! The calls of the package's JavaScript: commands and queries by number, with up to two texts and two numbers.

use crate::protocol::limits::INTEGER_MAX;
use crate::protocol::lookup::lookup;
use crate::protocol::schema::{Field, Kind, Value, nullable, optional, read_raw, slots};
use crate::protocol::{CampaignId, Code, Epoch, Position, SequenceNumber};
use crate::store::query::{DomainQuery, RowOrder, SortBy};
use crate::sync::Input;
use crate::sync::input::{ConnectionId, Ticket, TokenFailure, Wake};

/// Rows per page if the query has no limit.
const LIMIT_DEFAULT: usize = 100;

/// The request of a call. Its number is its place in [`CALLS`].
#[derive(Clone, Copy)]
pub(super) enum Call {
    Do(Action),
    Ask(Query),
}

/// Changes something.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Connect,
    Pause,
    Reset,
    Close,
    Timer,
    Online,
    Visible,
    PageShow,
    Opened,
    Closed,
    Retain,
    Release,
    RetainCatalogue,
    ReleaseCatalogue,
    Refresh,
    DiscardUnconfirmed,
    Reached,
    CancelWait,
    Fold,
    Token,
    Renewed,
    Snapshot,
}

/// Returns something.
#[derive(Clone, Copy)]
pub(super) enum Query {
    View,
    Status,
    Domains,
    Unfolded,
    Changes,
    Catalogue,
    WholeCatalogue,
    CatalogueStatus,
    Metrics,
    Diagnostics,
}

/// The calls by number, as in `pkg/src/calls.ts`.
pub(super) static CALLS: [Call; 32] = [
    Call::Do(Action::Connect),
    Call::Do(Action::Pause),
    Call::Do(Action::Reset),
    Call::Do(Action::Close),
    Call::Do(Action::Timer),
    Call::Do(Action::Online),
    Call::Do(Action::Visible),
    Call::Do(Action::PageShow),
    Call::Do(Action::Opened),
    Call::Do(Action::Closed),
    Call::Do(Action::Retain),
    Call::Do(Action::Release),
    Call::Do(Action::RetainCatalogue),
    Call::Do(Action::ReleaseCatalogue),
    Call::Do(Action::Refresh),
    Call::Do(Action::DiscardUnconfirmed),
    Call::Do(Action::Reached),
    Call::Do(Action::CancelWait),
    Call::Do(Action::Fold),
    Call::Do(Action::Token),
    Call::Do(Action::Renewed),
    Call::Do(Action::Snapshot),
    Call::Ask(Query::View),
    Call::Ask(Query::Status),
    Call::Ask(Query::Domains),
    Call::Ask(Query::Unfolded),
    Call::Ask(Query::Changes),
    Call::Ask(Query::Catalogue),
    Call::Ask(Query::WholeCatalogue),
    Call::Ask(Query::CatalogueStatus),
    Call::Ask(Query::Metrics),
    Call::Ask(Query::Diagnostics),
];

/// The effect of a command: an input of the machine, or an action of the driver.
pub(super) enum Command<'a> {
    Input(Input<'a>),
    Wake(Wake),
    Close,
    Fold,
}

/// The arguments of a call. A call reads those that it needs.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) campaign_id: &'a str,
    pub(super) text: &'a str,
    /// The number of a connection or a ticket.
    pub(super) id: f64,
    pub(super) number: f64,
}

impl<'a> Arguments<'a> {
    /// The effect of a command.
    ///
    /// # Errors
    /// `invalid_campaign_id`, `invalid_content` and `integer_out_of_range`.
    pub(super) fn command(&self, action: Action) -> Result<Command<'a>, Code> {
        let campaign_id = || CampaignId::new(self.campaign_id);
        let connection = ConnectionId(self.id as u64);
        let ticket = Ticket(self.id as u64);
        Ok(Command::Input(match action {
            Action::Connect => Input::Connect,
            Action::Pause => Input::Pause,
            Action::Reset => Input::Reset,
            Action::Close => return Ok(Command::Close),
            Action::Timer => return Ok(Command::Wake(Wake::Timer)),
            Action::Online => return Ok(Command::Wake(Wake::Online)),
            Action::Visible => return Ok(Command::Wake(Wake::Visible)),
            Action::PageShow => return Ok(Command::Wake(Wake::PageShow)),
            Action::Opened => Input::Opened(connection),
            Action::Closed => Input::Closed(connection, self.number as u16),
            Action::Retain => Input::Retain(campaign_id()?),
            Action::Release => Input::Release(campaign_id()?),
            Action::RetainCatalogue => Input::RetainCatalogue,
            Action::ReleaseCatalogue => Input::ReleaseCatalogue,
            Action::Refresh => Input::Refresh(campaign_id()?),
            Action::DiscardUnconfirmed => Input::DiscardUnconfirmed(campaign_id()?),
            Action::Reached => Input::WaitForPosition(campaign_id()?, self.position()?, ticket),
            Action::CancelWait => Input::CancelWait(campaign_id()?, ticket),
            Action::Fold => return Ok(Command::Fold),
            Action::Token => Input::Token(ticket, self.token()),
            Action::Renewed => Input::Renewed(ticket, self.renewed()),
            Action::Snapshot => Input::Snapshot(ticket, self.given()),
        }))
    }

    /// The position with the epoch `text` and the number.
    fn position(&self) -> Result<Position, Code> {
        let epoch = Epoch::new(self.text)?;
        if self.number > INTEGER_MAX as f64 && self.number.is_finite() {
            return Err(Code::IntegerOutOfRange);
        }
        let number = self.number as u64;
        if number as f64 != self.number {
            return Err(Code::InvalidContent);
        }
        Ok(Position {
            epoch,
            sequence_number: SequenceNumber::new(number)?,
            event_id: String::new(),
        })
    }

    /// The text, unless the application failed to give it.
    fn given(&self) -> Option<&'a str> {
        if self.number == 0.0 { Some(self.text) } else { None }
    }

    fn token(&self) -> Result<String, TokenFailure> {
        self.given().map(str::to_owned).ok_or(match self.number as u32 {
            2 => TokenFailure::Invalid,
            3 => TokenFailure::Final,
            _ => TokenFailure::Failed,
        })
    }

    fn renewed(&self) -> Option<bool> {
        match self.number as u32 {
            1 => Some(false),
            2 => Some(true),
            _ => None,
        }
    }

    /// The filters and the sort order of a query for rows, from JSON.
    ///
    /// # Errors
    /// `invalid_content` or `integer_out_of_range`.
    pub(super) fn query(&self) -> Result<DomainQuery, Code> {
        let values = &mut slots();
        read_raw(self.text, &QUERY, values)?;
        let [offset, limit, search, dns_status, http_status, lead_status, sort_by, order] = values;
        let saturated = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(DomainQuery {
            offset: saturated(offset.count()),
            limit: limit.unsigned().map_or(LIMIT_DEFAULT, saturated),
            order: RowOrder {
                search: search.string_or_empty(),
                dns_status: dns_status.string(),
                http_status: http_status.string(),
                lead_status: lead_status.string(),
                sort_by: named(sort_by, &SORT_BY)?,
                descending: named(order, &[("asc", false), ("desc", true)])?,
            },
        })
    }
}

/// The value of a string in the table `words`; the first value if the string is absent.
fn named<T: Copy>(value: &Value<'_>, names: &[(&str, T)]) -> Result<T, Code> {
    let first = names.first().map(|&(_, meaning)| meaning);
    let found = match value.text() {
        Some(text) => lookup(names, &text),
        None => first,
    };
    found.ok_or(Code::InvalidContent)
}

static SORT_BY: [(&str, SortBy); 5] = [
    ("offset", SortBy::Offset),
    ("domain", SortBy::Domain),
    ("dnsStatus", SortBy::DnsStatus),
    ("httpStatus", SortBy::HttpStatus),
    ("leadScore", SortBy::LeadScore),
];

static QUERY: [Field; 8] = [
    optional("offset", Kind::Unsigned),
    optional("limit", Kind::Unsigned),
    nullable("search", Kind::Text),
    nullable("dnsStatus", Kind::Text),
    nullable("httpStatus", Kind::Text),
    nullable("leadStatus", Kind::Text),
    nullable("sortBy", Kind::Text),
    nullable("sortOrder", Kind::Text),
];
