//! What every stream of lines answers, for the description of the API. Pure.

use std::collections::BTreeMap;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, PartialSchema};

/// A stream, whatever it is of.
pub struct Streamed;

impl IntoResponses for Streamed {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let said = |words: &str| ResponseBuilder::new().description(words);
        let text = || ContentBuilder::new().schema(Some(String::schema()));
        let line = serde_json::json!("8fda0a1b9bc8 app.log | hello");
        let plain = said("Text, or frames")
            .content("text/plain", text().example(Some(line)).build())
            .content("application/x-ndjson", text().build());
        let socket = said("WebSocket: frames as in docs/live-logs.md, each with its `instance`");
        let taken =
            said("`too_many_streams`: this token has as many as it may, or all places are taken");
        [("101", socket), ("200", plain), ("429", taken)]
            .into_iter()
            .map(|(status, answer)| (status.to_owned(), RefOr::T(answer.build())))
            .collect()
    }
}
