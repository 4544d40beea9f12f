//! A PostgreSQL server of a test's own, from Debian's package, by the project's scripts.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// The server; stopped and removed when this goes.
#[derive(Debug)]
pub struct Postgres {
    dir: TempDir,
    /// `postgres://...`
    pub url: String,
}

impl Postgres {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-postgres.").tempdir()?;
        let url = script("up.sh", dir.path())?;
        Ok(Self { dir, url })
    }

    /// Ends it, and starts it again at the same address.
    pub fn restart(&self) -> Result<()> {
        script("down.sh", self.dir.path())?;
        let url = script("up.sh", self.dir.path())?;
        ensure!(url == self.url, "it came back at {url} and not at {}", self.url);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Err(e) = script("down.sh", self.dir.path()) {
            eprintln!("{e:#}");
        }
    }
}

fn script(name: &str, dir: &Path) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres").join(name);
    let out =
        Command::new(&script).arg(dir).output().with_context(|| script.display().to_string())?;
    let said = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{} {}: {said}", script.display(), dir.display());
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
