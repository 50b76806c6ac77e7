//! The driver of every page's machine: feeds it, performs its effects, and checks every step.

use campaign_sync::protocol::frame::Frame;
use campaign_sync::sync::input::{ConnectionId, Ticket, TokenFailure, Wake};
use campaign_sync::sync::notice::Detail;
use campaign_sync::sync::{Effect, Input, Notice, Outcome, Verdict};

use super::client::Client;
use super::evidence::SocketTraffic;
use super::faults::Fault;
use super::invariants::{self, Check, demand};
use super::names::{EffectName, OrNone, VerdictNames, verdict_name};
use super::network::{Direction, LinkId};
use super::oracle::{self, Progress};
use super::server::message::Message;
use super::world::{ScheduledEvent, World};

impl World {
    /// Passes an input to a machine, performs the effects, and checks every invariant.
    pub(crate) fn feed(&mut self, number: usize, input: Input<'_>) -> Check {
        self.totals.steps += 1;
        let client = &mut self.clients[number];
        let now = client.clock.now(self.now_ms);
        let timer = matches!(input, Input::Woke(Wake::Timer));
        let reports_time = !matches!(input, Input::Received(..));
        let has_token = matches!(input, Input::Token(..));
        let requested = matches!(input, Input::Connect | Input::Renewed(..));
        let requested = requested && !client.attempt_is_due(now.at);
        let frame = match input {
            Input::Closed(ConnectionId(socket), _) => {
                client.hang_up(socket);
                None
            }
            Input::Received(ConnectionId(socket), frame) if client.traffic.is_on(socket) => {
                client.take_proofs(now, frame);
                Some(frame)
            }
            _ => None,
        };
        let before = Progress::of(client);
        let (fetches, resets) =
            (matches!(input, Input::Snapshot(_, Some(_))), input == Input::Reset);
        client.before_step();
        let outcome = client.machine.handle(now, input);
        let effects: Vec<Effect> = std::iter::from_fn(|| client.machine.poll_effect()).collect();
        let step = Progress::of(client).since(before);
        self.totals.events += step.applied;
        let changed = client.machine.take_changes();
        let list_changed = client.machine.take_catalogue_change();
        let is_changed = !changed.is_empty() || list_changed;
        demand(is_changed == effects.contains(&Effect::Changed), "changes", || {
            format!("the driver heard {effects:?} of changes to {changed:?}")
        })?;
        invariants::effects_are_bounded(effects.len(), outcome.verdicts.len(), step.applied)?;
        invariants::caches_come_first(&effects)?;
        client.reported.check(&client.machine, &client.held, &effects, now)?;
        if reports_time {
            client.reported.check_statuses(&client.machine, &client.held, now)?;
        }
        if !has_token && effects.iter().any(begins_attempt) {
            let before = client.attempt_began.replace(now.at);
            invariants::attempts_are_paced(before.filter(|_| requested), now.at)?;
        }
        for effect in &effects {
            if let Effect::Notify(notice) = effect {
                client.observe(notice);
            }
        }
        let fetched = fetches && !outcome.ignored_late && outcome.refused.is_none();
        client.after_step(&effects, fetched, resets)?;
        if let Some(frame) = frame {
            oracle::check_memory(client, frame, &outcome.verdicts)?;
            let refused =
                |verdict: &Verdict| matches!(verdict, Verdict::Refused(_) | Verdict::Corrupt);
            let harmless = outcome.verdicts.iter().all(refused);
            demand(!harmless || step == Progress::default(), "G13", || {
                format!("bad input led to {step:?}: {:?}", outcome.verdicts)
            })?;
        }
        let step = Progress { alone: outcome.verdicts.len() == 1, ..step };
        oracle::check(client, &self.server.storage, step, (&changed, &effects))?;
        client.check_users(self.now_ms)?;
        if list_changed {
            self.check_list(number)?;
        }
        self.journal_step(number, &outcome, &effects);
        for effect in effects {
            self.perform(number, effect)?;
        }
        self.clients[number].give_up(now);
        self.arm(number, timer)
    }

