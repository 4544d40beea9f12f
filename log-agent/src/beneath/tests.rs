use super::*;
use rustix::fs::Mode;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

fn name(text: &str) -> FileName {
    FileName::new(text).unwrap()
}

/// A volume, and beside it what must not be read.
fn lab() -> (tempfile::TempDir, [Root; 2]) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("volume/sub/deep")).unwrap();
    fs::write(dir.path().join("secret"), "secret").unwrap();
    fs::write(dir.path().join("volume/app.log"), "line\n").unwrap();
    fs::write(dir.path().join("volume/sub/deep/x.log"), "deep\n").unwrap();
    let volume = dir.path().join("volume");
    let roots = [Root::open(&volume).unwrap(), Root::open_stepwise(&volume).unwrap()];
    (dir, roots)
}

#[test]
fn regular_files_open_at_any_depth() {
    let (_dir, roots) = lab();
    for root in roots {
        let (file, stat) = root.open_file(&name("sub/deep/x.log")).unwrap();
        assert_eq!((stat.len, stat.links), (5, 1));
        assert_eq!(super::stat(&file).unwrap(), stat);
        let mut listed = root.list(None, 10).unwrap();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let kinds: Vec<_> = listed.iter().map(|e| (&e.name[..], e.kind)).collect();
        assert_eq!(kinds, [(&b"app.log"[..], Kind::File), (b"sub", Kind::Directory)]);
        assert!(matches!(root.list(None, 1), Err(Refused::TooMany(1))));
    }
}

#[test]
fn a_volume_behind_a_link_is_refused() {
    let (dir, _) = lab();
    symlink("volume", dir.path().join("link")).unwrap();
    for open in [Root::open, Root::open_stepwise] {
        for (path, reason) in [
            ("link", "symlink"),
            ("link/sub", "symlink"),
            ("volume/app.log", "wrong_kind"),
            ("volume/none", "gone"),
            ("none/sub", "gone"),
        ] {
            assert_eq!(open(&dir.path().join(path)).unwrap_err().reason(), reason, "{path}");
        }
        open(&dir.path().join("volume/sub")).unwrap();
        // other file systems may be on the way
        open(Path::new("/proc/self/../sys")).unwrap_err();
        open(Path::new("/proc/sys")).unwrap();
    }
}

#[test]
fn nothing_but_regular_files_of_the_volume() {
    let (dir, roots) = lab();
    let volume = dir.path().join("volume");
    symlink("../secret", volume.join("link.log")).unwrap();
    symlink("/etc", volume.join("etc")).unwrap();
    symlink("app.log", volume.join("inside.log")).unwrap();
    symlink("sub", volume.join("dirlink")).unwrap();
    fs::hard_link(dir.path().join("secret"), volume.join("hard.log")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, volume.join("fifo.log"), Mode::from_raw_mode(0o666))
        .unwrap();
    let socket = std::os::unix::net::UnixListener::bind(volume.join("socket.log")).unwrap();
    for root in roots {
        for (path, reason) in [
            ("link.log", "symlink"),
            ("etc/shadow", "symlink"),
            ("inside.log", "symlink"),
            ("dirlink/deep/x.log", "symlink"),
            ("hard.log", "hard_link"),
            ("fifo.log", "fifo"),
            ("socket.log", "socket"),
            ("sub", "wrong_kind"),
            ("app.log/x", "wrong_kind"),
            ("none.log", "gone"),
        ] {
            let refused = root.open_file(&name(path)).unwrap_err();
            assert_eq!(refused.reason(), reason, "{path}: {refused}");
        }
        assert_eq!(root.list(Some(&name("etc")), 10).unwrap_err().reason(), "symlink");
    }
    drop(socket);
}

#[test]
fn a_device_is_never_opened() {
    let (dir, roots) = lab();
    let path = dir.path().join("volume/null.log");
    let kind = FileType::CharacterDevice;
    // needs the right to make one; without it there is nothing to test
    if rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        kind,
        Mode::from_raw_mode(0o666),
        rustix::fs::makedev(1, 3),
    )
    .is_err()
    {
        assert!(!rustix::process::geteuid().is_root(), "root can make devices");
        return;
    }
    for root in roots {
        assert_eq!(root.open_file(&name("null.log")).unwrap_err().reason(), "device");
    }
}

/// A directory is swapped for a link to another place all the time: what is opened is the volume's file or nothing.
#[test]
fn a_race_is_lost_by_nobody() {
    let (dir, roots) = lab();
    let volume = dir.path().join("volume");
    fs::create_dir(dir.path().join("outside")).unwrap();
    fs::write(dir.path().join("outside/x.log"), "outside!\n").unwrap();
    fs::rename(volume.join("sub/deep"), volume.join("real")).unwrap();
    symlink("../../outside", volume.join("trap")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for from in ["real", "trap"] {
                    fs::rename(volume.join(from), volume.join("sub/deep")).unwrap();
                    fs::rename(volume.join("sub/deep"), volume.join(from)).unwrap();
                }
            }
        });
        for root in &roots {
            for _ in 0..5_000 {
                if let Ok((_, stat)) = root.open_file(&name("sub/deep/x.log")) {
                    assert_eq!(stat.len, 5, "the file outside was opened");
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn only_the_file_that_was_meant_is_removed() {
    let (dir, [root, _]) = lab();
    let (_, stat) = root.open_file(&name("app.log")).unwrap();
    let path = dir.path().join("volume/app.log");
    // kept under another name, so that its inode is not used again
    fs::rename(&path, dir.path().join("volume/old.log")).unwrap();
    fs::write(&path, "new\n").unwrap();
    let refused = root.remove(&name("app.log"), stat.dev, stat.ino).unwrap_err();
    assert_eq!(refused.reason(), "replaced");
    root.remove(&name("old.log"), stat.dev, stat.ino).unwrap();
    assert!(!dir.path().join("volume/old.log").exists() && path.exists());
}
