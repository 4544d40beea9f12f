//! A container that attacks through its log volume: whatever it puts there, no byte of the host leaves, the agent lives, and what is honest
//! arrives. The agent runs as it should in production: without root, with CAP_DAC_READ_SEARCH alone.

use anyhow::{Context, Result, ensure};
use e2e::daemon::Daemon;
use e2e::log_agent::{Home, Settings};
use e2e::logs::arrived::{Arrived, Eye};
use e2e::logs::null_flume;
use e2e::wait::eventually;
use rustix::fs::{
    CWD, FileType, Mode, RenameFlags, Timespec, Timestamps, mknodat, renameat_with, utimensat,
};
use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What must never arrive.
const SECRET: &str = "a secret of the host";
/// `nobody`.
const NOBODY: u32 = 65_534;
const DEADLINE: Duration = Duration::from_secs(60);

/// A volume under attack, its agent and the peer that sees what arrives.
struct Lab {
    volume: PathBuf,
    /// That of another app.
    neighbour: PathBuf,
    outside: tempfile::TempDir,
    agent: Daemon,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    _home: Home,
}

impl Lab {
    fn new() -> Result<Self> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let eye = {
            let seen = Arc::clone(&seen);
            Eye::new(move |line| {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                // enough to know a line by
                seen.push(line[..line.len().min(96)].to_vec());
            })
        };
        let flume =
            null_flume::listen("127.0.0.1:0".parse()?, &Arc::new(Arrived::default()), Some(eye))?;
        let home = Home::new(&Settings { flume: vec![flume], ..Settings::default() })?;
        let outside = tempfile::Builder::new().prefix("qae-outside-").tempdir()?;
        fs::write(outside.path().join("secret.log"), format!("{SECRET}\n"))?;
        let (volume, neighbour) = (home.volume("hostile", "one")?, home.volume("honest", "two")?);
        fs::create_dir(home.state())?;
        chown(home.state(), Some(NOBODY), Some(NOBODY))?;
        let agent = Daemon::start("log-agent", unprivileged(&home.command()?))?;
        let lab = Self { volume, neighbour, outside, agent, seen, _home: home };
        lab.honest(&lab.volume, "before")?;
        Ok(lab)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.volume.join(name)
    }

    fn arrived(&self, line: &[u8]) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|l| l.starts_with(line))
    }

    /// A file with one line, which has to arrive.
    fn honest(&self, volume: &Path, word: &str) -> Result<()> {
        let of = volume.file_name().unwrap_or_default().to_string_lossy();
        let line = format!("honest {word} of {of}");
        fs::write(volume.join(format!("{word}.log")), format!("{line}\n"))?;
        self.wait_for(&line)
    }

    fn wait_for(&self, line: &str) -> Result<()> {
        eventually(DEADLINE, line, || {
            ensure!(self.arrived(line.as_bytes()), "not there");
            Ok(())
        })
    }

    /// The agent lives, nothing leaked, what is honest still arrives from the same volume, too.
    fn survived(&self, attack: &str) -> Result<()> {
        self.honest(&self.volume, &attack.replace(' ', "-"))?;
        self.others_survived(attack)
    }

    /// The same of a volume that has become too full to be followed as a whole.
    fn others_survived(&self, attack: &str) -> Result<()> {
        self.honest(&self.neighbour, &attack.replace(' ', "-"))?;
        ensure!(!self.arrived(SECRET.as_bytes()), "{attack}: the secret left the host");
        let log = self.agent.log();
        ensure!(!log.contains("panicked"), "{attack}: {log}");
        ensure!(!log.contains("Too many open files"), "{attack} took every descriptor: {log}");
        println!("survived: {attack}");
        Ok(())
    }

    /// How often a reason was counted.
    fn counted(&self, reason: &str) -> Result<()> {
        eventually(DEADLINE, &format!("{reason} on /metrics"), || {
            let answer = self.agent.ask("/metrics")?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let found = text
                .lines()
                .any(|l| l.contains(&format!("reason=\"{reason}\"")) && !l.ends_with(" 0"));
            ensure!(found, "{text}");
            Ok(())
        })
    }
}

/// The same without root: another user, one capability.
fn unprivileged(command: &Command) -> Command {
    let caps = "-all,+dac_read_search";
    let mut setpriv = Command::new("setpriv");
    setpriv
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"])
        .args([
            format!("--inh-caps={caps}"),
            format!("--ambient-caps={caps}"),
            format!("--bounding-set={caps}"),
        ])
        .arg(command.get_program())
        .args(command.get_args());
    setpriv
}

#[test]
fn links_and_mounts_lead_nowhere() -> Result<()> {
    let lab = Lab::new()?;
    let outside = lab.outside.path();
    symlink(outside.join("secret.log"), lab.at("link.log"))?;
    lab.survived("a link to a file of the host")?;
    symlink(outside, lab.at("dir"))?;
    lab.survived("a link to a directory of the host")?;
    symlink("/proc/self/root", lab.at("magic"))?;
    lab.survived("a link of procfs")?;
    fs::hard_link(outside.join("secret.log"), lab.at("hard.log"))?;
    lab.survived("a hard link to a file of the host")?;
    for reason in ["symlink", "hard_link"] {
        lab.counted(reason)?;
    }
    let mounted = Mounted::bind(outside, &lab.at("mount"))?;
    lab.survived("a mount within the volume")?;
    drop(mounted);
    swapped(&lab)?;
    lab.survived("a directory that is swapped with a link all the time")
}