    fn journal_step(&mut self, number: usize, outcome: &Outcome, effects: &[Effect]) {
        let client = &self.clients[number];
        let now = client.clock.now(self.now_ms);
        for verdict in &outcome.verdicts {
            self.totals.met("verdict", verdict_name(*verdict));
        }
        for (id, watch) in &client.watches {
            let status = client.machine.status(id, now);
            self.totals.met("status", status.map_or("none", |status| status.as_str()));
            let (era, applied) = watch.place().unwrap_or_default();
            let (status, verdicts) = (OrNone(status), VerdictNames(&outcome.verdicts));
            self.journal.note(
                self.now_ms,
                format_args!("client {number} {id} {status} {era}/{applied} {verdicts}"),
            );
        }
        for effect in effects {
            match effect {
                Effect::Notify(notice) => self.totals.met("notice", notice.kind()),
                Effect::Log(record) => self.totals.met("log", record.event),
                Effect::Open(_)
                | Effect::Send(..)
                | Effect::CloseSocket(..)
                | Effect::RequestToken(_)
                | Effect::FetchSnapshot(..)
                | Effect::RenewSession(..)
                | Effect::SignedOut
                | Effect::Settle(..)
                | Effect::Changed => {}
            }
            let effect = EffectName(effect);
            self.journal.note(self.now_ms, format_args!("client {number} {effect}"));
        }
    }

    fn perform(&mut self, number: usize, effect: Effect) -> Check {
        let page_load = self.clients[number].page_load;
        let link = |ConnectionId(connection)| LinkId { client: number, page_load, connection };
        match effect {
            Effect::Open(connection) => {
                self.clients[number].begin(SocketTraffic::on(connection.0));
                self.dial(link(connection));
            }
            Effect::Send(connection, text) => {
                self.note_message(number, &text)?;
                self.send_up(link(connection), text);
            }
            Effect::CloseSocket(connection, _) => {
                self.clients[number].hang_up(connection.0);
                self.leave(link(connection));
            }
            Effect::RequestToken(ticket) => {
                let token =
                    (!self.rng.chance(self.levels.of(Fault::Expire))).then(|| "secret".to_owned());
                let at_ms = self.now_ms + self.rng.below(300);
                self.schedule.plan(at_ms, ScheduledEvent::Token(number, page_load, ticket, token));
            }
            Effect::FetchSnapshot(ticket, campaign) => {
                let answer = self.fetch(number, campaign.as_str());
                let at_ms = self.now_ms + self.rng.below(2_000) + self.fetch_delay_ms(number);
                self.schedule
                    .plan(at_ms, ScheduledEvent::Fetched(number, page_load, ticket, answer));
            }
            Effect::Settle(ticket, failed) => {
                let client = &mut self.clients[number];
                let promise = client.promises.remove(&ticket);
                demand(promise.is_some(), "promises", || {
                    format!("{ticket:?} is settled, but nobody waits")
                })?;
                let Some((id, epoch, promised)) = promise else { return Ok(()) };
                // If the campaign was released in the same step, the position that it had reached is no
                // longer visible.
                let Some(held) = client.machine.subscription(&id) else { return Ok(()) };
                let position = held.store().position();
                let kept = position.is_some_and(|position| {
                    position.epoch.as_str() != epoch || position.sequence_number.get() >= promised
                });
                demand(failed.is_some() || kept, "promises", || {
                    format!("{id} has not reached {epoch}/{promised}, it is at {position:?}")
                })?;
            }
            Effect::RenewSession(ticket, _) => self.renew(number, ticket),
            Effect::SignedOut | Effect::Notify(_) | Effect::Changed | Effect::Log(_) => {}
        }
        Ok(())
    }

    fn note_message(&mut self, number: usize, text: &str) -> Check {
        let Some(message) = Message::read(text) else { return Ok(()) };
        let client = &mut self.clients[number];
        let now = client.clock.now(self.now_ms);
        client.traffic.says(now, &message);
        if let Message::Recover(id, wanted) = message
            && let Some(watch) = client.watches.get_mut(&id)
        {
            let progress_since = watch.place().is_some_and(|(_, number)| number > wanted.last);
            watch.requests.sent(now.at, progress_since)?;
            watch.retry_after.on_request(now.at, wanted)?;
        }
        Ok(())
    }

    /// Sets the page's only timer. It fires as late as in a browser.
    fn arm(&mut self, number: usize, fired: bool) -> Check {
        let client = &mut self.clients[number];
        let now = client.clock.now(self.now_ms).at;
        let next = client.machine.poll_timeout();
        if fired {
            invariants::timers_move_on(&mut client.idle_timers, now, next)?;
        }
        client.timer += 1;
        let Some(next) = next else { return Ok(()) };
        let wanted = next.since(now).max(1);
        let late = if self.rng.chance(50) { self.rng.below(300) } else { self.rng.below(4) };
        let at_ms = self.now_ms + wanted.max(client.throttle_ms) + late;
        self.schedule.plan(at_ms, ScheduledEvent::Timer(number, client.timer));
        Ok(())
    }

