//! The page: a few files, built in. Loading them needs no ticket; what they show does.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use common::serve::Problem;
use std::sync::LazyLock;
use xxhash_rust::xxh3::Xxh3;

/// Scripts and styles from here and nowhere else, no markup made by scripts, no frame round it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const JS: &str = "text/javascript; charset=utf-8";

struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! files {
    ($($name:literal $kind:expr,)+) => {
        &[$(File { name: $name, kind: $kind, text: include_str!(concat!("../../web/", $name)) },)+]
    };
}

const FILES: &[File] = files! {
    "index.html" "text/html; charset=utf-8",
    "logs.css" "text/css; charset=utf-8",
    "icon.svg" "image/svg+xml",
    "main.js" JS,
    "ansi.js" JS,
    "draw.js" JS,
    "list.js" JS,
    "store.js" JS,
    "stream.js" JS,
};

/// One tag for all files: they belong together, and change only with the binary.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Xxh3::new();
    FILES.iter().for_each(|file| hash.update(file.text.as_bytes()));
    format!("\"{:016x}\"", hash.digest())
});

/// `/` and `/logs/{file}`.
pub(super) fn routes() -> Router {
    let page = |headers: HeaderMap| async move { file("index.html", &headers) };
    let part = |Path(name): Path<String>, headers: HeaderMap| async move { file(&name, &headers) };
    Router::new().route("/", get(page)).route("/logs/{file}", get(part))
}

fn file(name: &str, headers: &HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return Problem::not_found("the page has no such file").into_response();
    };
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == TAG.as_bytes());
    let head = [
        (CONTENT_TYPE, file.kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (ETAG, TAG.as_str()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, file.text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_the_page_names_is_there_and_nothing_is_made_of_markup() {
        let names: Vec<_> = FILES.iter().map(|f| f.name).collect();
        for text in FILES.iter().map(|f| f.text) {
            for part in text.split("\"/logs/").skip(1).chain(text.split(" from \"./").skip(1)) {
                let name = part.split('"').next().unwrap();
                assert!(names.contains(&name), "{name}");
            }
            let foreign = [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "style=",
            ];
            for foreign in foreign {
                assert!(!text.contains(foreign), "{foreign}");
            }
        }
    }

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = file("main.js", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(file("main.js", &headers).status(), StatusCode::NOT_MODIFIED);
        assert_eq!(file("../main.rs", &headers).status(), StatusCode::NOT_FOUND);
    }
}
