//! One question to the centre, asked once.

use super::error::{refusal, token};
use super::{Error, MAX_ANSWER};
use crate::config::api::Api;
use crate::http::{Options, Request, bearer, header, send};
use crate::tls;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// `GET path` with our token. `tls`: who vouches for `https://`; `why`: what an answer that is something else is said to be.
pub(super) async fn ask<T: DeserializeOwned>(
    api: &Api,
    tls: Option<tls::Client>,
    timeout: Duration,
    path: &str,
    why: &str,
) -> Result<T, Error> {
    let file = &api.token_file;
    let token = bearer(&token(file)?).ok_or_else(|| Error::NoToken { path: file.clone() })?;
    let url = api.url.at(path);
    let options = Options { timeout, max_body: MAX_ANSWER, tls, ..Options::default() };
    let answer = send(&url, &Request::get().header(header::AUTHORIZATION, token), &options).await?;
    if !answer.is_success() {
        return Err(refusal(&url, &answer));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| Error::Answer { url: url.to_string(), why: why.into() })
}
