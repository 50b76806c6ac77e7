//! The runner during a failure of the log, and after it.

use std::time::Duration;

use rusqlite::Connection;
use serde_json::json;

use super::support::Server;

#[tokio::test(flavor = "multi_thread")]
async fn phase_continues_once_the_log_works_again() {
    let server = Server::start().await;
    let new = json!({"campaignId": "c1", "name": "one", "count": 200, "rate": 100, "batch": 1});
    assert_eq!(server.post("/campaigns", new).await.status, 201);
    assert_eq!(server.act("c1", "start").await.status, 200);
    let sql = |statement: &str| Connection::open(&server.db).unwrap().execute_batch(statement);
    sql("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let during = server.get("/campaigns/c1").await.body;
    assert_eq!(during["phaseStatus"], "in_progress");
    sql("DROP TRIGGER full").unwrap();
    server.completed("c1").await;
    assert_eq!(server.get("/campaigns/c1").await.body["totalDomainCount"], 200);
}
