//! What can be asked for: tokens, sign-ins, sessions, tickets, keys. Each is one transaction with its audit row; whoever gets an answer
//! finds it in force here.

mod sign_in;
mod tickets;
mod tokens;

pub use sign_in::{SignIn, SignedIn};
pub(super) use tickets::first_key;
pub use tickets::{NewTicket, Signed, version as version_of_keys};
pub use tokens::Made;

use super::audit::By;
use super::caller::Caller;
use super::once::{self, Deed, OnceKey};
use super::{Access, Error, rows};
use common::moment::Moment;
use futures_util::future::BoxFuture;
use sqlx::AnyConnection;

impl Access {
    /// Does `work` after everybody else's and before the next, then reads what it made.
    async fn change<T: Send>(
        &self,
        work: impl for<'c> FnOnce(&'c mut AnyConnection) -> BoxFuture<'c, Result<T, Error>>
        + Send
        + 'static,
    ) -> Result<T, Error> {
        let done = self
            .inner
            .store
            .write(|c| {
                Box::pin(async move {
                    rows::bump(c).await?;
                    work(c).await
                })
            })
            .await?;
        // if that fails it is committed all the same, and found with the next look at the store
        self.refresh().await;
        Ok(done)
    }
}

impl Caller {
    /// As the audit log names it.
    pub(crate) fn by(&self) -> By {
        let (actor, cause) = (self.actor.clone(), self.cause.clone());
        By { actor, cause, address: Some(self.address) }
    }
}

/// Refuses what was done before under the same key.
async fn once(
    c: &mut AnyConnection,
    key: Option<&OnceKey>,
    by: &By,
    deed: Deed<'_>,
    now: Moment,
) -> Result<(), Error> {
    match key {
        Some(key) => once::claim(c, key, &by.actor, deed, now).await,
        None => Ok(()),
    }
}
