//! The names that the journal uses. They are those of the wire and of the public interface, so that a
//! journal stays the same when the code is renamed.

use std::fmt::{self, Display, Formatter};

use campaign_sync::protocol::write::to_json;
use campaign_sync::sync::input::{ConnectionId, Ticket};
use campaign_sync::sync::{Effect, Verdict};

/// An effect of the machine, on one line.
pub(crate) struct EffectName<'a>(pub(crate) &'a Effect);

impl Display for EffectName<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Effect::Open(ConnectionId(id)) => write!(to, "open {id}"),
            Effect::Send(ConnectionId(id), text) => write!(to, "send {id} {text}"),
            Effect::CloseSocket(ConnectionId(id), code) => write!(to, "close {id} {code}"),
            Effect::RequestToken(Ticket(id)) => write!(to, "token {id}"),
            Effect::RenewSession(Ticket(id), attempt) => write!(to, "renew {id} {attempt}"),
            Effect::SignedOut => to.write_str("signed_out"),
            Effect::FetchSnapshot(Ticket(id), campaign) => write!(to, "fetch {id} {campaign}"),
            Effect::Settle(Ticket(id), None) => write!(to, "settle {id}"),
            Effect::Settle(Ticket(id), Some(code)) => write!(to, "settle {id} {}", code.as_str()),
            Effect::Notify(notice) => write!(to, "{} {}", notice.kind(), to_json(notice)),
            Effect::Changed => to.write_str("changed"),
            Effect::Log(record) => write!(to, "log {}", to_json(record)),
        }
    }
}

/// The verdicts on the documents of a frame, in order, each refusal with its code.
pub(crate) struct VerdictNames<'a>(pub(crate) &'a [Verdict]);

impl Display for VerdictNames<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("[")?;
        for (at, verdict) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(to, "{comma}{}", verdict_name(*verdict))?;
            if let Verdict::Refused(code) = verdict {
                write!(to, ":{}", code.as_str())?;
            }
        }
        to.write_str("]")
    }
}

/// The name of the verdict on one document.
pub(crate) const fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "applied",
        Verdict::AppliedUnknown => "applied_unknown",
        Verdict::Unsubscribed => "unsubscribed",
        Verdict::Duplicate => "duplicate",
        Verdict::Redelivered => "redelivered",
        Verdict::OutOfOrder => "out_of_order",
        Verdict::Corrupt => "corrupt",
        Verdict::SupersededEpoch => "retired_epoch",
        Verdict::ForeignEpoch => "foreign_epoch",
        Verdict::Divergence => "divergence",
        Verdict::Rejected => "rejected",
        Verdict::Held => "held",
        Verdict::Overflow => "overflow",
        Verdict::Control => "control",
        Verdict::Ignored => "ignored",
        Verdict::Refused(_) => "refused",
    }
}

/// A name, or the text `none`.
pub(crate) struct OrNone<T>(pub(crate) Option<T>);

impl<T: Display> Display for OrNone<T> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(it) => it.fmt(to),
            None => to.write_str("none"),
        }
    }
}
