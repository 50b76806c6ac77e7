//! The description of the REST interface, made from the types of its bodies, queries and answers.

use utoipa::openapi::path::PathItem;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Header, Object, OpenApi as Document, Ref, RefOr, Required,
    ResponseBuilder, Schema, Type,
};
use utoipa::{Modify, OpenApi};

use super::caller::COOKIE;
use super::{auth, campaigns, faults};

/// The routes, in the form of OpenAPI.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "The REST interface of the reference server of campaign-sync",
        version = "2",
        description = "docs/SERVER.md describes the effects, docs/PROTOCOL.md the codes of refusals.",
        license(name = "MIT OR Apache-2.0"),
    ),
    servers((url = "/api/v2")),
    paths(
        campaigns::list,
        campaigns::create,
        campaigns::one,
        campaigns::delete,
        campaigns::set_owner,
        campaigns::domains,
        campaigns::snapshot,
        campaigns::transitions,
        campaigns::act,
        faults::get,
        faults::set,
        faults::cut,
        faults::kill,
        faults::truncate,
        faults::diverge,
        auth::login,
        auth::logout,
        auth::session,
        auth::revoke,
    ),
    security((), ("bearer" = []), ("cookie" = [])),
    modifiers(&Security, &Operations, &Limits),
)]
pub struct Interface;

struct Security;

impl Modify for Security {
    fn modify(&self, interface: &mut Document) {
        let components = interface.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE)));
        components.add_security_scheme("cookie", cookie);
    }
}

/// Rewrites the operations in the form of OpenAPI.
struct Operations;

impl Modify for Operations {
    fn modify(&self, interface: &mut Document) {
        let Document { paths, components, .. } = interface;
        let components = components.get_or_insert_default();
        for path in paths.paths.values_mut() {
            let PathItem { get, put, post, delete, .. } = path;
            for operation in [get, put, post, delete].into_iter().flatten() {
                // A comment begins with the route, and ends with the codes of errors.
                operation.description = None;
                operation.summary = operation.summary.as_deref().map(summary);
                let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
                // An empty body counts as `{}`.
                if !has_required_members(body, components) {
                    body.required = Some(Required::False);
                }
            }
        }
    }
}

/// Adds the refusals of every route at the limits of the server: docs/SERVER.md, chapter "Limits".
struct Limits;

/// A refusal at a limit: its status, the name of its description, the description, and whether the refusal
/// has a `Retry-After`.
type LimitAnswer = (&'static str, &'static str, &'static str, bool);

/// The refusals of every body.
const BODY_LIMITS: [LimitAnswer; 2] = [
    ("408", "BodyTooLate", "The body did not arrive in time", false),
    ("413", "BodyTooLarge", "The body has more than 65,536 bytes", false),
];

/// The refusals of every request.
const REQUEST_LIMITS: [LimitAnswer; 2] = [
    ("429", "TooMuch", "The user or the address takes too much", true),
    ("503", "Busy", "The server is busy, does not reach its storage, or is behind", true),
];

impl Modify for Limits {
    fn modify(&self, interface: &mut Document) {
        let Document { paths, components, .. } = interface;
        let components = components.get_or_insert_default();
        for (_, name, description, has_retry_after) in BODY_LIMITS.iter().chain(&REQUEST_LIMITS) {
            let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            let mut answer =
                ResponseBuilder::new().description(*description).content("application/json", body);
            if *has_retry_after {
                let mut seconds = Header::new(Object::with_type(Type::Integer));
                seconds.description = Some("Seconds until the client may try again".to_owned());
                answer = answer.header("Retry-After", seconds);
            }
            components.responses.insert((*name).to_owned(), answer.into());
        }
        for path in paths.paths.values_mut() {
            let PathItem { get, put, post, delete, .. } = path;
            for operation in [get, put, post, delete].into_iter().flatten() {
                let of_body = BODY_LIMITS.iter().filter(|_| operation.request_body.is_some());
                for (status, name, ..) in of_body.chain(&REQUEST_LIMITS) {
                    let answer = RefOr::Ref(Ref::from_response_name(*name));
                    operation.responses.responses.insert((*status).to_owned(), answer);
                }
            }
        }
    }
}

fn summary(comment: &str) -> String {
    let text = comment.split_once("`: ").map_or(comment, |(_, text)| text).replace('\n', " ");
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn has_required_members(body: &RequestBody, components: &Components) -> bool {
    let Some(RefOr::T(content)) = body.content.values().next() else { return true };
    let named = match &content.schema {
        Some(RefOr::Ref(place)) => {
            let name = place.ref_location.rsplit('/').next().unwrap_or_default();
            components.schemas.get(name)
        }
        other => other.as_ref(),
    };
    !matches!(named, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
}

/// The description as JSON, as `docs/openapi.json` contains it.
///
/// # Errors
/// Those of the serialisation.
pub fn document() -> serde_json::Result<String> {
    Ok(format!("{}\n", Interface::openapi().to_pretty_json()?))
}
