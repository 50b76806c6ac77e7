//! Values at the edges of a schema: inside and outside.

use serde_json::{Value, json};

/// A value, and whether the schema permits it.
pub(crate) struct Edge {
    pub(crate) value: Value,
    pub(crate) is_inside: bool,
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// A text of that many characters that the pattern of a schema permits.
fn text(schema: &Value, chars: usize) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    let begin = if pattern == "\\{n\\}" { "{n}" } else { "" };
    begin.to_owned() + &"x".repeat(chars.saturating_sub(begin.len()))
}

/// A value that a schema permits. `campaign` is the id of a campaign that exists.
pub(crate) fn valid(schema: &Value, campaign: &str) -> Value {
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    match types(schema).first().copied() {
        Some("object") => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let member = |name: &Value| {
                let name = name.as_str().unwrap();
                let is_id = name == "campaignId";
                let value = || valid(&schema["properties"][name], campaign);
                (name.to_owned(), if is_id { json!(campaign) } else { value() })
            };
            Value::Object(required.iter().map(member).collect())
        }
        Some("string") => match schema["pattern"].as_str() {
            Some(position) if position.contains("}/") => json!("epoch/1"),
            _ => json!(text(schema, 3)),
        },
        Some("integer" | "number") => json!(schema["minimum"].as_u64().unwrap_or(1).max(1)),
        Some("boolean") => json!(true),
        other => panic!("a schema of type {other:?}: {schema}"),
    }
}

/// The edges of a schema.
pub(crate) fn edges_of(schema: &Value, campaign: &str) -> Vec<Edge> {
    let types = types(schema);
    let is = |name: &str| types.contains(&name);
    let mut edges = Vec::new();
    let mut edge = |value: Value, is_inside: bool| edges.push(Edge { value, is_inside });
    edge(Value::Null, is("null"));
    edge(json!([]), false);
    edge(json!([valid(schema, campaign)]), false);
    edge(json!({}), false);
    if !is("boolean") {
        edge(json!(true), false);
    }
    if !is("string") {
        edge(json!("text"), false);
        edge(json!(""), false);
    }
    if !is("number") && !is("integer") {
        edge(json!(1), false);
    }
    if is("string") && schema["enum"].is_array() {
        schema["enum"].as_array().unwrap().iter().for_each(|it| edge(it.clone(), true));
        edge(json!("nothing of the list"), false);
    } else if is("string") {
        strings(schema, &mut edge);
    }
    if is("integer") || is("number") {
        numbers(schema, is("integer"), &mut edge);
    }
    edges
}

fn strings(schema: &Value, edge: &mut impl FnMut(Value, bool)) {
    let pattern = schema["pattern"].as_str();
    if pattern.is_some_and(|it| it.contains("}/")) {
        for wrong in
            ["", "7", "/1", "epoch/", "epoch/-1", "epoch/+1", "epoch/1.0", "epoch/9007199254740992"]
        {
            edge(json!(wrong), false);
        }
        edge(json!("another/1"), true);
        return;
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        edge(json!(text(schema, most as usize)), true);
        edge(json!(text(schema, most as usize + 1)), false);
        edge(json!(text(schema, 60_000)), false);
    }
    if schema["minLength"].as_u64() == Some(1) {
        edge(json!(""), false);
        edge(json!("x"), true);
    }
    if let Some(pattern) = pattern {
        let wrong = if pattern == "\\{n\\}" { "none" } else { "a b/\u{e9}" };
        edge(json!(wrong), false);
    }
}

fn numbers(schema: &Value, is_integer: bool, edge: &mut impl FnMut(Value, bool)) {
    let least = schema["minimum"].as_i64().expect("every number has a minimum");
    let most = schema["maximum"].as_u64().expect("every number has a maximum");
    edge(json!(least), true);
    edge(json!(most), true);
    edge(json!(least - 1), false);
    edge(json!(most + 1), false);
    edge(json!(9_007_199_254_740_992_u64), false);
    edge(json!(u64::MAX), false);
    edge(json!(1e30), false);
    edge(json!(least as f64 + 0.5), !is_integer && most > 0);
}
