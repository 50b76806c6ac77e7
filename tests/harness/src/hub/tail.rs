//! The newest events of a campaign, and the pages that its subscribers share.

use std::collections::VecDeque;
use std::time::Instant;

use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::followers::Followers;
use crate::log::{Appended, Event, Head};

/// Bytes of newest events kept per campaign.
const TAIL_BYTES: usize = 1024 * 1024;

/// Bytes of a page of joined events stay under this.
pub(super) const PAGE_BYTES: usize = 256 * 1024;

/// Pages kept of newest events per campaign.
const RECENT_PAGES: usize = 4;

/// Where a campaign's log ends, and its newest events.
pub(super) struct Tail {
    pub(super) head: Head,
    /// When that was committed, or was heard of first.
    pub(super) committed: Instant,
    pub(super) owner: Option<String>,
    events: VecDeque<Event>,
    bytes: usize,
    pages: VecDeque<Page>,
    pub(super) followers: Followers,
}

/// Events that follow each other, as one frame.
#[derive(Clone, Debug)]
pub struct Page {
    pub(super) after: u64,
    /// The number of the last one.
    pub last: u64,
    /// When that one was committed, if it is the newest.
    pub committed: Option<Instant>,
    /// Their documents, joined by line feeds. All who write it share it.
    pub text: Utf8Bytes,
}

/// What a cursor finds.
#[derive(Debug)]
pub enum Next {
    /// It is at the head.
    AtHead,
    /// The events after it.
    Page(Page),
    /// They are only in the log, which was not to be read.
    InLog,
    /// They have been forgotten.
    Gone,
}

/// How much a cursor wants at once.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// A single event, or as many as a page holds.
    pub single: bool,
    /// None beyond this number.
    pub until: u64,
}

impl ReadLimits {
    pub(super) const fn is_shared(self) -> bool {
        !self.single && self.until == u64::MAX
    }
}

impl Page {
    /// As many events as are wanted, if they follow.
    pub(super) fn of<'e>(
        after: u64,
        events: impl IntoIterator<Item = &'e Event>,
        want: ReadLimits,
    ) -> Option<Self> {
        let (mut text, mut last) = (String::new(), after);
        for event in events {
            let size = text.len() + event.document.len();
            let is_full = last > after && (want.single || size >= PAGE_BYTES);
            if event.number != last + 1 || event.number > want.until || is_full {
                break;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&event.document);
            last = event.number;
        }
        (last > after).then(|| Self { after, last, committed: None, text: text.into() })
    }
}

impl Tail {
    /// The end of a log, of which no event is at hand yet.
    pub(super) fn at(head: Head, owner: Option<String>) -> Self {
        let (events, pages) = (VecDeque::new(), VecDeque::new());
        let (committed, followers) = (Instant::now(), Followers::default());
        Self { head, committed, owner, events, bytes: 0, pages, followers }
    }

    /// Nobody follows: they can be read from the log.
    pub(super) fn forget_events(&mut self) {
        (self.events, self.pages, self.bytes) = (VecDeque::new(), VecDeque::new(), 0);
    }

    /// The log was cut or changed without an append.
    pub(super) fn reread(&mut self, head: Head) {
        self.events.retain(|event| event.number >= head.oldest);
        self.pages.clear();
        self.bytes = self.events.iter().map(|event| event.document.len()).sum();
        self.head = head;
    }

    /// What comes after a number; none if that is not in memory.
    pub(super) fn next(&mut self, after: u64, want: ReadLimits) -> Option<Next> {
        if after >= self.head.number {
            return Some(Next::AtHead);
        }
        let first = self.events.front()?.number;
        if after + 1 < first {
            return None;
        }
        // A page that was cut short by the head of its time would make more frames than needed.
        let is_whole = |page: &&Page| {
            page.after == after
                && (page.last == self.head.number || page.text.len() > PAGE_BYTES / 2)
        };
        if want.is_shared()
            && let Some(page) = self.pages.iter().find(is_whole)
        {
            return Some(Next::Page(page.clone()));
        }
        let events = self.events.iter().skip((after + 1 - first) as usize);
        let mut page = Page::of(after, events, want)?;
        page.committed = (page.last == self.head.number).then_some(self.committed);
        if want.is_shared() {
            self.pages.truncate(RECENT_PAGES - 1);
            self.pages.push_front(page.clone());
        }
        Some(Next::Page(page))
    }

    /// Takes what was appended. Kept are only events up to the head without a hole.
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
