//! The public keys that tickets are checked with, asked for once.

use super::error::{refusal, token};
use super::{Error, MAX_ANSWER};
use crate::config::api::Api;
use crate::http::{Options, Request, bearer, header, send};
use crate::ticket::PublicKeys;
use crate::tls;
use std::time::Duration;

/// Asks `GET /v1/keys`. `tls`: who vouches for `https://`.
pub async fn keys(
    api: &Api,
    tls: Option<tls::Client>,
    timeout: Duration,
) -> Result<PublicKeys, Error> {
    let path = &api.token_file;
    let token = bearer(&token(path)?).ok_or_else(|| Error::NoToken { path: path.clone() })?;
    let url = api.url.at("/v1/keys");
    let options = Options { timeout, max_body: MAX_ANSWER, tls, ..Options::default() };
    let answer = send(&url, &Request::get().header(header::AUTHORIZATION, token), &options).await?;
    if !answer.is_success() {
        return Err(refusal(&url, &answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Error::Answer {
        url: url.to_string(),
        why: "answers, but with no keys".into(),
    })
}
