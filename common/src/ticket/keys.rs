//! The keys of tickets. A key's id is made from the public key, so that an id can never stand for another key.

use super::Refusal;
use crate::api_types::digest::hex;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io;

/// The one algorithm.
const ALGORITHM: &str = "Ed25519";
/// Most keys that are known at once: the current one and those of tickets that are still out.
const MAX_KEYS: usize = 16;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 32 bytes in base64url, or no point of the curve.
    #[error("a key of 32 bytes in base64url is wanted")]
    Form,
    /// Another algorithm.
    #[error("a key of algorithm \"{0}\"; Ed25519 is the only one")]
    Algorithm(String),
    /// The id is not that of the key.
    #[error("key id \"{0}\" is not that of its key")]
    Id(String),
    /// Too many.
    #[error("more than {MAX_KEYS} keys")]
    Many,
}

/// The centre's secret.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    kid: String,
}

impl SigningKey {
    /// A new one, from the kernel's random numbers.
    pub fn generate() -> io::Result<Self> {
        let mut seed = [0; 32];
        let read = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
        if read != seed.len() {
            return Err(io::Error::other("the kernel gave too few random bytes"));
        }
        Ok(Self::from_seed(&seed))
    }

    /// The one of this seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let kid = kid(&key.verifying_key());
        Self { key, kid }
    }

    /// Reads [`Self::secret`].
    pub fn from_secret(text: &str) -> Result<Self, KeyError> {
        Ok(Self::from_seed(&bytes(text)?))
    }

    /// The seed in base64url, to be kept where only the centre reads it.
    pub fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.to_bytes())
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What agents check with.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            kid: self.kid.clone(),
            alg: ALGORITHM.to_owned(),
            public_key: URL_SAFE_NO_PAD.encode(self.key.verifying_key().as_bytes()),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// The secret is not printed.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// A public key as `GET /v1/keys` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicKey {
    /// Its id: the first 16 hex digits of the SHA-256 of the key.
    pub kid: String,
    /// `Ed25519`.
    pub alg: String,
    /// 32 bytes in base64url without padding.
    pub public_key: String,
}

/// What `GET /v1/keys` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicKeys {
    /// The current key first, then those of tickets that are still out.
    pub keys: Vec<PublicKey>,
}

/// The public keys by id, ready to check with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, VerifyingKey>);

impl Keys {
    /// Takes what `GET /v1/keys` answered, all or nothing.
    pub fn new(public: &[PublicKey]) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for key in public {
            keys.add(key)?;
        }
        Ok(keys)
    }

    fn add(&mut self, public: &PublicKey) -> Result<(), KeyError> {
        let short = |text: &str| text.chars().take(40).flat_map(char::escape_debug).collect();
        if public.alg != ALGORITHM {
            return Err(KeyError::Algorithm(short(&public.alg)));
        }
        let key = VerifyingKey::from_bytes(&bytes(&public.public_key)?)
            .ok()
            // with a weak key one signature may fit many messages
            .filter(|key| !key.is_weak())
            .ok_or(KeyError::Form)?;
        let kid = kid(&key);
        if kid != public.kid {
            return Err(KeyError::Id(short(&public.kid)));
        }
        if self.0.len() >= MAX_KEYS && !self.0.contains_key(&kid) {
            return Err(KeyError::Many);
        }
        self.0.insert(kid, key);
        Ok(())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none: every ticket is refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn check(
        &self,
        kid: &str,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), Refusal> {
        let key = self.0.get(kid).ok_or_else(|| Refusal::UnknownKey {
            kid: kid.chars().take(40).flat_map(char::escape_debug).collect(),
        })?;
        key.verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| Refusal::Signature)
    }
}

fn bytes(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Form)?;
    bytes.try_into().map_err(|_| KeyError::Form)
}

fn kid(key: &VerifyingKey) -> String {
    hex(&Sha256::digest(key.as_bytes())[..8])
}
