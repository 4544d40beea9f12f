//! Browsers: a one-time code, exchanged for a session.

use super::once;
use super::tokens::missing;
use crate::access::audit::{self, Action, By, Change};
use crate::access::caller::{Caller, Grant, Session};
use crate::access::denied::Denied;
use crate::access::known::{Known, SessionRow};
use crate::access::once::{Deed, OnceKey};
use crate::access::role::Role;
use crate::access::secret::{Hash, Kind, Secret};
use crate::access::token::{Token, is_name};
use crate::access::{Access, Error, rows};
use axum::http::StatusCode;
use common::moment::Moment;
use common::serve::Problem;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a code works.
const CODE_LIVES: Duration = Duration::from_secs(300);
/// How long a session lasts.
const SESSION_LIVES: Duration = Duration::from_secs(12 * 3600);
/// Most unused codes of a token.
const MOST_CODES: i64 = 100;
/// Most sessions of a token; a further one ends the oldest.
const MOST_SESSIONS: i64 = 100;

/// A one-time code.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The code. Shown once.
    pub code: Secret,
    /// The token it signs in with.
    pub token_name: String,
    /// When it is worth nothing any more.
    pub expires: Moment,
}

/// A new session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// For the cookie.
    pub secret: Secret,
    /// Who is signed in.
    pub caller: Caller,
    /// For how long.
    pub lives: Duration,
}

impl Access {
    /// Makes a code that signs a browser in with a token: the caller's own, or by an admin another's.
    pub async fn make_sign_in(
        &self,
        caller: &Caller,
        token: Option<String>,
        key: Option<OnceKey>,
        now: Moment,
    ) -> Result<SignIn, Error> {
        caller.need(Role::Viewer)?;
        let name = token.unwrap_or_else(|| caller.name.clone());
        is_name(&name).then_some(()).ok_or_else(|| missing(&name))?;
        if name != caller.name {
            caller.need(Role::Admin)?;
        }
        let (code, by, expires) = (Secret::random(Kind::Code)?, caller.by(), now.after(CODE_LIVES));
        let (hash, subject) = (code.hash(), name.clone());
        self.change(move |c| {
            Box::pin(async move {
                let what = format!("a sign-in with token \"{subject}\"");
                let deed = Deed { path: "POST /v1/sign-ins", made: &what };
                once(c, key.as_ref(), &by, deed, now).await?;
                let token = rows::token_named(c, &subject).await?.filter(|t| !t.expired(now));
                let token = token.ok_or_else(|| missing(&subject))?;
                not_for_agents(&token)?;
                if rows::count_codes(c, &token.id, now).await? >= MOST_CODES {
                    return Err(too_many().into());
                }
                rows::insert_code(c, &hash, &token.id, expires).await?;
                let (subject, after) = (subject.as_str(), Some(json!({"expires": expires})));
                let change = Change { action: Action::SignInCreated, subject, before: None, after };
                audit::write(c, &by, change, now).await
            })
        })
        .await?;
        Ok(SignIn { code, token_name: name, expires })
    }

    /// Exchanges a code for a session; the code is worth nothing any more. A token does too, for who has one to paste.
    pub async fn sign_in(
        &self,
        secret: &Secret,
        from: IpAddr,
        now: Moment,
    ) -> Result<SignedIn, Error> {
        let signed_in = match secret.kind() {
            Kind::Code => match self.find(secret, from, Denied::NoCode, Known::code).await {
                Ok(expires) if expires > now => {
                    self.start_session(Opener::Code(secret.hash()), from, now).await
                }
                Ok(_) => Err(Denied::NoCode.into()),
                Err(denied) => Err(denied.into()),
            },
            Kind::Token => match self.grant(secret, from, now).await {
                Ok(grant) => self.start_session(Opener::Token(grant.id.clone()), from, now).await,
                Err(denied) => Err(denied.into()),
            },
            Kind::Session => Err(self.failed(from, Denied::NoCode).into()),
        };
        if let Err(Error::Denied(denied)) = &signed_in {
            self.inner.counts.denied(denied);
        }
        signed_in
    }

    /// What to answer to something that is neither a code nor a token.
    pub fn no_sign_in(&self, from: IpAddr) -> Denied {
        let denied = self.failed(from, Denied::NoCode);
        self.inner.counts.denied(&denied);
        denied
    }

    async fn start_session(
        &self,
        opener: Opener,
        from: IpAddr,
        now: Moment,
    ) -> Result<SignedIn, Error> {
        let secret = Secret::random(Kind::Session)?;
        let hash = secret.hash();
        let (token, expires) = self
            .change(move |c| {
                Box::pin(async move {
                    let id = match opener {
                        // taken in this transaction: of two that come with one code one gets it
                        Opener::Code(code) => rows::take_code(c, &code, now).await?,
                        Opener::Token(id) => Some(id),
                    };
                    let id = id.ok_or(Denied::NoCode)?;
                    let token = rows::token_with_id(c, &id).await?.filter(|t| !t.expired(now));
                    let token = token.ok_or(Denied::NoCode)?;
                    not_for_agents(&token)?;
                    let end = now.after(SESSION_LIVES);
                    let expires = token.expires.map_or(end, |token_end| token_end.min(end));
                    let row = SessionRow { hash, token: id, expires };
                    rows::insert_session(c, &row, now, MOST_SESSIONS).await?;
                    let by = By { actor: token.actor(), cause: String::new(), address: Some(from) };
                    let after = Some(json!({"expires": expires}));
                    let action = Action::SessionCreated;
                    let change = Change { action, subject: &token.name, before: None, after };
                    audit::write(c, &by, change, now).await?;
                    Ok((token, expires))
                })
            })
            .await?;
        let row = token.name.clone();
        let grant = Grant::new(token).map_err(|what| rows::wrong("tokens", &row, what))?;
        let session = Some(Session { hash, expires });
        let caller =
            Caller { grant: Arc::new(grant), session, cause: String::new(), address: from };
        Ok(SignedIn { secret, caller, lives: expires.since(now) })
    }

    /// Ends the caller's own session.
    pub async fn sign_out(&self, caller: &Caller, now: Moment) -> Result<(), Error> {
        let session = caller.session.ok_or_else(no_session)?;
        let (by, name) = (caller.by(), caller.name.clone());
        self.change(move |c| {
            Box::pin(async move {
                if !rows::delete_session(c, &session.hash).await? {
                    // signed out twice at once: the other one did it
                    return Ok(());
                }
                let before = Some(json!({"expires": session.expires}));
                let action = Action::SessionEnded;
                let change = Change { action, subject: &name, before, after: None };
                audit::write(c, &by, change, now).await
            })
        })
        .await
    }
}

/// What a session is opened with.
enum Opener {
    Code(Hash),
    Token(String),
}

fn not_for_agents(token: &Token) -> Result<(), Problem> {
    if token.role >= Role::Viewer {
        return Ok(());
    }
    let detail =
        format!("token \"{}\" is for a node's agents; nobody signs in with it", token.name);
    Err(Problem::new(StatusCode::FORBIDDEN, "role_needed", detail))
}

fn too_many() -> Problem {
    let detail =
        format!("{MOST_CODES} codes of this token wait to be used; they end within five minutes");
    Problem::new(StatusCode::CONFLICT, "too_many_codes", detail)
}

fn no_session() -> Problem {
    let detail = "this request came with a token, which is no session; `DELETE /v1/tokens/{name}` revokes it";
    Problem::new(StatusCode::CONFLICT, "no_session", detail)
}
