//! Certificates, made as docs/operating.md says.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// An authority, and a certificate of it for this host.
#[derive(Debug)]
pub struct Pki {
    dir: TempDir,
}

impl Pki {
    /// Makes both: `ca.pem`, `host.pem` and their keys.
    pub fn new() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-tls-").tempdir()?;
        let pki = Self { dir };
        std::fs::write(
            pki.file("host.ext"),
            "basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
        )?;
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        pki.openssl(&format!(
            "req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"
        ))?;
        pki.openssl(&format!("req {key} -subj /CN=host -keyout host.key -out host.csr"))?;
        pki.openssl(
            "x509 -req -in host.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile host.ext -out host.pem",
        )?;
        Ok(pki)
    }

    /// A file of it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs openssl in its directory.
    pub fn openssl(&self, args: &str) -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(self.dir.path());
        let out = command.output().context("openssl: run tests/setup.sh tools")?;
        ensure!(out.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(())
    }

    /// The lines of a section that make it speak TLS.
    pub fn shown(&self, name: &str) -> String {
        let file = |ending: &str| self.file(&format!("{name}.{ending}"));
        format!("cert = {:?}\nkey = {:?}\n", file("pem"), file("key"))
    }

    /// What curl gets from a server that has the certificate.
    pub fn curl(&self, url: &str, more: &[&str]) -> Result<Output> {
        let mut command = Command::new("curl");
        command.args(["-sS", "--fail-with-body", "--max-time", "10", "--cacert"]);
        command.arg(self.file("ca.pem")).args(more).arg(url);
        command.output().context("curl: run tests/setup.sh tools")
    }

    /// Likewise, as JSON.
    pub fn json(&self, url: &str, more: &[&str]) -> Result<Value> {
        let out = self.curl(url, more)?;
        ensure!(out.status.success(), "{url}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(serde_json::from_slice(&out.stdout)?)
    }
}
