//! Commands of the application.

use crate::protocol::lookup::lookup;
use crate::protocol::schema::{Field, Kind, optional, read_raw, required, slots};
use crate::protocol::{CampaignId, Code, Position};
use crate::sync::Input;
use crate::sync::input::{ConnectionId, Ticket, TokenFailure, Wake};

/// A command of the application: an input of the machine, or an action of the driver.
pub(in crate::browser) enum Command {
    Input(Input<'static>),
    Wake(Wake),
    Close,
    Fold(CampaignId, String),
}

/// Reads a command from JSON.
pub(in crate::browser) fn command(json: &str) -> Result<Command, Code> {
    let values = &mut slots();
    read_raw(json, &COMMAND, values)?;
    let [command, campaign_id, epoch, number, id, text, failure, code] = values;
    let connection = ConnectionId(id.count());
    let ticket = Ticket(id.count());
    let campaign_id = || CampaignId::new(&campaign_id.text_or_empty());
    Ok(Command::Input(match command.text_or_empty().as_ref() {
        "connect" => Input::Connect,
        "pause" => Input::Pause,
        "reset" => Input::Reset,
        "close" => return Ok(Command::Close),
        "opened" => Input::Opened(connection),
        "closed" => {
            let code = u16::try_from(code.count()).map_err(|_| Code::InvalidContent)?;
            Input::Closed(connection, code)
        }
        "timer" => return Ok(Command::Wake(Wake::Timer)),
        "online" => return Ok(Command::Wake(Wake::Online)),
        "visible" => return Ok(Command::Wake(Wake::Visible)),
        "pageShow" => return Ok(Command::Wake(Wake::PageShow)),
        "retain" => Input::Retain(campaign_id()?),
        "release" => Input::Release(campaign_id()?),
        "retainCatalogue" => Input::RetainCatalogue,
        "releaseCatalogue" => Input::ReleaseCatalogue,
        "refresh" => Input::Refresh(campaign_id()?),
        "discardUnconfirmed" => Input::DiscardUnconfirmed(campaign_id()?),
        "reached" => {
            let position = Position {
                epoch: epoch.epoch().ok_or(Code::InvalidContent)?,
                sequence_number: number.sequence_number(),
                event_id: String::new(),
            };
            Input::WaitForPosition(campaign_id()?, position, ticket)
        }
        "fold" => return Ok(Command::Fold(campaign_id()?, text.string_or_empty())),
        "cancelWait" => Input::CancelWait(campaign_id()?, ticket),
        "renewed" => Input::Renewed(ticket, text.text().map(|it| it == "yes")),
        "token" => {
            let failure = failure.text().and_then(|it| lookup(&TOKEN_FAILURES, &it));
            Input::Token(
                ticket,
                text.string().ok_or_else(|| failure.unwrap_or(TokenFailure::Failed)),
            )
        }
        _ => return Err(Code::InvalidContent),
    }))
}

static TOKEN_FAILURES: [(&str, TokenFailure); 2] =
    [("invalid", TokenFailure::Invalid), ("final", TokenFailure::Final)];

static COMMAND: [Field; 8] = [
    required("command", Kind::Text),
    optional("campaignId", Kind::CampaignId),
    optional("epoch", Kind::Epoch),
    optional("sequenceNumber", Kind::Unsigned),
    optional("id", Kind::Unsigned),
    optional("text", Kind::Text),
    optional("failure", Kind::Text),
    optional("code", Kind::Unsigned),
];
