//! With an authority made at test time by openssl. The fixtures serve the other rooms' tests too.

use super::*;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// PEM files: an authority, and a certificate of it for `localhost` and `127.0.0.1`.
pub(crate) struct Files {
    pub dir: TempDir,
}

impl Files {
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn server(&self) -> Server {
        Server::load(&self.path("cert.pem"), &self.path("key.pem")).unwrap()
    }

    pub fn client(&self) -> Client {
        Client::load(Some(&self.path("ca.pem"))).unwrap()
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let ran = Command::new("openssl").args(arguments.split(' ')).current_dir(dir).output().unwrap();
    assert!(ran.status.success(), "{arguments}: {}", String::from_utf8_lossy(&ran.stderr));
}

const SIGNED: &str = "x509 -req -CA ca.pem -CAkey ca.key -days 36500 -extfile ext -set_serial";

/// One authority and one certificate, made anew for each test that changes them.
pub(crate) fn made() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    std::fs::write(
        at.join("ext"),
        "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
    )
    .unwrap();
    let name = at.file_name().unwrap().to_str().unwrap();
    openssl(
        at,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=ca{name} -keyout ca.key -out ca.pem"
        ),
    );
    for (name, serial) in [("", 1), ("next-", 2)] {
        openssl(
            at,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=qae -keyout {name}key.pem -out {name}csr"
            ),
        );
        openssl(at, &format!("{SIGNED} {serial} -in {name}csr -out {name}cert.pem"));
    }
    Files { dir }
}

/// Those that every test may read.
pub(crate) fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(made)
}

/// Serial of the certificate shown, or why there is none.
async fn shake(server: &Server, client: &Client, host: &str) -> Result<Vec<u8>, io::Error> {
    let (near, far) = duplex(1 << 14);
    let server = server.clone();
    let peer = tokio::spawn(async move {
        let mut stream = server.accept(far).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await
    });
    let mut stream = client.connect(host, near).await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    assert_eq!(said, "hello");
    peer.await.unwrap()?;
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    Ok(shown)
}

#[tokio::test]
async fn a_name_and_an_address_that_the_certificate_has() {
    let (server, client) = (files().server(), files().client());
    shake(&server, &client, "localhost").await.unwrap();
    shake(&server, &client, "127.0.0.1").await.unwrap();
    let error = shake(&server, &client, "other.example").await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    assert!(shake(&server, &client, "a b").await.is_err());
}

#[tokio::test]
async fn who_is_not_vouched_for_is_refused_with_what_to_do() {
    let other = made();
    let error = shake(&files().server(), &other.client(), "localhost").await.unwrap_err();
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(hint(&error, "[x] ca_file").contains("(`[x] ca_file`)"));
    let authority = Server::load(&other.path("ca.pem"), &other.path("ca.key")).unwrap();
    let error = shake(&authority, &other.client(), "localhost").await.unwrap_err();
    assert!(
        hint(&error, "").contains("CA:FALSE") || error.to_string().contains("name"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_changes_nothing() {
    let files = made();
    let server = files.server();
    // a client of its own each time: a resumed session remembers the certificate it began with
    let first = shake(&server, &files.client(), "localhost").await.unwrap();
    assert!(!server.reload().unwrap());
    std::fs::copy(files.path("next-cert.pem"), files.path("cert.pem")).unwrap();
    let error = server.reload().unwrap_err().to_string();
    assert!(error.contains("cert.pem with ") && error.contains("key.pem: "), "{error}");
    assert_eq!(shake(&server, &files.client(), "localhost").await.unwrap(), first);
    std::fs::copy(files.path("next-key.pem"), files.path("key.pem")).unwrap();
    assert!(server.reload().unwrap());
    assert_ne!(shake(&server, &files.client(), "localhost").await.unwrap(), first);
}

#[tokio::test]
async fn a_pinned_certificate_is_believed_by_any_name_and_no_other_is() {
    let (files, other) = (files(), made());
    let pinned = Client::pinned(&files.path("cert.pem")).unwrap();
    shake(&files.server(), &pinned, "192.0.2.1").await.unwrap();
    let error = shake(&other.server(), &pinned, "localhost").await.unwrap_err();
    assert!(hint(&error, "").contains("reload"), "{error}");
    // the certificate without its key proves nothing
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), other.path("key.pem"));
    std::fs::copy(files.path("cert.pem"), &cert).unwrap();
    assert!(matches!(Server::load(&cert, &key), Err(Error::Pair { .. })));
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_name() {
    let files = files();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pem");
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let cert = Server::load(&path, &files.path("key.pem")).unwrap_err().to_string();
        let key = Server::load(&files.path("cert.pem"), &path).unwrap_err().to_string();
        let ca = Client::load(Some(&path)).unwrap_err().to_string();
        for told in [&cert, &key, &ca] {
            assert!(told.contains("x.pem: no ") && told.contains("PEM file is wanted"), "{told}");
        }
        cert
    };
    assert!(told(b"").contains("it holds none"));
    assert!(told(b"\xff\x00 nothing").contains("certificate"));
    assert!(
        told(b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").contains("base64")
    );
    assert!(told(b"-----BEGIN CERTIFICATE-----\nAAAA\n").contains("breaks off"));
    assert!(told(&vec![b'x'; (1 << 20) + 1]).contains("larger"));
    let gone = Server::load(Path::new("/nowhere/x.pem"), &path).unwrap_err().to_string();
    assert!(gone.starts_with("/nowhere/x.pem: cannot read the certificate: "), "{gone}");
    let secret = std::fs::read_to_string(files.path("key.pem")).unwrap();
    std::fs::write(&path, secret.replace("END", "EMD")).unwrap();
    let told = Server::load(&files.path("cert.pem"), &path).unwrap_err();
    let inside = secret.lines().nth(1).unwrap();
    assert!(!told.to_string().contains(inside) && !format!("{told:?}").contains(inside));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_file_breaks_it(bytes in "(-----(BEGIN|END) (CERTIFICATE|PRIVATE KEY|EC PRIVATE KEY)-----|[A-Za-z0-9+/=]{0,8}|\n|\\PC){0,12}") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pem");
        std::fs::write(&path, bytes).unwrap();
        proptest::prop_assert!(Server::load(&path, &path).is_err());
        proptest::prop_assert!(Client::load(Some(&path)).is_err());
    }
}
