//! Tokens: made, listed, revoked.

use super::once;
use crate::access::audit::{self, Action, Change};
use crate::access::caller::Caller;
use crate::access::once::{Deed, OnceKey};
use crate::access::role::Role;
use crate::access::secret::{Kind, Secret};
use crate::access::token::{NewToken, Token, is_name};
use crate::access::{Access, Error, lock, new_id, rows, shown};
use crate::version::IfMatch;
use axum::http::StatusCode;
use common::moment::Moment;
use common::printable::printable;
use common::serve::Problem;

/// Most tokens: several for each node of the largest fleet. All of them are kept in memory.
const MOST: i64 = 20_000;

/// A new token.
#[derive(Debug, Clone)]
pub struct Made {
    /// What it is.
    pub token: Token,
    /// What it opens with. Shown once.
    pub secret: Secret,
}

impl Access {
    /// Makes a token.
    pub async fn make_token(
        &self,
        caller: &Caller,
        asked: NewToken,
        key: Option<OnceKey>,
        now: Moment,
    ) -> Result<Made, Error> {
        caller.need(Role::Admin)?;
        let token = Token { id: new_id()?, ..asked.check(now)? };
        let (secret, by) = (Secret::random(Kind::Token)?, caller.by());
        let (made, hash) = (token.clone(), secret.hash());
        self.change(move |c| {
            Box::pin(async move {
                let what = format!("token \"{}\"", made.name);
                let deed = Deed { path: "POST /v1/tokens", made: &what };
                once(c, key.as_ref(), &by, deed, now).await?;
                if rows::token_named(c, &made.name).await?.is_some() {
                    return Err(taken(&made.name).into());
                }
                if rows::count_tokens(c).await? >= MOST {
                    return Err(too_many().into());
                }
                rows::insert_token(c, &made, &hash).await?;
                let (subject, after) = (made.name.as_str(), Some(shown(&made)));
                let change = Change { action: Action::TokenCreated, subject, before: None, after };
                audit::write(c, &by, change, now).await
            })
        })
        .await?;
        Ok(Made { token, secret })
    }

    /// Revokes a token: at once here, its sessions and codes with it, and what streams under it ends. The last admin token that has not
    /// expired cannot be revoked. The token as it was.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        name: &str,
        wanted: IfMatch,
        now: Moment,
    ) -> Result<Token, Error> {
        caller.need(Role::Admin)?;
        // what can be no name is asked for nowhere: PostgreSQL takes no text with a NUL
        is_name(name).then_some(()).ok_or_else(|| missing(name))?;
        let (by, name) = (caller.by(), name.to_owned());
        self.change(move |c| {
            Box::pin(async move {
                let token = rows::token_named(c, &name).await?.ok_or_else(|| missing(&name))?;
                wanted.check(&token.version())?;
                let counts = token.role == Role::Admin && !token.expired(now);
                if counts && rows::count_admins(c, Some(now)).await? <= 1 {
                    return Err(last_admin(&name).into());
                }
                rows::delete_token(c, &token.id).await?;
                let (subject, before) = (name.as_str(), Some(shown(&token)));
                let change = Change { action: Action::TokenDeleted, subject, before, after: None };
                audit::write(c, &by, change, now).await?;
                Ok(token)
            })
        })
        .await
    }

    /// All tokens, by name.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<Token>, Error> {
        caller.need(Role::Admin)?;
        let mut tokens = rows::tokens(self.inner.store.read()).await?;
        // fresher than what is written
        let used = lock(&self.inner.used);
        for token in &mut tokens {
            token.last_used = token.last_used.max(used.last(&token.id));
        }
        Ok(tokens)
    }

    /// One token.
    pub async fn token(&self, caller: &Caller, name: &str) -> Result<Token, Error> {
        let found = self.tokens(caller).await?.into_iter().find(|token| token.name == name);
        found.ok_or_else(|| missing(name).into())
    }
}

pub(super) fn missing(name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    Problem::not_found(format!("no token \"{}\"", printable(&name)))
}

fn taken(name: &str) -> Problem {
    let detail =
        format!("there is a token \"{name}\" already: revoke it first, or take another name");
    Problem::new(StatusCode::CONFLICT, "name_taken", detail)
}

fn too_many() -> Problem {
    let detail = format!("there are {MOST} tokens; revoke some that are not used any more");
    Problem::new(StatusCode::CONFLICT, "too_many_tokens", detail)
}

fn last_admin(name: &str) -> Problem {
    let detail = format!(
        "\"{name}\" is the last admin token, without which nobody could make another; make another first"
    );
    Problem::new(StatusCode::CONFLICT, "last_admin", detail)
}
