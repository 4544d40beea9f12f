//! On every kind of store: the door and the desk together.

mod audit;
mod door;
mod sign_in;
mod tickets;
mod tokens;

use super::*;
use crate::access::token::NewToken;
use crate::store::{TestStore, test_stores};
use crate::version::IfMatch;
use axum::http::HeaderName;
use serde_json::{Value, json};
use std::str::FromStr as _;
use tempfile::TempDir;

/// An access open on a store, with its first admin.
pub(super) struct Open {
    pub access: Access,
    pub admin: Secret,
    pub dir: TempDir,
    pub store: TestStore,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

pub(super) const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

impl Open {
    pub async fn on(store: TestStore) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let access =
            Access::open(store.store.clone(), dir.path(), &tasks, stop.clone()).await.unwrap();
        let text = std::fs::read_to_string(dir.path().join("admin-token")).unwrap();
        let admin = Secret::parse(text.trim()).unwrap();
        Self { access, admin, dir, store, stop, tasks }
    }

    /// One on every kind of store.
    pub async fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for store in test_stores().await {
            all.push(Self::on(store).await);
        }
        all
    }

    /// The first admin, calling.
    pub async fn admin(&self) -> Caller {
        self.access.with(&self.admin).await.unwrap()
    }

    /// Makes a token by the first admin.
    pub async fn make(&self, asked: Value) -> Made {
        let (admin, now) = (self.admin().await, Moment::now());
        self.access.make_token(&admin, asked_for(asked), None, now).await.unwrap()
    }
}

impl Access {
    /// Who calls with this token.
    pub(super) async fn with(&self, secret: &Secret) -> Result<Caller, Denied> {
        let bearer = format!("Bearer {}", secret.reveal());
        self.get(&[("authorization", &bearer)]).await
    }

    /// Who calls with these headers.
    pub(super) async fn get(&self, headers: &[(&str, &str)]) -> Result<Caller, Denied> {
        self.caller(&Method::GET, &header_map(headers), HERE).await
    }

    pub(super) fn counted(&self) -> std::collections::BTreeMap<&'static str, u64> {
        let mut counted = std::collections::BTreeMap::new();
        self.each_count(|name, value| {
            counted.insert(name, value);
        });
        counted
    }
}

pub(super) fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let pairs = headers.iter().map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (HeaderName::from_str(name).unwrap(), value)
    });
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        map.append(name, value);
    }
    map
}

pub(super) fn asked_for(asked: Value) -> NewToken {
    serde_json::from_value(asked).unwrap()
}

pub(super) fn code_of(error: Error) -> String {
    match error {
        Error::Refused(problem) => problem.code,
        Error::Denied(denied) => denied.code().to_owned(),
        error => panic!("{error}"),
    }
}

pub(super) fn viewer(name: &str) -> Value {
    json!({"name": name, "role": "viewer"})
}
