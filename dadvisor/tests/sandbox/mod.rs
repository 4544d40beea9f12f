//! A cgroup of its own in every hierarchy of this kernel, removed with all its processes when dropped.

use common::container::{Container, Source};
use common::ids::{AppId, InstanceId};
use dadvisor::kernel::hierarchy::Mode;
use dadvisor::kernel::{Families, Kernel, Roots};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Some tests count the open files of this process: one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This host's kernel; says what is missing for the test.
pub fn kernel(hold: bool) -> Kernel {
    match Kernel::open(Roots::default(), Families::default(), hold) {
        Ok(kernel) => kernel,
        Err(error) => panic!("these tests need cgroups: {error}"),
    }
}

/// Waits for a condition, at most 20 s.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Descriptors open in this process.
pub fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Inode of a process's network namespace.
pub fn netns(pid: u32) -> Option<u64> {
    fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|meta| meta.ino())
}

/// The cgroup.
pub struct Sandbox {
    id: String,
    parent: String,
    mode: Mode,
    roots: Vec<PathBuf>,
    children: Vec<Child>,
}

impl Sandbox {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mode = kernel(false).mode();
        let roots = match mode {
            Mode::V2 => vec![PathBuf::from("/sys/fs/cgroup")],
            Mode::V1 | Mode::Hybrid => mounts(),
        };
        let parent = format!("qae-test-{}-{number}", std::process::id());
        let id = format!("{:032x}{:032x}", std::process::id(), number + 1);
        let sandbox = Self { id, parent, mode, roots, children: Vec::new() };
        sandbox.create();
        sandbox
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// As its engine would describe it.
    pub fn container(&self, pid: Option<u32>) -> Container {
        let (app, instance) = (AppId::new("test/sandbox"), InstanceId::new("1"));
        Container {
            pid,
            cgroup_parent: Some(format!("/{}", self.parent)),
            ..Container::new(&self.id, Source::Docker, app, instance)
        }
    }

    fn dirs(&self) -> impl Iterator<Item = PathBuf> {
        self.roots.iter().map(|root| root.join(&self.parent).join(&self.id))
    }

    pub fn create(&self) {
        for dir in self.dirs() {
            let parent = dir.parent().unwrap();
            if let Err(error) = fs::create_dir_all(parent) {
                panic!("these tests make cgroups and need root: {}: {error}", parent.display());
            }
            if self.mode == Mode::V2 {
                for at in [parent.parent().unwrap(), parent] {
                    fs::write(at.join("cgroup.subtree_control"), "+cpu +memory +io +pids").unwrap();
                }
            }
            fs::create_dir(&dir).unwrap();
        }
    }

    /// Its directories in hierarchies other than memory's: where there is but one, none.
    pub fn besides_memory(&self) -> Vec<PathBuf> {
        let memory = |dir: &PathBuf| {
            dir.join("cgroup.event_control").exists() && dir.join("memory.stat").exists()
        };
        match self.mode {
            Mode::V2 => Vec::new(),
            Mode::V1 | Mode::Hybrid => self.dirs().filter(|dir| !memory(dir)).collect(),
        }
    }

    /// Runs a shell script in it; returns once it is there.
    pub fn spawn(&mut self, script: &str) -> u32 {
        let enter: String = self
            .dirs()
            .map(|dir| format!("echo $$ > {}/cgroup.procs && ", dir.display()))
            .collect();
        let child = Command::new("sh")
            .args(["-c", &format!("{enter} echo in; exec >/dev/null; {script}")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        self.children.push(child);
        let mut out = self.children.last_mut().unwrap().stdout.take().unwrap();
        let mut said = [0; 3];
        std::io::Read::read_exact(&mut out, &mut said).expect("the child enters its cgroups");
        pid
    }

    pub fn kill(&mut self, pid: u32) {
        let at = self.children.iter().position(|child| child.id() == pid).unwrap();
        let mut child = self.children.swap_remove(at);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills what runs in it and removes it; its parent stays.
    pub fn remove(&mut self) {
        for child in &mut self.children {
            child.kill().ok();
            child.wait().ok();
        }
        self.children.clear();
        for dir in self.dirs() {
            remove_dir(&dir);
        }
    }

    fn set(&self, v1: &str, v2: &str, value: &str) {
        let name = if self.mode == Mode::V2 { v2 } else { v1 };
        let file = self.dirs().map(|dir| dir.join(name)).find(|file| file.exists()).unwrap();
        fs::write(&file, value).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// Microseconds of each 100 ms; -1: no limit.
    pub fn limit_cpu(&self, quota: i64) {
        let quota = match (self.mode, quota) {
            (Mode::V2, -1) => "max".to_owned(),
            _ => quota.to_string(),
        };
        self.set("cpu.cfs_quota_us", "cpu.max", &quota);
    }

    pub fn limit_memory(&self, bytes: u64) {
        self.set("memory.limit_in_bytes", "memory.max", &bytes.to_string());
    }

    pub fn limit_pids(&self, pids: u32) {
        self.set("pids.max", "pids.max", &pids.to_string());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.remove();
        for root in &self.roots {
            remove_dir(&root.join(&self.parent));
        }
    }
}

/// A cgroup is busy until its last process is reaped.
fn remove_dir(dir: &Path) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while dir.exists() && fs::remove_dir(dir).is_err() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The v1 hierarchies with a controller, and the unified one.
fn mounts() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap();
    let wanted = ["cpu", "cpuacct", "memory", "blkio", "pids"];
    let is_wanted = |options: &str| options.split(',').any(|option| wanted.contains(&option));
    text.lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .filter(|words| words[2] == "cgroup2" || (words[2] == "cgroup" && is_wanted(words[3])))
        .map(|words| PathBuf::from(words[1]))
        .collect()
}
