//! The two keys `cert` and `key`, which `[node]` and `[server]` both have. Pure.

use super::At;
use std::path::PathBuf;

/// Where a certificate and its key are, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate, followed by those between it and the root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Both keys as typed; None if both are empty. One alone is a fault.
    pub fn typed(cert: &str, key: &str, at: &mut At<'_>) -> Option<Self> {
        for (name, path) in [("cert", cert), ("key", key)] {
            if !path.is_empty() && !path.starts_with('/') {
                at.fault(name, "must be the absolute path of a PEM file, or \"\" for no TLS");
            }
        }
        match (cert, key) {
            ("", "") => return None,
            (_, "") => at.fault("cert", "`key` is missing: TLS needs both, or neither"),
            ("", _) => at.fault("key", "`cert` is missing: TLS needs both, or neither"),
            _ => {}
        }
        Some(Self { cert: cert.into(), key: key.into() })
    }
}
