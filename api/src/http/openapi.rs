//! The API's description, made from the handlers, and completed here with what every one of them may answer: a handler names only what
//! is its own. Pure.

#[cfg(test)]
mod tests;

use common::serve::Problem;
use std::collections::HashSet;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Ref, RefOr, Required, Response};
use utoipa::{OpenApi, PartialSchema};

/// The frame of the description; paths and schemas come from the routes.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "QAE API",
        description = "The centre: apps, their instances, nodes, what changed (the bus), and who may see it.\n\n\
            Send `Authorization: Bearer qae_...`; a browser signs in and has a cookie. App ids and keys in a path are \
            percent-encoded (`/v1/apps/video%2Fapi`). Lists are `{items, next}`: give `next` back as `cursor`. Whatever is no \
            success is RFC 9457 `application/problem+json` with a `code` to branch on. Unknown parameters and fields are refused."
    ),
    components(schemas(Problem)),
    tags(
        (name = "apps", description = "Apps and their instances"),
        (name = "nodes", description = "Hosts, their agents, and clusters"),
        (name = "bus", description = "State at a cursor, and every change after it"),
        (name = "logs", description = "Live logs through the centre"),
        (name = "metrics", description = "Figures, from Graphite or the nodes"),
        (name = "access", description = "Tokens, sessions, tickets, keys, the audit log"),
        (name = "daemon", description = "The daemon itself"),
    )
)]
pub struct Described;

/// The scheme of `Authorization: Bearer`.
const BEARER: &str = "token";
/// The scheme of the page's cookie.
const COOKIE: &str = "session";

/// The one path whose body may be empty.
const REPORT: &str = "/v1/nodes/{node}/agents/{agent}";
/// The header that what makes something takes.
const ONCE: &str = "Idempotency-Key";
/// The header of what changes something that has versions.
const IF_MATCH: &str = "If-Match";
/// What it may be; several with commas between them are taken too.
const TAG: &str = "^(\\*|\"[!#-~]{1,64}\")$";

/// What stands at every door: no handler is asked.
const ALWAYS: &[(u16, &str)] = &[
    (
        400,
        "`bad_request`, `bad_query`, `bad_path`: the request is malformed, or a parameter is unknown or has a wrong value",
    ),
    (421, "`wrong_host`: it listens on loopback only and is addressed by another name"),
    (503, "`too_slow`, `too_many_connections`, `store_unavailable`: not now; see `retry-after`"),
];
/// Where a token or session is needed.
const SIGNED: &[(u16, &str)] = &[
    (
        401,
        "`token_missing`, `token_malformed`, `token_unknown`, `token_expired`, `session_ended`: nobody known is asking",
    ),
    (403, "The token's role, node or topics do not reach so far"),
    (429, "`too_many_failures`: too many wrong tokens from this address; see `retry-after`"),
];
/// Where the path names something.
const NAMED: &[(u16, &str)] = &[(404, "`not_found`: it is not there, or not for this token")];
/// Where something is changed.
const CHANGING: &[(u16, &str)] = &[(
    412,
    "`precondition_failed`: `If-Match` names another version than the current one, or what is here has none",
)];
/// Where a body is read.
const WRITTEN: &[(u16, &str)] = &[
    (413, "`body_too_large`"),
    (415, "`unsupported_media_type`: the body must be `application/json`"),
    (422, "`invalid_body`: JSON, but not what is wanted; the detail names the field"),
];

/// The description with everything in it.
pub fn complete(mut api: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let components = api.components.get_or_insert_with(Default::default);
    components.add_security_scheme(
        BEARER,
        SecurityScheme::Http(
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("qae_...").build(),
        ),
    );
    components.add_security_scheme(
        COOKIE,
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("qae_session"))),
    );
    if let Some(body) = api
        .paths
        .paths
        .get_mut(REPORT)
        .and_then(|item| item.put.as_mut())
        .and_then(|put| put.request_body.as_mut())
    {
        body.required = Some(Required::False);
    }
    for item in api.paths.paths.values_mut() {
        for (method, operation) in operations(item) {
            complete_one(method, operation);
        }
    }
    api
}

/// Method and path of what takes `If-Match`, as it was described.
pub fn versioned(api: &utoipa::openapi::OpenApi) -> HashSet<(String, String)> {
    let mut paths = api.paths.paths.clone();
    let each = paths.iter_mut().flat_map(|(path, item)| {
        operations(item).filter_map(move |(method, operation)| {
            let takes = operation.parameters.iter().flatten().any(|p| p.name == IF_MATCH);
            takes.then(|| (method.to_owned(), path.clone()))
        })
    });
    each.collect()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("PUT", &mut item.put),
        ("POST", &mut item.post),
        ("DELETE", &mut item.delete),
        ("PATCH", &mut item.patch),
        ("HEAD", &mut item.head),
        ("OPTIONS", &mut item.options),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn complete_one(method: &str, operation: &mut Operation) {
    if operation.security.is_none() {
        let none: [&str; 0] = [];
        operation.security =
            Some([BEARER, COOKIE].map(|scheme| SecurityRequirement::new(scheme, none)).to_vec());
    }
    let open = operation
        .security
        .as_ref()
        .is_some_and(|all| all.iter().all(|s| *s == SecurityRequirement::default()));
    let named = operation.parameters.iter().flatten().any(|p| p.parameter_in == ParameterIn::Path);
    for parameter in operation.parameters.iter_mut().flatten().filter(|p| p.name == ONCE) {
        let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[!-~]{1,128}$"));
        parameter.schema = Some(key.into());
    }
    for parameter in operation.parameters.iter_mut().flatten().filter(|p| p.name == IF_MATCH) {
        let tag = ObjectBuilder::new().schema_type(Type::String).pattern(Some(TAG));
        parameter.schema = Some(tag.into());
    }
    let mut add = |answers: &[(u16, &str)]| {
        for (status, description) in answers {
            let entry = operation.responses.responses.entry(status.to_string());
            entry.or_insert_with(|| RefOr::T(problem(*status, description)));
        }
    };
    add(ALWAYS);
    if !open {
        add(SIGNED);
    }
    if named {
        add(NAMED);
    }
    if !matches!(method, "GET" | "HEAD" | "OPTIONS") {
        add(CHANGING);
    }
    if operation.request_body.is_some() {
        add(WRITTEN);
    }
    for (status, response) in &mut operation.responses.responses {
        if let (RefOr::T(response), Ok(status @ 400..)) = (response, status.parse::<u16>()) {
            let words = std::mem::take(&mut response.description);
            *response = problem(status, &words);
        }
    }
}

/// A refusal of this status.
fn problem(status: u16, description: &str) -> Response {
    let schema = Ref::from_schema_name("Problem");
    let answer = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build());
    let header = |name: &str, schema: RefOr<utoipa::openapi::Schema>| {
        (name.to_owned(), HeaderBuilder::new().schema(schema).build())
    };
    let headers = match status {
        401 => Some(header("WWW-Authenticate", String::schema())),
        429 | 503 => {
            Some(header("Retry-After", ObjectBuilder::new().schema_type(Type::Integer).into()))
        }
        _ => None,
    };
    match headers {
        Some((name, header)) => answer.header(name, header).build(),
        None => answer.build(),
    }
}
