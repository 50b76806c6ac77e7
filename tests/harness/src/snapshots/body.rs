//! The answer of REST that carries a whole snapshot. It copies no row: every reader of a snapshot is served
//! from the same text.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use campaign_sync::protocol::CampaignId;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::Download;
use crate::access::Identity;
use crate::clock::Clock;
use crate::lock::lock;

/// The interval at which a download checks whether its session has expired.
const SESSION_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The body of an answer. If its session ends, it fails and frees the snapshot at once, even if the peer
/// takes nothing.
#[derive(Debug)]
pub struct SnapshotBody {
    campaign: CampaignId,
    download: Arc<Mutex<Option<Download>>>,
    next: usize,
    left: u64,
    /// The first member of the document, and the brace before it. It belongs to this reader alone.
    opening: Option<String>,
    watch: AbortHandle,
}

impl Drop for SnapshotBody {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl SnapshotBody {
    /// The body for a client with this identity.
    pub fn new(download: Download, campaign: CampaignId, identity: Identity, clock: Clock) -> Self {
        let subject = identity.subject().filter(|_| !download.is_sealed());
        let opening = subject.map(|it| format!("{{\"subject\":\"{it}\","));
        // It takes the place of the brace.
        let own = opening.as_ref().map_or(0, |it| it.len() as u64 - 1);
        let left = own + download.whole_bytes(&campaign);
        let download = Arc::new(Mutex::new(Some(download)));
        let watch = tokio::spawn(free_at_end(download.clone(), identity, clock)).abort_handle();
        Self { campaign, download, next: 0, left, opening, watch }
    }
}

/// Frees the download when the session has ended.
async fn free_at_end(download: Arc<Mutex<Option<Download>>>, identity: Identity, clock: Clock) {
    let ended = Arc::new(Notify::new());
    identity.follow(&ended);
    while !identity.has_ended(clock.now().monotonic_ms) {
        tokio::select! {
            () = ended.notified() => {}
            () = sleep(SESSION_CHECK_INTERVAL) => {}
        }
    }
    lock(&download).take();
}

impl Body for SnapshotBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &*lock(&self.download) {
            Some(download) => download.piece(&self.campaign, self.next),
            None => return Poll::Ready(Some(Err(io::Error::other("the session has ended")))),
        };
        let Some(piece) = piece else { return Poll::Ready(None) };
        let piece = match self.opening.take() {
            Some(opening) => [opening.as_bytes(), &piece[1..]].concat().into(),
            None => piece,
        };
        self.next += 1;
        self.left = self.left.saturating_sub(piece.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