    /// Delivers a frame to a client.
    pub(crate) fn arrive(&mut self, link: LinkId, bytes: &[u8]) -> Check {
        let gone = self.links.get(&link).is_none_or(|wire| !wire.carries(Direction::Down));
        if gone || self.clients[link.client].page_load != link.page_load {
            return Ok(());
        }
        let text = std::str::from_utf8(bytes);
        if text.is_ok_and(|text| text.contains("\"campaign.snapshot\"")) {
            for watch in self.clients[link.client].watches.values_mut() {
                watch.requests.progress();
            }
        }
        let user = self.links.get(&link).and_then(|wire| wire.user);
        if let Some(page_user) = &mut self.clients[link.client].page_user {
            page_user.source = user;
        }
        let frame = match text {
            Ok(text) if self.rng.chance(800) => Frame::Text(text),
            _ => Frame::Binary(bytes),
        };
        self.feed(link.client, Input::Received(ConnectionId(link.connection), frame))
    }

    /// Notifies a client that its socket is open.
    pub(crate) fn opened(&mut self, link: LinkId) -> Check {
        if self.clients[link.client].page_load != link.page_load {
            return Ok(());
        }
        self.feed(link.client, Input::Opened(ConnectionId(link.connection)))
    }

    /// Notifies a client that its socket is closed.
    pub(crate) fn closed(&mut self, link: LinkId, code: u16) -> Check {
        self.links.remove(&link);
        if self.clients[link.client].page_load != link.page_load {
            return Ok(());
        }
        self.feed(link.client, Input::Closed(ConnectionId(link.connection), code))
    }

    /// Fires a timer, unless it was cleared.
    pub(crate) fn timer(&mut self, number: usize, timer: u64) -> Check {
        if self.clients[number].timer != timer {
            return Ok(());
        }
        self.feed(number, Input::Woke(Wake::Timer))
    }

    /// Delivers the answer of a token provider.
    pub(crate) fn token(
        &mut self,
        number: usize,
        page_load: u64,
        ticket: Ticket,
        token: Option<String>,
    ) -> Check {
        if self.clients[number].page_load != page_load {
            return Ok(());
        }
        self.feed(number, Input::Token(ticket, token.ok_or(TokenFailure::Failed)))
    }

    /// Wakes a sleeping client. The events that it missed follow at once, before or after the client is
    /// notified that it woke.
    pub(crate) fn wake(&mut self, number: usize) -> Check {
        let client = &mut self.clients[number];
        let Some(since_ms) = client.asleep_since_ms.take() else { return Ok(()) };
        client.clock.slept(self.now_ms - since_ms);
        let missed = std::mem::take(&mut client.missed);
        let reported_first = self.rng.chance(500);
        if reported_first {
            self.feed(number, Input::Woke(Wake::Visible))?;
        }
        for event in missed {
            self.schedule.plan(self.now_ms, event);
        }
        if !reported_first && self.rng.chance(700) {
            let wake = *self.rng.pick(&[Wake::Online, Wake::PageShow]);
            self.feed(number, Input::Woke(wake))?;
        }
        Ok(())
    }
}

impl Client {
    /// Records a notice that listeners receive.
    fn observe(&mut self, notice: &Notice) {
        let Some(id) = &notice.campaign_id else { return };
        let Some(watch) = self.watches.get_mut(id.as_str()) else { return };
        match &notice.detail {
            Detail::CacheInvalidated(it) if it.reason == "signed_out" => watch.forget(),
            Detail::CacheInvalidated(it) if matches!(it.reason, "snapshot" | "epoch") => {
                watch.proofs.clear();
                watch.replaced = true;
            }
            Detail::Consistency { ok, .. } => watch.reported_difference = !ok,
            Detail::Repaired { .. } => watch.reported_difference = false,
            _ => {}
        }
    }
}

/// Whether an effect begins an attempt to connect. After a token arrived, opening the socket continues one.
const fn begins_attempt(effect: &Effect) -> bool {
    match effect {
        Effect::Open(_) | Effect::RequestToken(_) => true,
        Effect::Send(..)
        | Effect::CloseSocket(..)
        | Effect::FetchSnapshot(..)
        | Effect::RenewSession(..)
        | Effect::SignedOut
        | Effect::Notify(_)
        | Effect::Settle(..)
        | Effect::Changed
        | Effect::Log(_) => false,
    }
}
