//! Containers, by the `docker` command: what a test sees is what a user would see. All that a [`Docker`] ran it removes when it goes.

use crate::wait::eventually;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The image that `tests/docker/up.sh` makes: a static busybox.
pub const IMAGE: &str = "qae-test/busybox";
/// The machine's engine.
pub const SOCKET: &str = "/var/run/docker.sock";

static SERIAL: AtomicU32 = AtomicU32::new(0);

/// One engine, in one test.
#[derive(Debug)]
pub struct Docker {
    socket: PathBuf,
    /// Prefix of its containers' names and value of their label `qae.test`; no other test's begins with it.
    mark: String,
}

/// A container; the id is the full one.
#[derive(Debug, Clone)]
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Container {
    /// The id as Docker prints it and as instances are called.
    pub fn short(&self) -> &str {
        &self.id[..12]
    }
}

/// The `docker` command at a socket, whatever the environment says.
pub(crate) fn command(socket: &Path) -> Command {
    let mut command = Command::new("docker");
    command.env_remove("DOCKER_CONTEXT").arg("-H").arg(format!("unix://{}", socket.display()));
    command
}

impl Docker {
    /// The machine's engine.
    pub fn system(test: &str) -> Result<Self> {
        let docker = Self::at(Path::new(SOCKET), test);
        docker
            .cli(["image", "inspect", "--format", "{{.Id}}", IMAGE])
            .context("no engine with the test image here: run tests/setup.sh docker")?;
        Ok(docker)
    }

    /// The engine behind a socket.
    pub fn at(socket: &Path, test: &str) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mark = format!("qae-{test}-{}-{serial}", std::process::id());
        Self { socket: socket.to_owned(), mark }
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The command, not yet run.
    pub fn command(&self) -> Command {
        command(&self.socket)
    }

    /// Runs `docker <args>`: its standard output, trimmed.
    pub fn cli<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String> {
        let mut command = self.command();
        command.args(args);
        let out = command.output().with_context(|| format!("{command:?}"))?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success(), "{command:?}: {}: {}", out.status, said.trim());
        Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    /// `docker run -d <options> IMAGE sh -c <script>`.
    pub fn run(&self, name: &str, options: &[&str], script: &str) -> Result<Container> {
        let name = format!("{}-{name}", self.mark);
        let label = format!("qae.test={}", self.mark);
        let fixed = ["run", "-d", "--name", &name, "--label", &label];
        let id = self.cli([&fixed, options, &[IMAGE, "sh", "-c", script]].concat())?;
        ensure!(id.len() == 64, "docker run printed {id:?}");
        Ok(Container { id, name })
    }

    /// A bridge network of the test's own, with frames of up to `mtu` bytes: its name.
    pub fn network(&self, mtu: u32) -> Result<String> {
        let name = format!("{}-{mtu}", self.mark);
        let label = format!("qae.test={}", self.mark);
        let mtu = format!("com.docker.network.driver.mtu={mtu}");
        self.cli(["network", "create", "--label", &label, "--opt", &mtu, &name])?;
        Ok(name)
    }

    /// `docker <verb> <options> <container>`.
    pub fn on(&self, container: &Container, verb: &str, options: &[&str]) -> Result<String> {
        self.cli([&[verb], options, &[&container.id]].concat())
    }

    /// Runs a script in a container, to its end.
    pub fn exec(&self, container: &Container, script: &str) -> Result<String> {
        self.cli(["exec", &container.id, "sh", "-c", script])
    }

    /// `docker rm -f`.
    pub fn remove(&self, container: &Container) -> Result<()> {
        self.on(container, "rm", &["-f"]).map(|_| ())
    }

    /// One value of `docker inspect`, by Go template.
    pub fn inspect(&self, container: &Container, template: &str) -> Result<String> {
        self.on(container, "inspect", &["--format", template])
    }

    /// What `docker stats --no-stream` prints.
    pub fn stats(&self, container: &Container) -> Result<Stats> {
        let text = self.on(container, "stats", &["--no-stream", "--format", "{{json .}}"])?;
        let value = serde_json::from_str(&text).with_context(|| text.clone())?;
        Stats::of(&value).with_context(|| text)
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let filter = format!("label=qae.test={}", self.mark);
        let remove = |list: &[&str], remove: &[&str]| -> Result<()> {
            let ids = self.cli([list, &["-q", "--filter", &filter]].concat())?;
            let ids: Vec<_> = ids.split_ascii_whitespace().collect();
            if ids.is_empty() { Ok(()) } else { self.cli([remove, &ids].concat()).map(|_| ()) }
        };
        // again where the engine is removing one itself
        let removed = eventually(Duration::from_secs(10), "an empty engine", || {
            remove(&["ps", "-a"], &["rm", "-f", "-v"])?;
            remove(&["network", "ls"], &["network", "rm"])
        });
        if let Err(e) = removed {
            eprintln!("what has the {filter} may be left: {e:#}");
        }
    }
}

/// A line of `docker stats`. Bytes are as rounded as they are printed: three digits, four for memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// Percent of one core, over about a second.
    pub cpu_percent: f64,
    /// Memory without inactive file cache.
    pub memory_bytes: f64,
    /// Bytes received and sent.
    pub net: (f64, f64),
    /// Bytes read and written.
    pub block: (f64, f64),
    /// Processes and threads.
    pub pids: f64,
}

impl Stats {
    fn of(line: &Value) -> Result<Self> {
        let text = |key: &str| line[key].as_str().with_context(|| format!("no {key}"));
        let pair = |key: &str| -> Result<(f64, f64)> {
            let (a, b) = text(key)?.split_once(" / ").context("no pair")?;
            Ok((bytes(a)?, bytes(b)?))
        };
        Ok(Self {
            cpu_percent: text("CPUPerc")?.trim_end_matches('%').parse()?,
            memory_bytes: pair("MemUsage")?.0,
            net: pair("NetIO")?,
            block: pair("BlockIO")?,
            pids: text("PIDs")?.parse()?,
        })
    }
}

/// `52.4MB`, `612KiB`.
fn bytes(text: &str) -> Result<f64> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).context("no unit")?;
    let factor = match &text[unit..] {
        "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        other => bail!("unit {other} in {text}"),
    };
    Ok(text[..unit].parse::<f64>()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_docker_stats() {
        let line = serde_json::json!({
            "CPUPerc": "49.47%", "MemUsage": "1.5MiB / 300MiB", "NetIO": "775kB / 21.2MB",
            "BlockIO": "0B / 52.4MB", "PIDs": "3"
        });
        let stats = Stats::of(&line).unwrap();
        assert_eq!((stats.cpu_percent, stats.memory_bytes), (49.47, 1_572_864.0));
        assert_eq!((stats.net, stats.block), ((775_000.0, 21_200_000.0), (0.0, 52_400_000.0)));
        assert_eq!(stats.pids, 3.0);
        assert!(bytes("12QB").is_err() && bytes("12").is_err());
    }
}
