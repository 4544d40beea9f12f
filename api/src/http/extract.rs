//! What a request brings: parameters, names in the path, a JSON body. Whatever is unknown, repeated, malformed or too large is refused
//! with a [`Refused`] that names it.

use super::problem::Refused;
use crate::version::IfMatch;
use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The query's parameters. Their type has `#[serde(deny_unknown_fields)]`.
#[derive(Debug, Clone)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(QueryRejection::FailedToDeserializeQueryString(e)) => {
                Err(Refused::bad_query(without_prefix(&e.body_text())))
            }
            Err(e) => Err(Refused::bad_query(e.body_text())),
        }
    }
}

/// A path that takes no parameters.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The names in the path, percent-decoded.
#[derive(Debug, Clone)]
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Path::<T>::from_request_parts(parts, state).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(PathRejection::FailedToDeserializePathParams(e)) => {
                Err(Refused::new(StatusCode::BAD_REQUEST, "bad_path", e.body_text()))
            }
            Err(e) => Err(Refused::new(StatusCode::BAD_REQUEST, "bad_path", e.body_text())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Ok(Self::of(&parts.headers)?)
    }
}

/// A body of JSON. Its type has `#[serde(deny_unknown_fields)]` where people write it.
#[derive(Debug, Clone)]
pub struct Written<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Written<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(written)) => Ok(Self(written)),
            Err(e) => Err(bad_body(e)),
        }
    }
}

/// A body that is at hand already.
pub fn parse<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Refused> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(not_json());
    }
    Json::<T>::from_bytes(body).map(|Json(written)| written).map_err(bad_body)
}

fn not_json() -> Refused {
    Refused::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body must be JSON: send it with content-type: application/json",
    )
}

fn bad_body(e: JsonRejection) -> Refused {
    match e {
        JsonRejection::JsonDataError(e) => Refused::invalid_body(without_prefix(&e.body_text())),
        JsonRejection::JsonSyntaxError(e) => {
            Refused::new(StatusCode::BAD_REQUEST, "bad_json", without_prefix(&e.body_text()))
        }
        JsonRejection::MissingJsonContentType(_) => not_json(),
        JsonRejection::BytesRejection(e) => unread(&e),
        e => Refused::new(StatusCode::BAD_REQUEST, "bad_request", e.body_text()),
    }
}

/// Why a body could not be read.
pub fn unread(e: &BytesRejection) -> Refused {
    match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the body is larger than what is taken here",
        ),
        _ => Refused::new(StatusCode::BAD_REQUEST, "bad_request", "the body did not come whole"),
    }
}

/// axum's words begin with what it tried; the rest is about what came.
fn without_prefix(text: &str) -> String {
    text.split_once(": ").map_or(text, |(_, rest)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::header::CONTENT_TYPE;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wanted {
        name: Option<String>,
        limit: Option<u16>,
    }

    async fn asked(query: &str) -> Result<Wanted, String> {
        let request = Request::get(format!("/x?{query}")).body(()).unwrap();
        let asked = Asked::<Wanted>::from_request_parts(&mut request.into_parts().0, &()).await;
        asked.map(|a| a.0).map_err(|e| format!("{e:?}"))
    }

    async fn written(kind: &str, body: &str) -> Result<Wanted, String> {
        let request = Request::post("/x")
            .header(CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let written = Written::<Wanted>::from_request(request, &()).await;
        written.map(|w| w.0).map_err(|e| format!("{e:?}"))
    }

    #[tokio::test]
    async fn a_query_is_known_parameters_once_each() {
        let good = asked("name=a%2Fb&limit=3").await.unwrap();
        assert_eq!((good.name.as_deref(), good.limit), (Some("a/b"), Some(3)));
        for (query, said) in [
            ("nmae=a", "unknown field `nmae`"),
            ("name=a&name=b", "duplicate field `name`"),
            ("limit=x", "limit: invalid digit"),
            ("limit=70000", "limit: number too large"),
        ] {
            let refused = asked(query).await.unwrap_err();
            assert!(refused.contains("bad_query") && refused.contains(said), "{refused}");
        }
    }

    #[tokio::test]
    async fn a_body_is_json_with_known_fields() {
        assert_eq!(
            written("application/json; charset=utf-8", "{\"name\":\"a\"}")
                .await
                .unwrap()
                .name
                .as_deref(),
            Some("a")
        );
        for (kind, body, code, said) in [
            ("application/json", "{\"nmae\":1}", "invalid_body", "unknown field `nmae`"),
            ("application/json", "{\"name\":1}", "invalid_body", "name: invalid type"),
            ("application/json", "{", "bad_json", "EOF"),
            ("application/json", "{} x", "bad_json", "trailing"),
            ("text/plain", "{}", "unsupported_media_type", "application/json"),
        ] {
            let refused = written(kind, body).await.unwrap_err();
            assert!(refused.contains(code) && refused.contains(said), "{refused}");
        }
    }
}
