//! Plain cgroups of a test's own, below `/qae-e2e-...` in every hierarchy of this kernel, removed with their processes when dropped.

use anyhow::{Context, Result, ensure};
use e2e::wait::eventually;
use rustix::process::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The controllers whose files dadvisor reads.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "memory", "blkio", "pids"];

/// One parent cgroup, in which the test's are.
#[derive(Debug)]
pub struct Groups {
    name: String,
    /// The parent in each hierarchy.
    parents: Vec<PathBuf>,
    children: Vec<(String, Child)>,
}

impl Groups {
    /// An empty parent.
    pub fn new(test: &str) -> Result<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("qae-e2e-{test}-{}-{serial}", std::process::id());
        let roots = roots()?;
        let parents: Vec<_> = roots.iter().map(|root| root.join(&name)).collect();
        let groups = Self { name, parents, children: Vec::new() };
        for (root, parent) in roots.iter().zip(&groups.parents) {
            fs::create_dir(parent).with_context(|| parent.display().to_string())?;
            if root.join("cgroup.controllers").exists() {
                for dir in [root, parent] {
                    delegate(dir)?;
                }
            }
        }
        Ok(groups)
    }

    /// The config line that asks for all of them.
    pub fn wanted(&self) -> String {
        format!("cgroups = [\"{}/*\"]", self.name)
    }

    /// The daemon's id of one.
    pub fn id(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// The component that stands for one's app in Graphite paths.
    pub fn app(&self, name: &str) -> String {
        format!("cgroup_{}_{name}", self.name)
    }

    /// Makes one.
    pub fn create(&self, name: &str) -> Result<()> {
        for parent in &self.parents {
            let dir = parent.join(name);
            fs::create_dir(&dir).with_context(|| dir.display().to_string())?;
        }
        Ok(())
    }

    /// Runs a script in one, until it is removed.
    pub fn run(&mut self, name: &str, script: &str) -> Result<()> {
        let child = Command::new("sh")
            // waits for its line, so that it does nothing before it is where it belongs
            .args(["-c", &format!("read go; {script}")])
            .stdin(Stdio::piped())
            .spawn()?;
        let pid = child.id().to_string();
        self.children.push((name.to_owned(), child));
        for parent in &self.parents {
            let procs = parent.join(name).join("cgroup.procs");
            fs::write(&procs, &pid).with_context(|| procs.display().to_string())?;
        }
        let go = self.children.last_mut().and_then(|(_, child)| child.stdin.take());
        Ok(std::io::Write::write_all(&mut go.context("no standard input")?, b"go\n")?)
    }

    /// Removes one with its processes.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        for (_, child) in self.children.iter_mut().filter(|(of, _)| of == name) {
            child.kill()?;
            child.wait()?;
        }
        self.children.retain(|(of, _)| of != name);
        self.parents.iter().try_for_each(|parent| remove(&parent.join(name)))
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
        for parent in &self.parents {
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    remove(&entry.path()).ok();
                }
            }
            if let Err(e) = remove(parent) {
                eprintln!("left behind: {e:#}");
            }
        }
    }
}

/// A cgroup is busy for a moment after its last process ended.
fn remove(dir: &Path) -> Result<()> {
    eventually(Duration::from_secs(5), "a cgroup is removed", || {
        fs::remove_dir(dir).with_context(|| dir.display().to_string())
    })
}

/// Where a process is, below the root of its memory hierarchy (v1) or of the only one (v2).
pub fn cgroup_of(pid: Pid) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{}/cgroup", pid.as_raw_nonzero()))?;
    let fields = text.lines().map(|line| line.splitn(3, ':').collect::<Vec<_>>());
    let of = |wanted: &str| fields.clone().find(|f| f.len() == 3 && f[1] == wanted);
    let found = of("memory").or_else(|| of("")).context("in no cgroup")?;
    Ok(found[2].trim_start_matches('/').to_owned())
}

/// Removes this cgroup in every hierarchy.
pub fn remove_everywhere(cgroup: &str) -> Result<()> {
    ensure!(cgroup.len() > 10, "{cgroup:?} is no container's");
    roots()?.iter().try_for_each(|root| remove(&root.join(cgroup)))
}

/// Lets a v2 cgroup's children have the controllers.
fn delegate(dir: &Path) -> Result<()> {
    let control = dir.join("cgroup.subtree_control");
    // one by one: a kernel without one of them still has the others
    let enabled = ["+cpu", "+memory", "+io", "+pids"]
        .iter()
        .filter(|controller| fs::write(&control, controller).is_ok())
        .count();
    ensure!(enabled > 0, "{}: no controller can be enabled", control.display());
    Ok(())
}

/// Where the hierarchies with those controllers are.
fn roots() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let cgroups: Vec<_> = fields.filter(|f| f.len() > 3 && f[2].starts_with("cgroup")).collect();
    let has_one = |f: &&Vec<&str>| f[3].split(',').any(|o| CONTROLLERS.contains(&o));
    let v1 = cgroups.iter().filter(|f| f[2] == "cgroup").filter(has_one);
    let mut roots: Vec<_> = v1.map(|f| PathBuf::from(f[1])).collect();
    if roots.is_empty() {
        roots.extend(cgroups.iter().filter(|f| f[2] == "cgroup2").map(|f| PathBuf::from(f[1])));
    }
    // a hierarchy may be mounted again elsewhere, as for somebody's chroot
    let mut seen = BTreeSet::new();
    roots.retain(|root| fs::metadata(root).is_ok_and(|root| seen.insert(root.dev())));
    ensure!(!roots.is_empty(), "no cgroup hierarchy is mounted here");
    Ok(roots)
}
