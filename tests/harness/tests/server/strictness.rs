//! Requests mean what they say: every member of every body and every parameter of every query at its edges,
//! taken from the description of the interface, which is made from the types of the routes.

use campaign_sync_harness::rest::openapi::Interface;
use serde_json::{Value, json};
use utoipa::OpenApi as _;

use super::edges::{Edge, edges_of, valid};
use super::support::{Answer, Server, answer};

/// One operation of the interface.
struct Operation {
    method: String,
    path: String,
    /// The schema of the body.
    body: Option<Value>,
    query: Vec<Value>,
}

fn resolved(interface: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(place) => interface.pointer(place.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    }
}

/// The operations, those that delete a campaign last.
fn operations() -> Vec<Operation> {
    let interface = json!(Interface::openapi());
    let mut operations = Vec::new();
    for (path, methods) in interface["paths"].as_object().unwrap() {
        for (method, it) in methods.as_object().unwrap() {
            let body = it.pointer("/requestBody/content/application~1json/schema");
            let parameters = it["parameters"].as_array().cloned().unwrap_or_default();
            let mut body = body.map(|schema| resolved(&interface, schema));
            for member in
                body.iter_mut().filter_map(|it| it["properties"].as_object_mut()).flatten()
            {
                *member.1 = nullable(&interface, member.1);
            }
            let query = parameters.into_iter().filter(|it| it["in"] == "query").collect();
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                body,
                query,
            });
        }
    }
    operations
}

