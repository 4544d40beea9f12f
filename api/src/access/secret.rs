//! Credentials as text: 32 random bytes in base64url behind a prefix that says what they open. Only their SHA-256 is ever stored.
//!
//! The hash is a plain one, without salt or stretching: what is hashed is no password but 256 bits from the kernel, which nobody finds
//! by trying. For the same reason a lookup by hash needs no comparison in constant time: whoever measures it learns something about
//! the hash of what he sent, and cannot choose that hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::api_types::digest::hex;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;

/// What a secret opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A token, `qae_...`: sent as `Authorization: Bearer`.
    Token,
    /// A session of a browser, `qaes_...`: sent as a cookie.
    Session,
    /// A one-time sign-in code, `qaec_...`: exchanged for a session.
    Code,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Token, Self::Session, Self::Code];

    /// What the text begins with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "qae_",
            Self::Session => "qaes_",
            Self::Code => "qaec_",
        }
    }
}

/// A credential in the clear. It is shown once to whom it is for; `Debug` hides it, so that no log line has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: Kind,
    text: String,
}

impl Secret {
    /// A new one. It fails where the kernel gives no random bytes.
    pub fn random(kind: Kind) -> io::Result<Self> {
        let text = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random()?));
        Ok(Self { kind, text })
    }

    /// Reads one; None for anything that cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        Kind::ALL.into_iter().find_map(|kind| {
            let mut bytes = [0; 32];
            let body = text.strip_prefix(kind.prefix()).filter(|body| body.len() == 43)?;
            let length = URL_SAFE_NO_PAD.decode_slice(body, &mut bytes).ok()?;
            (length == bytes.len()).then(|| Self { kind, text: text.to_owned() })
        })
    }

    /// What it opens.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is stored of it.
    pub fn hash(&self) -> Hash {
        Hash(Sha256::digest(self.text.as_bytes()).into())
    }

    /// The text, for the one answer or file it is written to.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(hidden)", self.kind.prefix())
    }
}

/// 32 bytes nobody can guess.
pub fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    // so few bytes come whole or not at all (getrandom(2)), but for a signal before the pool is filled
    let length = loop {
        match getrandom(&mut bytes, GetRandomFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    if length == bytes.len() {
        Ok(bytes)
    } else {
        Err(io::Error::other("the kernel gave too few random bytes"))
    }
}

/// SHA-256 of a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// As it is stored: 64 hex digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// From the store; None for what is no hash.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // enough to tell two apart in a test's message
        write!(f, "{}...", &self.hex()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_secret_reads_back_and_shows_itself_to_no_log() {
        for kind in Kind::ALL {
            let secret = Secret::random(kind).unwrap();
            assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
            assert_eq!(secret.kind(), kind);
            assert!(!format!("{secret:?}").contains(&secret.reveal()[kind.prefix().len()..]));
            assert_ne!(secret, Secret::random(kind).unwrap());
        }
        assert_eq!(Secret::random(Kind::Token).unwrap().reveal().len(), 4 + 43);
    }

    #[test]
    fn anyone_can_compute_the_hash() {
        // printf 'qae_%043d' 0 | tr 0 A | sha256sum
        let secret = Secret::parse(&format!("qae_{}", "A".repeat(43))).unwrap();
        let told = "02904573e685303a8f4cb4cade78be3caf90ba9ceec3e7c45c5578e66688a43c";
        assert_eq!(secret.hash().hex(), told);
        assert_eq!(Hash::from_hex(told), Some(secret.hash()));
    }

    proptest! {
        #[test]
        fn every_32_bytes_are_a_token(bytes in any::<[u8; 32]>()) {
            let text = format!("qae_{}", URL_SAFE_NO_PAD.encode(bytes));
            prop_assert_eq!(Secret::parse(&text).map(|s| s.kind()), Some(Kind::Token));
        }

        #[test]
        fn whatever_is_read_is_written_the_same(
            text in ".{0,60}|qae[sc]?_[A-Za-z0-9_=+/-]{40,46}",
        ) {
            if let Some(secret) = Secret::parse(&text) {
                prop_assert_eq!(secret.reveal(), text.as_str());
                // one text for one secret: no second spelling in the bits that base64 leaves over
                let body = &text[secret.kind().prefix().len()..];
                let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
                prop_assert_eq!(URL_SAFE_NO_PAD.encode(bytes), body);
            }
        }

        #[test]
        fn no_text_breaks_the_hash(text in ".{0,70}|[0-9a-fA-F]{64}") {
            if let Some(hash) = Hash::from_hex(&text) {
                prop_assert_eq!(hash.hex(), text.to_ascii_lowercase());
            }
        }
    }
}
