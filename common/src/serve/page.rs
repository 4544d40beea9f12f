//! A page of a few files that are built into a daemon. Loading them needs no credential; what they show does.
//!
//! Promise: scripts and styles come from the daemon and nowhere else, scripts make no markup, nobody puts a frame round it, and no address
//! of it is told to others. A browser that has a file is not sent it again until the daemon is another one.

use super::Problem;
use crate::api_types::digest::hex;
use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What is shown at `/`.
const FIRST: &str = "index.html";

/// A file of a page.
#[derive(Debug)]
pub struct StaticFile {
    /// `main.js`; its ending tells what it is.
    pub name: &'static str,
    /// All of it.
    pub text: &'static str,
}

/// A page, made by [`static_page!`](crate::static_page).
#[derive(Debug)]
pub struct StaticPage {
    /// Its files.
    pub files: &'static [StaticFile],
    /// One for all files: they belong together, and change only with the binary.
    tag: OnceLock<String>,
}

/// Builds files into the binary: the directory, seen from the file this stands in, then their names.
#[macro_export]
macro_rules! static_page {
    ($dir:literal: $($name:literal),+ $(,)?) => {
        $crate::serve::StaticPage::new(&[
            $($crate::serve::StaticFile { name: $name, text: include_str!(concat!($dir, "/", $name)) }),+
        ])
    };
}

impl StaticPage {
    /// Of these files.
    pub const fn new(files: &'static [StaticFile]) -> Self {
        Self { files, tag: OnceLock::new() }
    }

    /// `/`, and `/{folder}/{file}` for its parts.
    pub fn routes<S: Clone + Send + Sync + 'static>(&'static self, folder: &str) -> Router<S> {
        let first = move |headers: HeaderMap| async move { self.answer(FIRST, &headers) };
        let part = move |Path(name): Path<String>, headers: HeaderMap| async move {
            self.answer(&name, &headers)
        };
        Router::new().route("/", get(first)).route(&format!("/{folder}/{{file}}"), get(part))
    }

    fn answer(&self, name: &str, headers: &HeaderMap) -> Response {
        let Some(file) = self.files.iter().find(|file| file.name == name) else {
            return Problem::not_found("the page has no such file").into_response();
        };
        let tag = self.tag();
        let known =
            headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let head = [
            (CONTENT_TYPE, kind(name)),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
            (ETAG, tag),
        ];
        if known {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        (head, file.text).into_response()
    }

    fn tag(&self) -> &str {
        self.tag.get_or_init(|| {
            let mut sha = Sha256::new();
            self.files.iter().for_each(|file| sha.update(file.text));
            format!("\"{}\"", hex(&sha.finalize()[..16]))
        })
    }
}

/// What a file is, by its ending.
fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        // a browser does nothing with it
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAGE: StaticPage = StaticPage::new(&[
        StaticFile { name: "index.html", text: "<!doctype html>" },
        StaticFile { name: "main.js", text: "1" },
    ]);

    #[test]
    fn an_unchanged_file_is_not_sent_again() {
        let first = PAGE.answer("main.js", &HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(
            first.headers()[CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .starts_with("default-src 'none';")
        );
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(PAGE.answer("main.js", &headers).status(), StatusCode::NOT_MODIFIED);
        headers.insert(IF_NONE_MATCH, "\"of another version\"".parse().unwrap());
        assert_eq!(PAGE.answer("main.js", &headers).status(), StatusCode::OK);
    }

    #[test]
    fn nothing_but_its_files_is_there() {
        for name in ["", "../main.rs", "main", "main.js/", "MAIN.JS"] {
            let answer = PAGE.answer(name, &HeaderMap::new());
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{name}");
        }
    }
}
