//! Which version of a thing an answer shows (`ETag`), and which one a request is meant for (`If-Match`, RFC 9110 section 13.1.1). Pure.
//!
//! Whoever changes a thing reads its version in the same transaction and asks [`IfMatch::check`]: between the look and the change
//! nothing can come. A version is opaque; it is that of the thing itself, not of what is only noted beside it, such as when it was last
//! used.

use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use common::api_types::digest;
use common::serve::Problem;
use serde::Serialize;

/// Digits of a version: enough that two of one thing never are the same.
const DIGITS: usize = 32;
/// Most versions in one request.
const MOST: usize = 32;

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The one that these facts make.
    pub fn of(facts: &impl Serialize) -> Self {
        let mut hash = digest::hash(facts);
        hash.truncate(DIGITS);
        Self(hash)
    }

    /// The answer with it.
    pub fn tag(&self, mut response: Response) -> Response {
        // hex digits in quotes: a header always
        if let Ok(value) = HeaderValue::from_str(&format!("\"{}\"", self.0)) {
            response.headers_mut().insert(ETAG, value);
        }
        response
    }
}

/// Which versions a request is meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Wanted);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Wanted {
    /// The request does not say.
    #[default]
    Whatever,
    /// `*`: any, so that it be there.
    Any,
    /// One of these.
    These(Vec<String>),
}

impl IfMatch {
    /// From the headers; 400 `bad_if_match` for what is no list of tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        let (mut given, mut any) = (false, false);
        for value in headers.get_all(IF_MATCH) {
            given = true;
            let text = value.to_str().map_err(|_| malformed())?.trim();
            if text == "*" {
                any = true;
            } else {
                list(text, &mut tags).ok_or_else(malformed)?;
            }
        }
        match (given, any) {
            (false, _) => Ok(Self(Wanted::Whatever)),
            (true, true) if tags.is_empty() => Ok(Self(Wanted::Any)),
            (true, false) if !tags.is_empty() => Ok(Self(Wanted::These(tags))),
            (true, _) => Err(malformed()),
        }
    }

    /// Whether it says anything.
    pub fn is_given(&self) -> bool {
        self.0 != Wanted::Whatever
    }

    /// 412 `precondition_failed` unless the thing is at a version that the request is meant for.
    pub fn check(&self, now: &Version) -> Result<(), Problem> {
        match &self.0 {
            Wanted::Whatever | Wanted::Any => Ok(()),
            Wanted::These(tags) if tags.contains(&now.0) => Ok(()),
            Wanted::These(_) => Err(failed(
                "it is not as it was when you looked (If-Match): get it again, and decide again with its new ETag",
            )),
        }
    }
}

/// 412 `precondition_failed`.
pub fn failed(detail: &str) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
}

fn malformed() -> Problem {
    let detail = format!(
        "the header if-match must be * or at most {MOST} ETags in quotes with commas between them"
    );
    Problem::new(StatusCode::BAD_REQUEST, "bad_if_match", detail)
}

/// Reads `"a", W/"b"` into the strong tags of it; a weak one fits nothing and is kept as what no version can be. None for anything else.
fn list(mut text: &str, tags: &mut Vec<String>) -> Option<()> {
    loop {
        let weak = text.strip_prefix("W/");
        let (tag, rest) = weak.unwrap_or(text).strip_prefix('"')?.split_once('"')?;
        if tags.len() == MOST || tag.bytes().any(|b| b <= b' ') {
            return None;
        }
        tags.push(if weak.is_some() { String::new() } else { tag.to_owned() });
        let rest = rest.trim_start();
        if rest.is_empty() {
            return Some(());
        }
        text = rest.strip_prefix(',')?.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[&str]) -> Result<IfMatch, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_str(value).unwrap());
        }
        IfMatch::of(&headers).map_err(|problem| problem.code)
    }

    #[test]
    fn a_request_is_meant_for_what_it_names() {
        let (now, before) = (Version::of(&"b"), Version::of(&"a"));
        let fits = |values: &[&str]| of(values).unwrap().check(&now).is_ok();
        let tag = |version: &Version| format!("\"{}\"", version.0);
        assert!(fits(&[]) && fits(&["*"]) && fits(&[&tag(&now)]));
        assert!(fits(&[&format!("{} ,{}", tag(&before), tag(&now))]));
        assert!(fits(&[&tag(&before), &tag(&now)]));
        assert!(!fits(&[&tag(&before)]) && !fits(&["\"\""]) && !fits(&["\"a,b\""]));
        assert!(!fits(&[&format!("W/{}", tag(&now))]), "a weak one proves nothing");
        let refused = of(&[&tag(&before)]).unwrap().check(&now).unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (412, "precondition_failed"));
        assert!(!of(&[]).unwrap().is_given() && of(&["*"]).unwrap().is_given());
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        let many = "\"a\",".repeat(MOST + 1) + "\"a\"";
        for wrong in
            ["", "a", "\"a", "\"a\" \"b\"", "\"a\",", "w/\"a\"", "\"a b\"", "*,\"a\"", &many]
        {
            assert_eq!(of(&[wrong]), Err("bad_if_match".to_owned()), "{wrong}");
        }
        assert_eq!(of(&["*", "\"a\""]), Err("bad_if_match".to_owned()));
    }

    #[test]
    fn the_tag_of_an_answer_fits_itself() {
        let version = Version::of(&("a", 1));
        let response = version.tag(Response::new(axum::body::Body::empty()));
        let tag = response.headers()[ETAG].to_str().unwrap();
        assert_eq!(tag.len(), DIGITS + 2);
        of(&[tag]).unwrap().check(&version).unwrap();
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(text in "[ -~]{0,40}") {
            if let Ok(wanted) = of(&[&text]) {
                prop_assert!(wanted.is_given());
            }
        }
    }
}