/// For a while a directory and a link to one outside change places as fast as they can, with a file of the same name in both.
fn swapped(lab: &Lab) -> Result<()> {
    let (real, link) = (lab.at("swap"), lab.at("other"));
    fs::create_dir(&real)?;
    fs::write(real.join("secret.log"), "an honest line\n")?;
    symlink(lab.outside.path(), &link)?;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE)?;
        // what is appended wakes whoever follows it
        let mut file = OpenOptions::new().append(true).open(lab.at("before.log"))?;
        writeln!(file, "more")?;
    }
    Ok(())
}

/// A bind mount, undone at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn bind(what: &Path, at: &Path) -> Result<Self> {
        fs::create_dir(at)?;
        mount_bind(what, at)?;
        let mounted = Self(at.to_owned());
        mount_remount(at, MountFlags::BIND | MountFlags::RDONLY, "")?;
        Ok(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(e) = unmount(&self.0, UnmountFlags::DETACH) {
            eprintln!("{} stays mounted: {e}", self.0.display());
        }
    }
}

#[test]
fn what_is_no_file_is_not_opened() -> Result<()> {
    let lab = Lab::new()?;
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, lab.at("fifo.log"), FileType::Fifo, mode, 0)?;
    lab.survived("a FIFO")?;
    mknodat(CWD, lab.at("zero.log"), FileType::CharacterDevice, mode, rustix::fs::makedev(1, 5))?;
    lab.survived("a device")?;
    // the path of a socket is short: bound elsewhere, moved here
    let near = lab.outside.path().join("s");
    let _socket = UnixListener::bind(&near)?;
    fs::rename(near, lab.at("socket.log"))?;
    lab.survived("a socket")?;
    for reason in ["fifo", "device", "socket"] {
        lab.counted(reason)?;
    }
    Ok(())
}

#[test]
fn sizes_names_and_times_are_no_weapon() -> Result<()> {
    let lab = Lab::new()?;
    let mut sparse = File::create(lab.at("sparse.log"))?;
    sparse.set_len((16 << 40) - (64 << 10)).context("a sparse file of 16 TiB")?;
    lab.survived("a sparse file of 16 TiB")?;
    let mut endless = File::create(lab.at("endless.log"))?;
    for _ in 0..32 {
        endless.write_all(&vec![b'x'; 1 << 20])?;
    }
    lab.survived("a line of 32 MiB without an end")?;
    let name = OsStr::from_bytes(b"\x1b]0;owned\x07 %41\n\xff\xe2\x80\xae.log");
    fs::write(lab.volume.join(name), "a line of a hostile name\n")?;
    lab.wait_for("a line of a hostile name")?;
    ensure!(
        !lab.agent.log().contains('\x1b'),
        "the name's bytes reached the agent's log: {}",
        lab.agent.log()
    );
    lab.survived("a name of escapes and bytes that are no text")?;
    let forged = lab.at("forged.log");
    fs::write(&forged, "first\n")?;
    for seconds in [0, 7_000_000_000] {
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, &forged, &times, rustix::fs::AtFlags::empty())?;
        let mut file = OpenOptions::new().append(true).open(&forged)?;
        writeln!(file, "a line after a forged time, {seconds}")?;
        utimensat(CWD, &forged, &times, rustix::fs::AtFlags::empty())?;
        lab.wait_for(&format!("a line after a forged time, {seconds}"))?;
    }
    lab.survived("forged times")?;
    drop(sparse.write(b"x"));
    Ok(())
}

#[test]
fn crowds_and_storms_cost_nobody_else() -> Result<()> {
    let lab = Lab::new()?;
    let mut deep = lab.volume.clone();
    for _ in 0..200 {
        deep.push("d");
    }
    fs::create_dir_all(&deep)?;
    fs::write(deep.join("deep.log"), "too deep\n")?;
    lab.survived("a tree of 200 levels")?;
    lab.counted("too_deep")?;
    let crowd = lab.at("crowd");
    fs::create_dir(&crowd)?;
    for n in 0..100_000 {
        File::create(crowd.join(format!("{n}.log")))?;
    }
    lab.others_survived("100,000 files")?;
    lab.counted("too_many")?;
    let (one, two) = (lab.at("storm.1"), lab.at("storm.2"));
    fs::write(&one, "in a storm\n")?;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        fs::rename(&one, &two)?;
        fs::rename(&two, &one)?;
    }
    lab.others_survived("a storm of renames")?;
    let torn = lab.at("torn.log");
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        fs::write(&torn, "torn line\n".repeat(1_000))?;
        File::create(&torn)?;
    }
    lab.others_survived("a file that is truncated while it is read")
}
