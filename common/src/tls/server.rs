//! What a daemon proves itself with.

use super::{Error, PROTOCOL, pem, provider};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate with its key, and what is needed to speak TLS with them. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Server {
    cert: PathBuf,
    key: PathBuf,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Server {
    /// Reads both PEM files.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, Error> {
        let shown = Arc::new(Shown(RwLock::new(Arc::new(pair(cert, key)?))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(Error::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), shown, config: Arc::new(config) })
    }

    /// Reads the files again. True: the certificate is another one, shown to whoever connects from now on. An error changes nothing.
    pub fn reload(&self) -> Result<bool, Error> {
        let next = pair(&self.cert, &self.key)?;
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = shown.cert != next.cert;
        *shown = Arc::new(next);
        Ok(changed)
    }

    /// Whether it came from these files.
    pub fn is_of(&self, cert: &Path, key: &Path) -> bool {
        self.cert == cert && self.key == key
    }

    /// The handshake. Bound it in time.
    pub async fn accept<S>(&self, stream: S) -> std::io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

fn pair(cert: &Path, key: &Path) -> Result<CertifiedKey, Error> {
    const CERT: &str = "certificate";
    const KEY: &str = "private key";
    let chain = pem::certificates(&pem::read(cert, CERT)?, cert, CERT)?;
    let secret = pem::key(&pem::read(key, KEY)?, key, KEY)?;
    if std::fs::metadata(key).is_ok_and(|meta| meta.mode() & 0o007 != 0) {
        tracing::warn!(
            "{}: everybody on this host may read this private key; chmod o= it",
            key.display()
        );
    }
    CertifiedKey::from_der(chain, secret, &provider()).map_err(|cause| Error::Pair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        cause,
    })
}