/// The schema of a member, with its reference resolved.
fn nullable(interface: &Value, schema: &Value) -> Value {
    let Some(choices) = schema["oneOf"].as_array() else { return resolved(interface, schema) };
    let is_null = |it: &&Value| it["type"] == "null";
    let other = choices.iter().find(|it| !is_null(it)).unwrap();
    let mut schema = resolved(interface, other);
    if choices.iter().any(|it| is_null(&it)) {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema
}

/// The address of an operation on a separate campaign.
async fn route(server: &Server, operation: &Operation, number: usize) -> (String, String) {
    let id = format!("op-{number}");
    let new = json!({"campaignId": id, "name": "one", "count": 5});
    assert_eq!(server.post("/campaigns", new).await.status, 201);
    let path = operation.path.replace("{id}", &id);
    (path.replace("{action}", "start").replace("{user}", "ada"), id)
}

async fn send(server: &Server, method: &str, path: &str, body: String) -> Answer {
    let request = reqwest::Client::new().request(method.parse().unwrap(), server.url(path));
    answer(request.body(body)).await
}

fn names(answer: &Answer, member: &str) -> bool {
    let message = answer.body["error"]["message"].as_str().unwrap_or_default();
    message.contains(member) || answer.code().1 == "invalid_campaign_id"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_member_of_every_body_is_checked_at_its_edges() {
    let server = Server::with(|options| options.faults = true).await;
    let mut checked = 0;
    for (number, operation) in operations().iter().enumerate() {
        let Some(schema) = &operation.body else { continue };
        let (path, id) = route(&server, operation, number).await;
        let base = valid(schema, &id);
        let call = |body: String| send(&server, &operation.method, &path, body);
        let refused = async |body: String, member: &str| {
            let answer = call(body.clone()).await;
            let at = format!("{} {path} {:.200}: {}", operation.method, body, answer.body);
            assert_eq!(answer.status, 400, "{at}");
            assert!(names(&answer, member), "names no {member}: {at}");
        };
        let text = base.to_string();
        for (body, reason) in [
            ("[]", "object"),
            ("null", "object"),
            ("\"text\"", "object"),
            (&*format!("{text}{text}"), "trailing"),
            ("{\"unknownSibling\":1}", "unknownSibling"),
            ("{\"unknownSibling\":1,\"unknownSibling\":1}", "unknownSibling"),
        ] {
            refused(body.to_owned(), reason).await;
        }
        let members = schema["properties"].as_object().cloned().unwrap_or_default();
        // The values of the members as a list, in their order, are no body.
        let list: Vec<_> = members.values().map(|member| valid(member, &id)).collect();
        refused(json!(list).to_string(), "object").await;
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, member) in &members {
            let with = |value: &Value| {
                let mut body = base.clone();
                body[name] = value.clone();
                body.to_string()
            };
            for misspelled in [format!("{name}_"), name.to_uppercase()] {
                let mut body = base.clone();
                body[&misspelled] = base.get(name).cloned().unwrap_or_default();
                refused(body.to_string(), &misspelled).await;
            }
            if required.contains(&json!(name)) {
                let mut body = base.clone();
                body.as_object_mut().unwrap().remove(name);
                refused(body.to_string(), name).await;
            }
            let value = valid(member, &id);
            let repeated = format!("{{\"{name}\":{value},\"{name}\":{value}}}");
            refused(repeated, name).await;
            for Edge { value, is_inside } in edges_of(member, &id) {
                checked += 1;
                if !is_inside {
                    refused(with(&value), name).await;
                }
            }
        }
        // The process must survive this test.
        if path == "/faults/kill" {
            continue;
        }
        for (name, member) in &members {
            for Edge { value, is_inside } in edges_of(member, &id) {
                let mut body = base.clone();
                body[name] = value;
                if is_inside {
                    let answer = call(body.to_string()).await;
                    let at = format!("{} {path} {body}: {}", operation.method, answer.body);
                    assert!(answer.status != 400 && answer.status < 500, "{at}");
                }
            }
        }
        assert_ne!(call(text).await.status, 400, "{} {path}", operation.method);
    }
    assert!(checked > 200, "{checked} edges");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_of_every_query_is_checked_at_its_edges() {
    let server = Server::with(|options| options.faults = true).await;
    let mut checked = 0;
    for (number, operation) in operations().iter().enumerate() {
        let (path, id) = route(&server, operation, number).await;
        let call = async |query: &[(&str, String)]| {
            let method = operation.method.parse().unwrap();
            let request = reqwest::Client::new().request(method, server.url(&path)).query(query);
            let body =
                operation.body.as_ref().map_or_else(String::new, |it| valid(it, &id).to_string());
            answer(request.body(body)).await
        };
        let refused = async |query: &[(&str, String)], name: &str| {
            let answer = call(query).await;
            let at = format!("{} {path} {query:?}: {}", operation.method, answer.body);
            assert_eq!(answer.code(), (400, "invalid_body"), "{at}");
            assert!(names(&answer, name), "names no {name}: {at}");
        };
        if path != "/faults" || operation.method != "GET" {
            let name = if operation.body.is_some() { "query" } else { "unknownSibling" };
            refused(&[("unknownSibling", "1".into())], name).await;
        }
        for parameter in &operation.query {
            let name = parameter["name"].as_str().unwrap();
            let text =
                |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let one = text(&valid(&parameter["schema"], &id));
            refused(&[(&*name.to_uppercase(), one.clone())], &name.to_uppercase()).await;
            refused(&[(name, one.clone()), (name, one.clone())], name).await;
            for Edge { value, is_inside } in edges_of(&parameter["schema"], &id) {
                // In a query a number is a text, and an absent value is an absent parameter.
                let is_text = parameter["schema"]["type"].to_string().contains("string");
                if value.is_null()
                    || value.is_object()
                    || value.is_array()
                    || is_text && !value.is_string()
                {
                    continue;
                }
                checked += 1;
                let query = [(name, text(&value))];
                if is_inside {
                    let answer = call(&query).await;
                    // A position that the log has not reached is `behind`.
                    let code = answer.code();
                    assert!(code.0 < 400 || code == (503, "behind"), "{path} {query:?}: {code:?}");
                } else {
                    refused(&query, name).await;
                }
            }
        }
    }
    assert!(checked > 40, "{checked} edges");
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_changes_only_by_a_body_that_names_the_owner() {
    let server = Server::start().await;
    server.generated("c1", 5).await;
    let owner = async |body: &str| send(&server, "PUT", "/campaigns/c1/owner", body.into()).await;
    assert_eq!(owner("{\"owner\":\"ada\"}").await.status, 200);
    for body in [
        "",
        "{}",
        "{\"reason\":\"none\"}",
        "{\"Owner\":null}",
        "{\"owner\":\"\"}",
        "{\"owner\":\"operator\"}",
    ] {
        assert_eq!(owner(body).await.code(), (400, "invalid_body"), "{body}");
    }
    let settings = server.get("/campaigns/c1").await.body["settings"].clone();
    assert_eq!(settings["owner"], "ada");
    assert_eq!(owner("{\"owner\":null}").await.status, 200);
    assert_eq!(server.get("/campaigns/c1").await.body["settings"].get("owner"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn transition_with_a_misspelled_guard_is_not_made() {
    let server = Server::start().await;
    let head = server.generated("c1", 5).await;
    for guard in ["expectedstate", "expectedStates", "ExpectedState"] {
        let refused = server.post("/campaigns/c1/configure-dns", json!({guard: "analysis"})).await;
        assert_eq!(refused.code(), (400, "invalid_body"));
        assert!(refused.body["error"]["message"].as_str().unwrap().contains(guard));
    }
    let position = server.get("/campaigns/c1").await.position.unwrap();
    assert!(position.ends_with(&format!("/{head}")), "nothing happened: {position}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idempotency_keys_are_visible_ascii() {
    let server = Server::start().await;
    let new = json!({"name": "one", "count": 5});
    for key in ["", "a key", "a\tkey", " ", "schl\u{fc}ssel", &*"k".repeat(129)] {
        let request = reqwest::Client::new().post(server.url("/campaigns"));
        let request = request.header(
            "idempotency-key",
            reqwest::header::HeaderValue::from_bytes(key.as_bytes()).unwrap(),
        );
        assert_eq!(
            answer(request.body(new.to_string())).await.code(),
            (400, "invalid_body"),
            "{key:?}"
        );
    }
    for key in ["!", "~", &*"k".repeat(128)] {
        assert_eq!(server.keyed("/campaigns", key, new.clone()).await.status, 201, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_text_of_a_client_is_cut_in_the_refusal() {
    let server = Server::start().await;
    let name = "x".repeat(50_000);
    let refused = server.post("/campaigns", json!({ name: 1 })).await;
    assert_eq!(refused.code(), (400, "invalid_body"));
    assert_eq!(refused.body["error"]["message"].as_str().unwrap().chars().count(), 300);
}
