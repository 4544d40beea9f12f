//! Whom a daemon believes.

use super::pinned::Pinned;
use super::{Error, PROTOCOL, pem, provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The authorities that vouch for servers. Clones share them and the sessions that can be resumed.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Those of the file, else the system's.
    pub fn load(ca_file: Option<&Path>) -> Result<Self, Error> {
        const WHAT: &str = "certificate of an authority";
        let Some(path) = ca_file else { return Self::system() };
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates(&pem::read(path, WHAT)?, path, WHAT)? {
            roots.add(certificate).map_err(|cause| Error::Pem {
                path: path.to_owned(),
                what: WHAT,
                why: cause.to_string(),
            })?;
        }
        Self::trusting(roots).map_err(Error::Setup)
    }

    /// The system's, read once, when first asked for. On a system without any every connection is refused, and the log says why.
    pub fn system() -> Result<Self, Error> {
        static SYSTEM: OnceLock<Client> = OnceLock::new();
        if let Some(known) = SYSTEM.get() {
            return Ok(known.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (taken, _) = roots.add_parsable_certificates(found.certs);
        if taken == 0 {
            let why = found.errors.first().map_or("there are none".to_owned(), ToString::to_string);
            tracing::error!(
                "no certificates of authorities on this system ({why}): every https:// address is refused; install ca-certificates or name a file of authorities (`ca_file`, `agents_ca`)"
            );
        }
        let client = Self::trusting(roots).map_err(Error::Setup)?;
        Ok(SYSTEM.get_or_init(|| client).clone())
    }

    /// The first certificate of the file and nobody else, by whatever name it is asked: the daemon of this host.
    pub fn pinned(cert: &Path) -> Result<Self, Error> {
        const WHAT: &str = "certificate";
        let mut chain = pem::certificates(&pem::read(cert, WHAT)?, cert, WHAT)?;
        let provider = provider();
        let verifier = Pinned {
            // there is at least one
            certificate: chain.swap_remove(0),
            algorithms: provider.signature_verification_algorithms,
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    fn trusting(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// The same for a protocol that is not HTTP, and for code that blocks.
    pub fn for_other_protocols(&self) -> Arc<ClientConfig> {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols.clear();
        Arc::new(config)
    }

    /// The handshake with the server of this name or IP address. Bound it in time.
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "the host is no name a certificate could have",
            )
        })?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tls::Client")
    }
}
