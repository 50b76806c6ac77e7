//! The searches of one user leave others their turn.

use std::path::Path;
use std::sync::Arc;

use campaign_sync_harness::log::EventLog as _;
use campaign_sync_harness::log::sqlite::SqliteLog;

use super::log::{created, id, row};
use super::memory::generate;
use super::sessions::{asks, bearer, guarded};

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_one_user_leave_others_their_turn() {
    const SEARCHES: usize = 490;
    let server = Arc::new(guarded(|options| options.requests_per_second = 1_000_000).await);
    let ada = bearer(&server, "ada-l").await;
    let bob = bearer(&server, "bob-m").await;
    generate(&server, &ada, "c1").await;
    let searches: Vec<_> = (0..SEARCHES)
        .map(|number| {
            let (server, ada) = (server.clone(), ada.clone());
            tokio::spawn(async move {
                let path = format!("/campaigns/c1/domains?search=nothing-{number}");
                asks(&server, &ada, "GET", &path).await.code().0
            })
        })
        .collect();
    let mut answered = 0;
    while !searches.iter().all(tokio::task::JoinHandle::is_finished) {
        assert_eq!(asks(&server, &bob, "GET", "/campaigns").await.status, 200);
        answered += 1;
    }
    assert!(answered > 0);
    let mut statuses = Vec::new();
    for search in searches {
        statuses.push(search.await.unwrap());
    }
    let count = |status| statuses.iter().filter(|it| **it == status).count();
    assert_eq!(count(200) + count(429), SEARCHES, "{statuses:?}");
    assert!(count(200) >= 2 && count(429) > 0, "{statuses:?}");
}

/// The open files of this process that are this one.
fn open_files(path: &Path) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    files.filter(|it| std::fs::read_link(it.path()).is_ok_and(|to| to == path)).count()
}

#[test]
fn database_is_read_over_few_connections() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join("log.db");
    let log = SqliteLog::open(&path, "epoch-1", false).unwrap();
    let drafts: Vec<_> = std::iter::once(created()).chain((0..2_000).map(row)).collect();
    log.append(&id(), 0, &drafts).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                assert_eq!(log.recount(&id()).unwrap().unwrap().count, 2_000);
                assert!(log.campaigns().is_ok());
            });
        }
    });
    let open = open_files(&path);
    assert!((2..=25).contains(&open), "{open} connections");
}
