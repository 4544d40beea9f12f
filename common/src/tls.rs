//! TLS, by rustls over ring: what a daemon proves itself with, and whom it believes.
//!
//! Promise: a certificate that does not fit its key, or a file that is none, is told at the start and names the file. A renewed
//! certificate is taken over without a restart ([`Server::reload`]); a broken one changes nothing. TLS 1.2 and 1.3, HTTP/1.1 only.
//! The client side checks the far side's certificate always; there is no switch to leave that out.

mod client;
mod pem;
mod pinned;
mod server;

pub use client::Client;
pub use server::Server;

use rustls::crypto::{CryptoProvider, ring};
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{}: cannot read the {what}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it is for.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{}: no {what}: {why}; a PEM file is wanted", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it is for.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Certificate and key are of no use together.
    #[error("{} with {}: {cause}", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// rustls' word.
        cause: rustls::Error,
    },
    /// The library refuses to be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// What both sides offer of HTTP.
const PROTOCOL: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What to do about a failed handshake, as the end of a sentence; empty if nothing is known. `setting`: where the file of the authorities
/// is named.
pub fn hint(error: &io::Error, setting: &str) -> Cow<'static, str> {
    use rustls::{CertificateError, Error as Tls, InvalidMessage};
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Tls>());
    let known = match cause {
        // a bad signature: an authority of that name is known, which is another one
        Some(Tls::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => {
            return format!("; name the file of the authority that signed it (`{setting}`)").into();
        }
        Some(Tls::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            "; it shows another certificate than the one in its file: a reload makes it read the file again"
        }
        Some(Tls::InvalidCertificate(CertificateError::Other(_))) => {
            "; a server needs a certificate that is signed by an authority and is none itself (CA:FALSE)"
        }
        Some(Tls::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "; the far side does not speak TLS there: http:// instead of https://?"
        }
        _ => "",
    };
    known.into()
}

#[cfg(test)]
pub(crate) mod tests;
