//! The built `dadvisor`, started for a measurement and ended when dropped.

use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running daemon.
pub struct Daemon {
    child: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Daemon {
    /// Starts it with its state in a fresh directory.
    pub fn start(binary: &Path, carbon: &str, interval: Duration, port: u16) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("qae.toml");
        let address = format!("127.0.0.1:{port}");
        let text = format!(
            "[node]\nname = \"bench\"\nstate_dir = {:?}\n[graphite]\ncarbon = [\"{carbon}\"]\n[dadvisor]\nlisten = \"{address}\"\ninterval = \"{}s\"\n",
            dir.path().join("state"),
            interval.as_secs()
        );
        std::fs::write(&config, text)?;
        let child = Command::new(binary)
            .arg("--config")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { child, address, _dir: dir })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Descriptors it holds.
    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.pid()))?.count())
    }

    /// A body from its HTTP side, asked for as HTTP/1.0 so that it does not come in chunks.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (_, body) = text.split_once("\r\n\r\n").context("no HTTP answer")?;
        Ok(body.to_owned())
    }

    /// A figure from its `/metrics`.
    pub fn metric(&self, name: &str) -> Result<f64> {
        let text = self.get("/metrics")?;
        let line =
            text.lines().find(|l| l.starts_with(name) && l[name.len()..].starts_with([' ', '{']));
        let value = line
            .and_then(|l| l.rsplit(' ').next())
            .with_context(|| format!("/metrics has no {name}"))?;
        value.parse().with_context(|| format!("{name} {value}"))
    }

    /// Until it has read that many containers in a pass.
    pub fn wait_for_containers(&self, count: usize, limit: Duration) -> Result<()> {
        let start = Instant::now();
        let wanted = f64::from(u32::try_from(count)?);
        while start.elapsed() < limit {
            if self.metric("dadvisor_containers").is_ok_and(|seen| seen >= wanted) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        bail!("dadvisor did not see {count} containers within {limit:?}")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(e) = ended {
            eprintln!("bench: dadvisor stays: {e}");
        }
    }
}
