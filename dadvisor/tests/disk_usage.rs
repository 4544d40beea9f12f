//! Disk usage of a process in a real overlay, with mounts inside. Needs root and util-linux.

#![expect(clippy::unwrap_used, reason = "in a test it is the assertion")]

use dadvisor::disk_usage::{DiskUsage, Settings, Target};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Ends the process, and its mount namespace with it.
struct Inside(Child);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A process whose root is an overlay of this host's root over `dir/upper`; `dir/logs` is its log volume, with a tmpfs and a bind
/// mount inside, in the host's mount namespace as `unmount` removes them.
fn start(dir: &Path) -> Inside {
    let script = r#"
        mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work merged &&
        exec chroot merged /bin/sh -c 'yes | head -c 3000000 > /made-inside && exec sleep 600'
    "#;
    for name in ["upper", "work", "merged", "logs/tmpfs", "logs/bind", "elsewhere"] {
        std::fs::create_dir_all(dir.join(name)).unwrap();
    }
    let script = script.replace(
        "upperdir=upper,workdir=work",
        &format!("upperdir={0}/upper,workdir={0}/work", dir.display()),
    );
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(dir)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    Inside(child)
}

/// Mounts below the log volume, on the host.
struct Mounts<'a>(&'a Path);

impl<'a> Mounts<'a> {
    fn make(dir: &'a Path) -> Self {
        let run = |args: &[&str]| {
            let status = Command::new("mount").args(args).current_dir(dir).status().unwrap();
            assert!(status.success(), "mount {args:?}");
        };
        let mounts = Self(dir);
        run(&["-t", "tmpfs", "tmpfs", "logs/tmpfs"]);
        run(&["--bind", "elsewhere", "logs/bind"]);
        mounts
    }
}

impl Drop for Mounts<'_> {
    fn drop(&mut self) {
        for name in ["logs/tmpfs", "logs/bind"] {
            let gone = Command::new("umount").arg(self.0.join(name)).status().unwrap();
            assert!(gone.success());
        }
    }
}

#[test]
fn the_upper_directory_is_found_and_mounts_are_not_entered() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: nothing is tested here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let inside = start(dir.path());
    let mounts = Mounts::make(dir.path());
    for name in ["logs/tmpfs/big", "elsewhere/big", "logs/app.log"] {
        std::fs::write(dir.path().join(name), vec![1; 100_000]).unwrap();
    }
    let end = Instant::now() + Duration::from_secs(20);
    let usage =
        DiskUsage::start(Settings { every: Duration::from_millis(50), ..Settings::default() })
            .unwrap();
    usage.set_targets(vec![Target {
        id: "c".to_owned(),
        pid: inside.0.id(),
        cgroup: None,
        log_sources: vec![dir.path().join("logs")],
    }]);
    // the file appears while the walks go on
    let (layer, logs) = loop {
        let got = usage.get("c").and_then(|got| got.writable.zip(got.logs));
        match got {
            Some(got) if got.0.bytes >= 3_000_000 => break got,
            _ => assert!(Instant::now() < end, "{got:?} {:?}", usage.stats()),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(layer.bytes < 3_100_000 && layer.complete, "{layer:?}");
    assert!((100_000..200_000).contains(&logs.bytes) && logs.complete, "{logs:?}");
    drop(mounts);
}
