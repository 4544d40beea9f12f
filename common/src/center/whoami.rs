//! Whether the centre is there and takes our token: asked once, by `check`.

use super::error::{refusal, token};
use super::{Error, MAX_ANSWER};
use crate::config::api::Api;
use crate::http::{Options, Request, bearer, header, send};
use crate::tls;
use serde::Deserialize;
use std::time::Duration;

/// Who the centre says that we are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Me {
    /// The token's name.
    pub name: String,
    /// The node that the token is for; None for one of a person.
    pub node: Option<String>,
}

/// Asks `GET /v1/me`. `tls`: who vouches for `https://`.
pub async fn whoami(api: &Api, tls: Option<tls::Client>, timeout: Duration) -> Result<Me, Error> {
    let path = &api.token_file;
    let token = bearer(&token(path)?).ok_or_else(|| Error::NoToken { path: path.clone() })?;
    let url = api.url.at("/v1/me");
    let options = Options { timeout, max_body: MAX_ANSWER, tls, ..Options::default() };
    let answer = send(&url, &Request::get().header(header::AUTHORIZATION, token), &options).await?;
    if !answer.is_success() {
        return Err(refusal(&url, &answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Error::Answer {
        url: url.to_string(),
        why: "answers, but not as a centre".into(),
    })
}
