//! The lists of campaigns that a server writes: the list at every number of every feed. They are folded from
//! the documents alone, so they hold for the model server and for the reference server.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

use super::invariants::{Check, Violation, demand};
use super::network::LinkId;
use super::server::catalogue::List;
use super::users::User;

/// The least time between a change and what was sent of its campaigns before (R20.10).
const CHANGE_INTERVAL_MS: u64 = 1_000;

/// A list, with the user whose session it is for.
pub(crate) type OwnList = (Option<User>, List);

/// All lists that were written.
#[derive(Debug, Default)]
pub(crate) struct WrittenLists {
    lists: BTreeMap<(String, u64), OwnList>,
    links: BTreeMap<LinkId, Writing>,
}

/// The state of one connection.
#[derive(Debug, Default)]
struct Writing {
    /// The parts since part 1.
    staged: Vec<Value>,
    /// When each campaign was written last, unless it has left the list since.
    sent_ms: BTreeMap<String, u64>,
}

impl WrittenLists {
    /// The list at a position that a client states. A server that lies about the name of its feed does so
    /// with this word.
    pub(crate) fn at(&self, epoch: &str, number: u64) -> Option<&OwnList> {
        self.lists.get(&(epoch.replacen("other", "feed", 1), number))
    }

    /// Records a part.
    pub(crate) fn note(
        &mut self,
        now_ms: u64,
        (link, user): (LinkId, Option<User>),
        text: &str,
    ) -> Check {
        let wrong = |what: &str| Violation { guarantee: "list", detail: format!("{what}: {text}") };
        let document: Value = serde_json::from_str(text).map_err(|_| wrong("no JSON"))?;
        let data = document["data"].clone();
        let link = self.links.entry(link).or_default();
        link.pace(now_ms, &data)?;
        if data["part"] == 1 {
            link.staged.clear();
        }
        let is_last = data["part"] == data["parts"];
        link.staged.push(data);
        demand(
            link.staged.last().is_some_and(|it| it["part"] == link.staged.len()),
            "list",
            || format!("no part follows: {text}"),
        )?;
        if !is_last {
            return Ok(());
        }
        let parts = std::mem::take(&mut link.staged);
        let Some(first) = parts.first() else { return Ok(()) };
        let epoch = first["epoch"].as_str().ok_or_else(|| wrong("no epoch"))?.to_owned();
        let number = first["sequenceNumber"].as_u64().ok_or_else(|| wrong("no number"))?;
        let mut list = match first["previousSequenceNumber"].as_u64() {
            None => List::new(),
            Some(base) => {
                let before = self.lists.get(&(epoch.clone(), base));
                before.ok_or_else(|| wrong("a change from nowhere"))?.1.clone()
            }
        };
        for part in &parts {
            for id in part["removed"].as_array().into_iter().flatten() {
                let gone = list.remove(id.as_str().unwrap_or_default());
                gone.ok_or_else(|| wrong("a campaign left that was not there"))?;
            }
            for summary in part["campaigns"].as_array().into_iter().flatten() {
                let (id, place) = place(summary).ok_or_else(|| wrong("no position"))?;
                list.insert(id, place);
            }
        }
        demand(first["total"] == list.len(), "list", || format!("{list:?} by {text}"))?;
        let former = self.lists.entry((epoch, number)).or_insert_with(|| (user, list.clone()));
        // R20.11
        demand(*former == (user, list), "list", || format!("{former:?} was sent before {text}"))
    }
}

impl Writing {
    /// R20.10: checks that a change has no campaign that was written less than a second ago.
    fn pace(&mut self, now_ms: u64, data: &Value) -> Check {
        for (id, _) in data["campaigns"].as_array().into_iter().flatten().filter_map(place) {
            let before_ms =
                self.sent_ms.get(&id).map_or(0, |before_ms| before_ms + CHANGE_INTERVAL_MS);
            demand(before_ms <= now_ms || !data["requestId"].is_null(), "list", || {
                format!("{id} is in two changes in one second, until {before_ms} ms")
            })?;
            self.sent_ms.insert(id, now_ms);
        }
        for id in data["removed"].as_array().into_iter().flatten() {
            self.sent_ms.remove(id.as_str().unwrap_or_default());
        }
        Ok(())
    }
}

/// The id and the position of a summary.
fn place(summary: &Value) -> Option<(String, (Rc<str>, u64))> {
    let id = summary["campaignId"].as_str()?.to_owned();
    Some((id, (summary["epoch"].as_str()?.into(), summary["sequenceNumber"].as_u64()?)))
}
