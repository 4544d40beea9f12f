//! The public keys that tickets are checked with, asked for once.

use super::Error;
use super::ask::ask;
use crate::config::api::Api;
use crate::ticket::PublicKeys;
use crate::tls;
use std::time::Duration;

/// Asks `GET /v1/keys`. `tls`: who vouches for `https://`.
pub async fn keys(
    api: &Api,
    tls: Option<tls::Client>,
    timeout: Duration,
) -> Result<PublicKeys, Error> {
    ask(api, tls, timeout, "/v1/keys", "answers, but with no keys").await
}
