//! Cgroups without containers, made on this kernel for the time of a measurement and removed when dropped.

use anyhow::{Context, Result, bail};
use common::container::{Container, Source};
use common::ids::{AppId, InstanceId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where they live: one directory per v1 hierarchy, or one on v2.
const PARENT: &str = "qae-bench";
const V1: [&str; 5] = ["cpu", "cpuacct", "memory", "blkio", "pids"];

/// A set of empty cgroups.
pub struct Cgroups {
    parents: Vec<PathBuf>,
    count: usize,
    /// True on a unified hierarchy.
    pub v2: bool,
}

impl Cgroups {
    /// Makes `count` cgroups; needs root.
    pub fn make(count: usize) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let v2 = root.join("cgroup.controllers").exists();
        let parents: Vec<_> = if v2 {
            vec![root.join(PARENT)]
        } else {
            V1.iter().map(|c| root.join(c).join(PARENT)).collect()
        };
        let made = Self { parents, count, v2 };
        for parent in &made.parents {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}: run as root", parent.display()))?;
            if v2 {
                let control = parent.join("cgroup.subtree_control");
                std::fs::write(&control, "+cpu +memory +io +pids")
                    .with_context(|| control.display().to_string())?;
            }
        }
        for n in 0..count {
            made.start(n)?;
        }
        Ok(made)
    }

    /// Makes cgroup `n`.
    pub fn start(&self, n: usize) -> Result<()> {
        for parent in &self.parents {
            let dir = parent.join(format!("c{n}"));
            match std::fs::create_dir(&dir) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
                    bail!("cannot make {}: {e}", dir.display())
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes cgroup `n`.
    pub fn stop(&self, n: usize) {
        for parent in &self.parents {
            remove(&parent.join(format!("c{n}")));
        }
    }

    /// Cgroup `n` as discovery would hand it over.
    pub fn container(&self, n: usize) -> Arc<Container> {
        let path = format!("/{PARENT}/c{n}");
        let app = AppId::new(format!("bench/app-{}", n % 50));
        Arc::new(Container {
            name: format!("c{n}"),
            cgroup: Some(path.clone()),
            ..Container::new(path, Source::Cgroup, app, InstanceId::new(format!("c{n}")))
        })
    }

    /// All of them.
    pub fn containers(&self) -> Vec<Arc<Container>> {
        (0..self.count).map(|n| self.container(n)).collect()
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for n in 0..self.count {
            self.stop(n);
        }
        for parent in &self.parents {
            remove(parent);
        }
    }
}

fn remove(dir: &Path) {
    match std::fs::remove_dir(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            eprintln!("bench: {} stays: {e}", dir.display())
        }
        _ => {}
    }
}
