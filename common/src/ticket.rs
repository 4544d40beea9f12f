//! Tickets: the centre's written word that somebody may read some files of some instances for a while (contracts.md section 4). Pure.
//!
//! The centre signs (Ed25519), agents check with its public keys alone and ask nobody. The text form is
//! `qtk1.<key id>.<payload>.<signature>`: payload and signature in base64url without padding, the payload being the [`Ticket`]'s JSON, the signature over
//! everything before its dot. Whatever is not exactly that is refused: another version, a foreign key, one changed bit, a field that
//! this version does not know (it may be a restriction), a ticket that has expired or is larger than the bounds.

mod glob;
mod keys;

pub use keys::{KeyError, Keys, PublicKey, PublicKeys, SigningKey};

use crate::moment::Moment;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a ticket begins with: the version of this form.
const VERSION: &str = "qtk1";
/// Longest text of a ticket, in bytes: it has to fit the headers of a request.
pub const MAX_TEXT: usize = 32 << 10;
/// Most instances of one ticket.
pub const MAX_INSTANCES: usize = 500;
/// Longest id, user and glob, in bytes.
const MAX_NAME: usize = 1024;
/// Most rights, repetitions counted.
const MAX_RIGHTS: usize = 8;
/// How far the centre's clock may be ahead of ours.
pub const SKEW: Duration = Duration::from_secs(30);

/// What a ticket allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// To list files and look into them, live too.
    Read,
    /// To take whole files away.
    Download,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Its own name, for the audit.
    pub id: String,
    /// Who asked for it.
    pub user: String,
    /// Keys of the instances it is for, each exactly.
    pub instances: Vec<String>,
    /// Which files beneath their log volumes: `*` and `?` stand for anything within a path segment, a segment `**` for any segments.
    pub files: String,
    /// What may be done with them.
    pub rights: Vec<Right>,
    /// When it was made.
    pub issued: Moment,
    /// When it is worth nothing any more.
    pub expires: Moment,
}

/// Why a ticket is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a ticket at all, or of another version.
    #[error("this is no ticket: {0}")]
    Form(&'static str),
    /// Larger than allowed.
    #[error("the ticket has {0}")]
    Bounds(&'static str),
    /// Signed with a key that is not known here.
    #[error(
        "the ticket is signed with key \"{kid}\", which is not known here; ask for a new ticket"
    )]
    UnknownKey {
        /// Which one it names.
        kid: String,
    },
    /// The signature does not fit.
    #[error("the ticket's signature does not fit")]
    Signature,
    /// Its time is over.
    #[error("the ticket expired at {0}; ask for a new one")]
    Expired(Moment),
    /// It was made in the future.
    #[error("the ticket was issued at {0}, which is still to come; compare the clocks")]
    NotYet(Moment),
}

impl Refusal {
    /// One word a program can branch on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form(_) | Self::Bounds(_) => "ticket_malformed",
            Self::UnknownKey { .. } => "ticket_key_unknown",
            Self::Signature => "ticket_signature",
            Self::Expired(_) => "ticket_expired",
            Self::NotYet(_) => "ticket_not_yet",
        }
    }
}

impl Ticket {
    /// Whether its fields are within the bounds; whoever makes one asks before [`sign`].
    pub fn check(&self) -> Result<(), Refusal> {
        if self.id.len() > MAX_NAME || self.user.len() > MAX_NAME || self.files.len() > MAX_NAME {
            return Err(Refusal::Bounds("an id, user or glob that is too long"));
        }
        if self.instances.len() > MAX_INSTANCES || self.rights.len() > MAX_RIGHTS {
            return Err(Refusal::Bounds("too many instances or rights; ask for several tickets"));
        }
        // base64 makes four of three
        if serde_json::to_vec(self).map_or(usize::MAX, |json| json.len()) > MAX_TEXT / 4 * 3 - 256 {
            return Err(Refusal::Bounds("names that are too long; ask for several tickets"));
        }
        Ok(())
    }

    /// Whether it allows `right` on this file of this instance. `file` is the path beneath the log volume; one with `.`, `..` or empty
    /// segments is never allowed.
    pub fn allows(&self, instance: &str, file: &str, right: Right) -> bool {
        self.covers(instance) && self.rights.contains(&right) && glob::matches(&self.files, file)
    }

    /// Whether it is for this instance at all.
    pub fn covers(&self, instance: &str) -> bool {
        self.instances.iter().any(|key| key == instance)
    }

    /// Whether it is valid now; streams ask again while they run.
    pub fn in_time(&self, now: Moment) -> Result<(), Refusal> {
        if now >= self.expires {
            return Err(Refusal::Expired(self.expires));
        }
        if self.issued > now.after(SKEW) {
            return Err(Refusal::NotYet(self.issued));
        }
        Ok(())
    }
}

/// Whether a path beneath a log volume fits a glob as tickets have it.
pub fn fits(files: &str, file: &str) -> bool {
    glob::matches(files, file)
}

/// The ticket's text form. One that fails [`Ticket::check`] is refused by everybody.
pub fn sign(ticket: &Ticket, key: &SigningKey) -> String {
    // strings in a struct: nothing of it can fail to print
    let json = serde_json::to_vec(ticket).unwrap_or_default();
    let signed = format!("{VERSION}.{}.{}", key.kid(), URL_SAFE_NO_PAD.encode(json));
    let signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Reads a ticket's text form; what comes back was signed with one of `keys` and is valid at `now`.
pub fn verify(text: &str, keys: &Keys, now: Moment) -> Result<Ticket, Refusal> {
    if text.len() > MAX_TEXT {
        return Err(Refusal::Bounds("too many bytes"));
    }
    let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Form("it has no dots"))?;
    let mut parts = signed.split('.');
    let (Some(VERSION), Some(kid), Some(payload), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Form("a ticket is qtk1.<key id>.<payload>.<signature>"));
    };
    let base64 = |_| Refusal::Form("a part is not base64url");
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(base64)?;
    let signature =
        signature.try_into().map_err(|_| Refusal::Form("its signature is not of 64 bytes"))?;
    // nothing of the payload is looked at before the signature is known to be good
    keys.check(kid, signed.as_bytes(), &signature)?;
    let json = URL_SAFE_NO_PAD.decode(payload).map_err(base64)?;
    let ticket: Ticket = serde_json::from_slice(&json)
        .map_err(|_| Refusal::Form("its payload is not what this version knows"))?;
    ticket.check()?;
    ticket.in_time(now)?;
    Ok(ticket)
}

#[cfg(test)]
mod tests;
