//! The built `qae-api`, started for a measurement on a port that stays its own over a kill.

use super::talk;
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running centre with its state in a fresh directory; ended when dropped.
pub struct Api {
    binary: PathBuf,
    dir: tempfile::TempDir,
    child: Child,
    /// Where it listens.
    pub address: String,
    /// The admin's token.
    pub token: String,
}

impl Api {
    /// Starts it; it answers when this returns.
    pub fn start(binary: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("qae-bench-").tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let text = format!(
            "[node]\nname = \"bench\"\nstate_dir = {:?}\n[graphite]\ncarbon = []\n[server]\nlisten = {address:?}\n",
            dir.path().join("state"),
        );
        fs::write(dir.path().join("qae.toml"), text)?;
        let child = spawn(binary, dir.path())?;
        let mut api = Self { binary: binary.to_owned(), dir, child, address, token: String::new() };
        api.wait()?;
        // it listens before its store is open, so that a port that is taken is told at once
        let path = api.dir.path().join("state/api/admin-token");
        let end = Instant::now() + Duration::from_secs(20);
        while api.token.is_empty() {
            match fs::read_to_string(&path) {
                Ok(token) => token.trim().clone_into(&mut api.token),
                Err(e) if Instant::now() > end => bail!("{}: {e}", path.display()),
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        Ok(api)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and a new process on the same state and port.
    pub fn kill_and_start(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = spawn(&self.binary, self.dir.path())?;
        self.wait()
    }

    fn wait(&mut self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("qae-api ended: {status}");
            }
            if Instant::now() > end {
                bail!("qae-api does not listen on {}", self.address);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// A figure from its `/metrics`, summed over labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let mut line = talk::Line::open(&self.address).await?;
        let text = line.ask(&self.token, "GET", "/metrics", &[], "").await?.body;
        let of = |l: &str| {
            (l.split(['{', ' ']).next() == Some(name))
                .then(|| l.rsplit(' ').next()?.parse::<f64>().ok())?
        };
        let values: Vec<f64> = text.lines().filter_map(of).collect();
        if values.is_empty() {
            bail!("/metrics has no {name}");
        }
        Ok(values.iter().sum())
    }
}

fn spawn(binary: &Path, dir: &Path) -> Result<Child> {
    let mut command = Command::new(binary);
    command.arg("--config").arg(dir.join("qae.toml")).stdin(Stdio::null()).stderr(Stdio::null());
    command.spawn().with_context(|| format!("cannot start {}", binary.display()))
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Err(e) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("bench: qae-api stays: {e}");
        }
    }
}
