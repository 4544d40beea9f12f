//! PEM files, read with a limit.

use super::Error;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Most bytes of a file; the authorities of a whole system are a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

/// The whole file.
pub(super) fn read(path: &Path, what: &'static str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::Read { path: path.to_owned(), what, source })?;
    if bytes.len() as u64 > MAX_BYTES {
        let why = "it is larger than 1 MiB".to_owned();
        return Err(Error::Pem { path: path.to_owned(), what, why });
    }
    Ok(bytes)
}

/// All certificates of a file; at least one.
pub(super) fn certificates(
    bytes: &[u8],
    path: &Path,
    what: &'static str,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match all {
        Ok(all) if all.is_empty() => Err(broken(&pem::Error::NoItemsFound, path, what)),
        Ok(all) => Ok(all),
        Err(error) => Err(broken(&error, path, what)),
    }
}

/// The first private key of a file.
pub(super) fn key(
    bytes: &[u8],
    path: &Path,
    what: &'static str,
) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| broken(&error, path, what))
}

fn broken(error: &pem::Error, path: &Path, what: &'static str) -> Error {
    let why = match error {
        pem::Error::NoItemsFound => "it holds none".to_owned(),
        // says where, never what: it may be a key
        pem::Error::Base64Decode(_) => "its base64 is broken".to_owned(),
        pem::Error::MissingSectionEnd { .. } => "it breaks off".to_owned(),
        _ => "it is not PEM".to_owned(),
    };
    Error::Pem { path: path.to_owned(), what, why }
}
