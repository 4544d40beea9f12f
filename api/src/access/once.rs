//! `Idempotency-Key`: a request that is sent again because its answer got lost is not done twice.
//!
//! What access makes has a secret that is shown once and stored nowhere, so the first answer cannot be repeated. The second request is
//! therefore answered 409 `already_done`, which names what was made and when: never a success without the secret, which a script would
//! take for one. A key belongs to one actor and one request, for a day.

use super::Error;
use super::audit::{loaded, stored};
use axum::http::{HeaderMap, StatusCode};
use common::moment::Moment;
use common::serve::Problem;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Row as _};
use std::time::Duration;

/// How long a key is remembered.
pub const KEPT: Duration = Duration::from_secs(86_400);
/// The header.
pub const HEADER: &str = "idempotency-key";
/// Longest key, in bytes.
const LONGEST: usize = 128;

/// A request's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKey(String);

impl OnceKey {
    /// From the headers; 400 `bad_idempotency_key` for one that is none.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let good = |text: &&str| (1..=LONGEST).contains(&text.len());
        match (value.to_str().ok().filter(good), values.next()) {
            (Some(text), None) => Ok(Some(Self(text.to_owned()))),
            _ => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad_idempotency_key",
                format!(
                    "the header {HEADER} must come once, as 1 to {LONGEST} characters of ASCII"
                ),
            )),
        }
    }
}

/// What a request did, for the one that repeats it.
#[derive(Debug, Clone, Copy)]
pub struct Deed<'a> {
    /// Method and path.
    pub path: &'a str,
    /// What it made: "token \"ci\"".
    pub made: &'a str,
}

/// In the transaction of the deed: notes the key, or refuses because the deed is done.
pub async fn claim(
    c: &mut AnyConnection,
    key: &OnceKey,
    actor: &str,
    deed: Deed<'_>,
    now: Moment,
) -> Result<(), Error> {
    let found =
        sqlx::query("SELECT path, body, time FROM idempotency WHERE actor = $1 AND key = $2")
            .bind(actor)
            .bind(&key.0)
            .fetch_optional(&mut *c)
            .await?;
    if let Some(row) = found {
        let (path, body): (String, String) = (row.try_get("path")?, row.try_get("body")?);
        let at = loaded(row.try_get("time")?);
        if now.since(at) < KEPT {
            return Err(Error::Refused(done_before(deed, &path, &body, at)));
        }
    }
    sqlx::query(
        "INSERT INTO idempotency (key, actor, path, status, body, time) \
         VALUES ($1, $2, $3, 201, $4, $5) \
         ON CONFLICT (actor, key) DO UPDATE SET path = excluded.path, body = excluded.body, time = excluded.time",
    )
    .bind(&key.0)
    .bind(actor)
    .bind(deed.path)
    .bind(json!({"made": deed.made}).to_string())
    .bind(stored(now))
    .execute(c)
    .await?;
    Ok(())
}

fn done_before(deed: Deed<'_>, path: &str, body: &str, at: Moment) -> Problem {
    let made = serde_json::from_str::<Value>(body).ok();
    let made = made.as_ref().and_then(|body| body.get("made")).and_then(Value::as_str);
    let made = made.unwrap_or("it");
    if path == deed.path && made == deed.made {
        let detail = format!(
            "the request with this {HEADER} made {made} at {at}; its secret was shown then and is not kept: \
             if that answer is lost, take it back and make another, with a new key"
        );
        return Problem::new(StatusCode::CONFLICT, "already_done", detail);
    }
    let detail = format!(
        "this {HEADER} was used for another request ({path}, {made}, {at}); take a new one"
    );
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
}

/// Forgets keys older than [`KEPT`].
pub async fn prune(c: &mut AnyConnection, now: Moment) -> Result<u64, Error> {
    let oldest = stored(now.before(KEPT));
    let done =
        sqlx::query("DELETE FROM idempotency WHERE time < $1").bind(oldest).execute(c).await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_key_is_one_short_line() {
        let of = |values: &[&'static [u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
            }
            OnceKey::of(&headers).map_err(|problem| problem.code)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[b"4f1c"]), Ok(Some(OnceKey("4f1c".into()))));
        for wrong in [&[&b""[..]][..], &[b"a", b"a"], &["é".as_bytes()], &[&[b'x'; 129]]] {
            assert_eq!(of(wrong), Err("bad_idempotency_key".to_owned()), "{wrong:?}");
        }
    }
}
