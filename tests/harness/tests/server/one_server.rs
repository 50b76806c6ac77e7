//! A database has one server at a time.

use std::process::Stdio;

use serde_json::json;

use super::process::{Process, program};

#[tokio::test]
async fn second_server_on_a_database_is_refused_until_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let db = directory.path().join("campaigns.db");
    let first = Process::start(&db);
    let new = |id: &str| json!({"campaignId": id, "name": id, "count": 1});
    first.post("/campaigns", new("c1")).await;

    // The second server opens the database by its name or by a link to it.
    let link = directory.path().join("link.db");
    std::os::unix::fs::symlink(&db, &link).unwrap();
    for (name, db) in [("campaigns.db", &db), ("link.db", &link)] {
        let second = program()
            .args(["--listen", "127.0.0.1:0", "--db"])
            .arg(db)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(!second.status.success());
        assert!(second.stdout.is_empty(), "it never listened");
        let stderr = String::from_utf8(second.stderr).unwrap();
        assert!(stderr.contains(&format!("{name} is in use by another server")), "{stderr}");
    }
    first.post("/campaigns", new("c2")).await;

    first.kill();
    Process::start(&db).post("/campaigns", new("c3")).await;
}
