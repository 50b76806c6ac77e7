//! The newest events of a campaign, and the pages that its subscribers share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::capacity::{Budget, counted};
use crate::followers::Followers;
use crate::log::{Appended, Event, Head};

/// The most bytes of newest events cached per campaign.
const TAIL_BYTES: usize = 1024 * 1024;

/// The size limit of a page of joined events, in bytes. Only a single larger event exceeds it.
pub(super) const BATCH_BYTES: usize = 256 * 1024;

/// The most cached pages of newest events per campaign.
const RECENT_PAGES: usize = 4;

/// The end of a campaign's log, and its newest events.
pub(super) struct Tail {
    pub(super) head: Head,
    /// When the head was committed, or when this server first saw it.
    pub(super) committed: Instant,
    pub(super) owner: Option<String>,
    events: VecDeque<Event>,
    bytes: usize,
    pages: VecDeque<EventBatch>,
    in_flight: Arc<Budget>,
    pub(super) followers: Followers,
}

/// Consecutive events in one frame.
#[derive(Clone, Debug)]
pub struct EventBatch {
    pub(super) after: u64,
    /// The number of the last event.
    pub last: u64,
    /// When the last event was committed, if it is the newest of the log.
    pub committed: Option<Instant>,
    /// The documents, joined by line feeds. All sockets that send this page share the text.
    pub text: Utf8Bytes,
}

/// The result of a cursor's read.
#[derive(Debug)]
pub enum Next {
    /// The cursor is at the head.
    AtHead,
    /// The events after the cursor.
    EventBatch(EventBatch),
    /// The events are only in the log, which must not be read now.
    InLog,
    /// The events are no longer in the history.
    Gone,
}

/// The limits of one read.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// Read a single event instead of a full page.
    pub single: bool,
    /// The last number to read.
    pub until: u64,
}

impl ReadLimits {
    pub(super) const fn is_shared(self) -> bool {
        !self.single && self.until == u64::MAX
    }
}

impl EventBatch {
    /// A page of the events after `after`, within the limits; `None` if the next event is missing. The page
    /// counts in `budget` for as long as it is in memory.
    pub(super) fn of<'e>(
        budget: &Arc<Budget>,
        after: u64,
        events: impl IntoIterator<Item = &'e Event>,
        want: ReadLimits,
    ) -> Option<Self> {
        let (mut text, mut last) = (String::new(), after);
        for event in events {
            let size = text.len() + event.document.len();
            let is_full = last > after && (want.single || size >= BATCH_BYTES);
            if event.number != last + 1 || event.number > want.until || is_full {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&event.document);
            last = event.number;
        }
        if last == after {
            return None;
        }
        text.shrink_to_fit();
        let charge = budget.charge(text.len() as u64);
        let text = Utf8Bytes::try_from(counted(Bytes::from(text), charge)).unwrap_or_default();
        Some(Self { after, last, committed: None, text })
    }
}

impl Tail {
    /// The end of a log, without cached events.
    pub(super) fn at(head: Head, owner: Option<String>, in_flight: Arc<Budget>) -> Self {
        let (events, pages) = (VecDeque::new(), VecDeque::new());
        let (committed, followers) = (Instant::now(), Followers::default());
        Self { head, committed, owner, events, bytes: 0, pages, in_flight, followers }
    }

    /// Drops the cached events. Without followers, the log is read instead.
    pub(super) fn forget_events(&mut self) {
        (self.events, self.pages, self.bytes) = (VecDeque::new(), VecDeque::new(), 0);
    }

    /// Adapts to a log that was truncated or changed without an append.
    pub(super) fn reread(&mut self, head: Head) {
        self.events.retain(|event| event.number >= head.oldest);
        self.pages.clear();
        self.bytes = self.events.iter().map(|event| event.document.len()).sum();
        self.head = head;
    }

    /// The events after a number; `None` if they are not in memory.
    pub(super) fn next(&mut self, after: u64, want: ReadLimits) -> Option<Next> {
        if after >= self.head.number {
            return Some(Next::AtHead);
        }
        let first = self.events.front()?.number;
        if after + 1 < first {
            return None;
        }
        // A page that ended at an earlier head is used only if it is more than half full. A shorter one would
        // cause more frames than necessary.
        let is_whole = |page: &&EventBatch| {
            page.after == after
                && (page.last == self.head.number || page.text.len() > BATCH_BYTES / 2)
        };
        if want.is_shared()
            && let Some(page) = self.pages.iter().find(is_whole)
        {
            return Some(Next::EventBatch(page.clone()));
        }
        let events = self.events.iter().skip((after + 1 - first) as usize);
        let mut page = EventBatch::of(&self.in_flight, after, events, want)?;
        page.committed = (page.last == self.head.number).then_some(self.committed);
        if want.is_shared() {
            self.pages.truncate(RECENT_PAGES - 1);
            self.pages.push_front(page.clone());
        }
        Some(Next::EventBatch(page))
    }

    /// Adds appended events. The cache holds only events up to the head without a gap.
    pub(super) fn extend(&mut self, appended: &Appended) {
        let (events, head) = (&appended.events, &appended.head);
        let first = events.first().map_or(head.number + 1, |event| event.number);
        if self.events.back().is_some_and(|last| last.number + 1 != first) {
            self.events.clear();
            self.bytes = 0;
        }
        while self.events.front().is_some_and(|it| it.number < head.oldest) {
            self.bytes -= self.events.pop_front().map_or(0, |it| it.document.len());
        }
        if head.number > self.head.number {
            self.committed = Instant::now();
        }
        self.head = head.clone();
        for event in events {
            self.bytes += event.document.len();
            self.events.push_back(event.clone());
        }
        while self.bytes > TAIL_BYTES {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.document.len();
        }
    }
}
