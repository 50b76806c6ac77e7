//! Records the effects that the machine reports to its driver, and checks that they are allowed.

use std::collections::{BTreeMap, VecDeque};

use campaign_sync::sync::config::{BURST_MAX, BURST_WINDOW_MS};
use campaign_sync::sync::input::{ConnectionId, Ticket};
use campaign_sync::sync::{Effect, Machine, Timestamp};
use serde_json::Value;

/// An input that causes more effects than this counts as endless.
const EFFECTS_MAX: usize = 100_000;

/// The values that answers may refer to.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub(crate) socket: Option<ConnectionId>,
    pub(crate) token: Option<Ticket>,
    pub(crate) fetch: Option<Ticket>,
    pub(crate) request: String,
    pub(crate) ping: u64,
    requests: BTreeMap<String, VecDeque<Timestamp>>,
}

impl Reported {
    /// Takes all effects of one input.
    pub(crate) fn drain(&mut self, machine: &mut Machine, now: Timestamp) {
        for _ in 0..EFFECTS_MAX {
            match machine.poll_effect() {
                None => return,
                Some(Effect::Open(socket)) => self.socket = Some(socket),
                Some(Effect::CloseSocket(socket, _)) => {
                    assert_eq!(self.socket.take(), Some(socket), "another socket is closed");
                }
                Some(Effect::Send(socket, text)) => {
                    assert_eq!(self.socket, Some(socket), "something is sent on an old socket");
                    self.sent(&text, now);
                }
                Some(Effect::RequestToken(ticket)) => self.token = Some(ticket),
                Some(Effect::FetchSnapshot(ticket, _)) => self.fetch = Some(ticket),
                Some(Effect::Changed) => drop(machine.take_changes()),
                Some(
                    Effect::Notify(_)
                    | Effect::Settle(..)
                    | Effect::SignedOut
                    | Effect::RenewSession(..)
                    | Effect::Log(_),
                ) => {}
            }
        }
        panic!("the effects have no end");
    }

    fn sent(&mut self, text: &str, now: Timestamp) {
        let message: Value = serde_json::from_str(text).expect("only JSON is sent");
        match message["type"].as_str() {
            Some("ping") => {
                self.ping = message["payload"]["timestamp"].as_u64().expect("pings are dated");
            }
            Some("request_event_recovery") => {
                let payload = &message["payload"];
                payload["requestId"].as_str().unwrap_or_default().clone_into(&mut self.request);
                let campaign = payload["campaignId"].as_str().expect("requests name a campaign");
                let sent = self.requests.entry(campaign.to_owned()).or_default();
                sent.push_back(now);
                if sent.len() > BURST_MAX {
                    let first = sent.pop_front().unwrap_or_default();
                    let passed = now.since(first);
                    assert!(passed >= BURST_WINDOW_MS, "G8: too many within {passed} ms");
                }
            }
            Some("request_campaign_digest" | "request_campaign_snapshot") => {
                message["payload"]["requestId"]
                    .as_str()
                    .unwrap_or_default()
                    .clone_into(&mut self.request);
            }
            Some(_) => {}
            None => panic!("a message without a type: {text}"),
        }
    }

    /// Forgets the requests of campaigns without a subscription: a later subscription starts again.
    pub(crate) fn forget(&mut self, machine: &Machine) {
        self.requests.retain(|campaign, _| machine.subscription(campaign).is_some());
    }
}
