//! Who is asking, as handlers get it.

use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Denied};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use common::serve::Peer;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Refused> {
        Ok(api.access.caller(&parts.method, &parts.headers, peer(parts)).await?)
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let refused = Self::from(denied.problem());
        match denied.retry_after() {
            Some(wait) => refused.after(wait),
            None => refused,
        }
    }
}

/// Where the request comes from; the serving side always says.
fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical())
}

/// A proxy on this machine makes everybody look local; these are what it says of itself.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

/// Somebody with a token, or anybody on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Local;

impl FromRequestParts<Arc<Api>> for Local {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Refused> {
        let forwarded = FORWARDED.iter().any(|name| parts.headers.contains_key(*name));
        if forwarded || !peer(parts).is_loopback() {
            Caller::from_request_parts(parts, api).await?;
        }
        Ok(Self)
    }
}
