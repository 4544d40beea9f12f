//! Tickets for logs, and the keys they are signed with.

use super::once;
use crate::access::audit::{self, Action, By, Change};
use crate::access::caller::Caller;
use crate::access::once::{Deed, OnceKey};
use crate::access::role::Role;
use crate::access::signing::{self, LONGEST_TICKET, Signing};
use crate::access::{Access, Error, new_id, rows};
use crate::store::Store;
use crate::version::{IfMatch, Version};
use axum::http::StatusCode;
use common::moment::Moment;
use common::serve::Problem;
use common::ticket::{PublicKey, Right, Ticket, sign};
use serde_json::json;
use std::time::Duration;

/// A ticket as it is asked for, by somebody who sees all these instances.
#[derive(Debug, Clone)]
pub struct NewTicket {
    /// The app or the instance's key, for the audit log.
    pub subject: String,
    /// Keys of the instances.
    pub instances: Vec<String>,
    /// Which files.
    pub files: String,
    /// What may be done with them.
    pub rights: Vec<Right>,
    /// For how long.
    pub lives: Duration,
}

/// Signed.
#[derive(Debug, Clone)]
pub struct Signed {
    /// For all the instances.
    pub ticket: String,
    /// The ticket's own name.
    pub id: String,
    /// For each instance one that opens nothing else: what a link has. In the order asked for.
    pub each: Vec<String>,
    /// When they are worth nothing any more.
    pub expires: Moment,
}

impl Access {
    /// Signs tickets. They end with the caller's own permission at the latest.
    pub async fn make_ticket(
        &self,
        caller: &Caller,
        asked: NewTicket,
        key: Option<OnceKey>,
        now: Moment,
    ) -> Result<Signed, Error> {
        caller.need(Role::Viewer)?;
        let end = now.after(asked.lives.min(LONGEST_TICKET));
        let expires = caller.ends().map_or(end, |ends| ends.min(end));
        let ticket = Ticket {
            id: new_id()?,
            user: caller.actor.clone(),
            instances: asked.instances,
            files: asked.files,
            rights: asked.rights,
            issued: now,
            expires,
        };
        ticket.check().map_err(|refusal| too_large(&refusal.to_string()))?;
        let (by, subject, shown) = (caller.by(), asked.subject, ticket.clone());
        // not through `change`: nothing that is kept in memory changes
        self.inner
            .store
            .write(move |c| {
                Box::pin(async move {
                    let what = format!("a ticket for \"{subject}\"");
                    let deed = Deed { path: "POST /v1/tickets", made: &what };
                    once(c, key.as_ref(), &by, deed, now).await?;
                    let after = Some(json!({"id": shown.id, "instances": shown.instances,
                        "files": shown.files, "rights": shown.rights, "expires": shown.expires}));
                    let action = Action::TicketCreated;
                    let change = Change { action, subject: &subject, before: None, after };
                    audit::write(c, &by, change, now).await
                })
            })
            .await?;
        let known = self.known();
        let key = known.signing().current();
        let alone =
            |instance: &String| Ticket { instances: vec![instance.clone()], ..ticket.clone() };
        let each = ticket.instances.iter().map(|instance| sign(&alone(instance), key)).collect();
        Ok(Signed { ticket: sign(&ticket, key), id: ticket.id, each, expires })
    }

    /// A ticket that the centre itself uses on the caller's behalf: for one instance and all its files, for so long. That it is used is in
    /// the audit log ([`Access::relays`]), not that it is made: a stream needs many.
    pub fn own_ticket(
        &self,
        caller: &Caller,
        instance: &str,
        rights: &[Right],
        lives: Duration,
        now: Moment,
    ) -> Result<String, Error> {
        caller.need(Role::Viewer)?;
        let end = now.after(lives.min(LONGEST_TICKET));
        let ticket = Ticket {
            id: new_id()?,
            user: caller.actor.clone(),
            instances: vec![instance.to_owned()],
            files: "**".to_owned(),
            rights: rights.to_vec(),
            issued: now,
            expires: caller.ends().map_or(end, |ends| ends.min(end)),
        };
        ticket.check().map_err(|refusal| too_large(&refusal.to_string()))?;
        Ok(sign(&ticket, self.known().signing().current()))
    }

    /// Notes that the caller reads logs of `subject` through the centre.
    pub async fn relays(&self, caller: &Caller, subject: &str, now: Moment) -> Result<(), Error> {
        caller.need(Role::Viewer)?;
        let (by, subject) = (caller.by(), subject.to_owned());
        self.inner
            .store
            .write(move |c| {
                Box::pin(async move {
                    let action = Action::LogsRelayed;
                    let change = Change { action, subject: &subject, before: None, after: None };
                    audit::write(c, &by, change, now).await
                })
            })
            .await
    }

    /// The public keys that tickets are checked with, the current one first.
    pub fn public_keys(&self, now: Moment) -> Vec<PublicKey> {
        self.known().signing().public(now)
    }

    /// Signs with a new key from now on.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        key: Option<OnceKey>,
        wanted: IfMatch,
        now: Moment,
    ) -> Result<Vec<PublicKey>, Error> {
        caller.need(Role::Admin)?;
        let by = caller.by();
        self.change(move |c| {
            Box::pin(async move {
                let deed = Deed { path: "POST /v1/keys", made: "a signing key" };
                once(c, key.as_ref(), &by, deed, now).await?;
                let old = rows::signing(c).await?.map_or_else(|| Signing::first(now), Ok)?;
                wanted.check(&version(&old.public(now)))?;
                let new = old.rotated(now).map_err(|e| match e {
                    signing::Error::Many => too_often(&e).into(),
                    e => Error::Signing(e),
                })?;
                rows::put_signing(c, &new).await?;
                let (subject, was) = (new.current().kid(), old.current().kid());
                let (before, after) = (Some(json!({"kid": was})), Some(json!({"kid": subject})));
                let change = Change { action: Action::KeyRotated, subject, before, after };
                audit::write(c, &by, change, now).await?;
                Ok(new.public(now))
            })
        })
        .await
    }
}

/// The version of a list of keys.
pub fn version(keys: &[PublicKey]) -> Version {
    Version::of(&keys)
}

/// Makes the first signing key, if the store has none.
pub async fn first_key(store: &Store, now: Moment) -> Result<(), Error> {
    store
        .write(move |c| {
            Box::pin(async move {
                if rows::signing(c).await?.is_some() {
                    return Ok(());
                }
                // the lock; another process may have made one while we waited for it
                rows::bump(c).await?;
                if rows::signing(c).await?.is_some() {
                    return Ok(());
                }
                let signing = Signing::first(now)?;
                rows::put_signing(c, &signing).await?;
                let (subject, by) = (signing.current().kid(), By::centre("first start"));
                let after = Some(json!({"kid": subject}));
                let change = Change { action: Action::KeyRotated, subject, before: None, after };
                audit::write(c, &by, change, now).await
            })
        })
        .await
}

fn too_large(why: &str) -> Problem {
    let detail = format!("{why}: ask for single instances instead of the app");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "ticket_too_large", detail)
}

fn too_often(why: &signing::Error) -> Problem {
    Problem::new(StatusCode::CONFLICT, "too_many_keys", why.to_string())
}
