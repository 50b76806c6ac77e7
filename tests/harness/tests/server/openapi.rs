//! `docs/openapi.json` is the description of the routes as the code has them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use campaign_sync_harness::rest::openapi::document;
use serde_json::Value;

use super::support::{Server, parse};

/// Makes the test write the document instead of comparing it.
const WRITE: &str = "CAMPAIGN_SYNC_WRITE_OPENAPI";

#[test]
fn document_of_the_interface_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let present = document().unwrap();
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &present).unwrap();
    }
    let documented = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(documented, present, "run `cargo xtask openapi`");
}

/// The methods of a route that the server answers with anything but 405.
async fn methods(server: &Server, path: &str) -> BTreeSet<String> {
    let mut served = BTreeSet::new();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let client = reqwest::Client::new();
        // A body that every route with a body refuses, so that nothing happens.
        let request = client.request(method.parse().unwrap(), server.url(path)).body("[]");
        if request.send().await.unwrap().status() != 405 {
            served.insert(method.to_lowercase());
        }
    }
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn documented_routes_are_those_of_the_server() {
    let server = Server::with(|options| options.faults = true).await;
    server.generated("c1", 5).await;
    let interface = parse(&document().unwrap());
    for (path, operations) in interface["paths"].as_object().unwrap() {
        let documented: BTreeSet<_> = operations.as_object().unwrap().keys().cloned().collect();
        let path = path.replace("{id}", "c1").replace("{action}", "start").replace("{user}", "ada");
        assert_eq!(methods(&server, &path).await, documented, "{path}");
    }
    // The router lists its routes nowhere, so the source does.
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest/mod.rs"));
    let source = source.unwrap();
    let routes = source.split(".route(\"/").skip(1).filter_map(|it| it.split('"').next());
    let is_rest =
        |it: &&str| ["campaigns", "faults", "auth"].iter().any(|root| it.starts_with(root));
    let routes: BTreeSet<_> = routes.filter(is_rest).map(|it| format!("/{it}")).collect();
    let documented: BTreeSet<_> = interface["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(documented, routes);
}

#[test]
fn every_body_refuses_members_that_it_does_not_describe() {
    let interface = parse(&document().unwrap());
    let mut bodies = 0;
    for operation in interface["paths"].as_object().unwrap().values().flat_map(operations) {
        let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema")
        else {
            continue;
        };
        let place = schema["$ref"].as_str().unwrap().trim_start_matches('#');
        let schema = interface.pointer(place).unwrap();
        assert_eq!(schema["additionalProperties"], false, "{place}");
        bodies += 1;
    }
    assert!(bodies >= 10, "{bodies}");
}

fn operations(path: &Value) -> impl Iterator<Item = &Value> {
    path.as_object().unwrap().values()
}
