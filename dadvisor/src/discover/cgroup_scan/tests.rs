use super::*;
use std::os::unix::ffi::OsStrExt;

const A: &str = "609007e6-75a0-4459-a177-658ce1c5118a";
const B: &str = "709007e6-75a0-4459-a177-658ce1c5118a";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(groups: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, procs) in groups {
            tree.group(path, procs);
        }
        tree
    }

    fn group(&self, path: &str, procs: &str) {
        let directory = self.0.path().join("cgroup").join(path);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("cgroup.procs"), procs).unwrap();
        for pid in procs.lines() {
            fs::create_dir_all(self.0.path().join("proc").join(pid)).unwrap();
        }
    }

    fn scanner(&self, globs: &[&str]) -> Scanner {
        let mut plain = Globs::default();
        globs.iter().for_each(|glob| plain.add(glob).unwrap());
        Scanner::new(Places {
            root: self.0.path().join("cgroup"),
            proc_root: self.0.path().join("proc"),
            mesos_root: "mesos".to_owned(),
            plain,
        })
    }
}

fn paths(found: &[Found]) -> Vec<&str> {
    found.iter().map(|f| f.path.as_str()).collect()
}

#[test]
fn mesos_containers_once_each_on_v1_and_v2() {
    let tree = Tree::new(&[
        (&format!("mesos/{A}"), "10\n11\n"),
        (&format!("mesos/{A}/mesos/{B}"), "12\n"),
        (&format!("mesos/{B}"), ""),
        (&format!("mesos/{B}/leaf"), "20\n"),
        ("mesos/slave", "1\n"),
        ("mesos/agent/leaf", "1\n"),
        ("mesos/not-a-uuid", "1\n"),
    ]);
    let stats = ScanStats::default();
    let found = tree.scanner(&[]).scan(&stats);
    assert_eq!(paths(&found), [format!("mesos/{A}"), format!("mesos/{B}")]);
    assert_eq!(found.iter().map(|f| f.pid).collect::<Vec<_>>(), [Some(10), Some(20)]);
    assert!(
        found
            .iter()
            .all(|f| matches!(&f.kind, Kind::Mesos(id) if f.path.ends_with(id)) && f.inode > 0)
    );
    assert_eq!(stats.errors.load(Relaxed), 0);
}

#[test]
fn plain_cgroups_only_as_asked() {
    let tree = Tree::new(&[
        ("system.slice/ssh.service", "5\n"),
        ("system.slice/db.service/inner", "6\n"),
        ("system.slice/dev.mount", ""),
        ("system.slice/deep.slice/x.service", "7\n"),
        ("init.scope", "1\n"),
        ("box", "0\n"),
        (&format!("mesos/{A}"), "10\n"),
    ]);
    let scan = |globs: &[&str]| {
        let found = tree.scanner(globs).scan(&ScanStats::default());
        found
            .into_iter()
            .filter(|f| f.kind == Kind::Plain)
            .map(|f| (f.path, f.pid))
            .collect::<Vec<_>>()
    };
    let one = |path: &str, pid| (path.to_owned(), pid);
    let services =
        [one("system.slice/db.service", Some(6)), one("system.slice/ssh.service", Some(5))];
    assert_eq!(scan(&["system.slice/*.service"]), services);
    assert_eq!(scan(&["system.slice/*", "system.slice/ssh.service"]), services);
    assert_eq!(scan(&["system.slice/*.slice"]), [one("system.slice/deep.slice", Some(7))]);
    assert_eq!(scan(&["*/*/x.service"]), [one("system.slice/deep.slice/x.service", Some(7))]);
    assert_eq!(scan(&["*"]), [one("box", None), one("mesos", Some(10))][..1]);
    assert_eq!(scan(&["init.scope", "nowhere/*", "mesos/*"]), [one("init.scope", Some(1))]);
    assert!(scan(&[]).is_empty());
}

#[test]
fn a_new_run_under_the_old_path_has_a_new_process() {
    let tree = Tree::new(&[("a.service", "5\n")]);
    let (mut scanner, stats) = (tree.scanner(&["*.service"]), ScanStats::default());
    let first = scanner.scan(&stats).remove(0);
    // its first process has moved on: the one that is known still lives
    tree.group("a.service", "6\n");
    assert_eq!(scanner.scan(&stats)[0], first);
    fs::remove_dir(tree.0.path().join("proc/5")).unwrap();
    assert_eq!(scanner.scan(&stats)[0], Found { pid: Some(6), ..first.clone() });
    // made anew, while the old one is held so that its inode is not reused
    fs::rename(tree.0.path().join("cgroup/a.service"), tree.0.path().join("old")).unwrap();
    tree.group("a.service", "7\n");
    let second = scanner.scan(&stats).remove(0);
    assert!(second.inode != first.inode && second.pid == Some(7));
    fs::remove_dir_all(tree.0.path().join("cgroup/a.service")).unwrap();
    assert!(scanner.scan(&stats).is_empty());
}

#[test]
fn what_cannot_be_seen_is_counted() {
    let tree = Tree::new(&[("a.service", "")]);
    let foreign = std::ffi::OsStr::from_bytes(b"x\xff.service");
    fs::create_dir(tree.0.path().join("cgroup").join(foreign)).unwrap();
    fs::write(tree.0.path().join("cgroup/mesos"), "a file").unwrap();
    let stats = ScanStats::default();
    assert_eq!(paths(&tree.scanner(&["*.service"]).scan(&stats)), ["a.service"]);
    assert_eq!((stats.foreign_names.load(Relaxed), stats.errors.load(Relaxed)), (1, 1));
    // a root that is not there is an empty one
    let nowhere =
        Scanner::new(Places { root: "/nonexistent".into(), ..tree.scanner(&["*"]).places })
            .scan(&stats);
    assert!(nowhere.is_empty());
    assert_eq!(stats.errors.load(Relaxed), 1);
}

#[test]
fn a_scan_is_bounded() {
    let tree = Tree::new(&[]);
    let root = tree.0.path().join("cgroup/many");
    fs::create_dir_all(&root).unwrap();
    for i in 0..30 {
        fs::create_dir(root.join(format!("{i}.service"))).unwrap();
    }
    let (mut scanner, stats) = (tree.scanner(&["many/*.service"]), ScanStats::default());
    assert_eq!(scanner.scan(&stats).len(), 30);
    scanner.most = 20;
    // the literal component counts too
    assert_eq!(scanner.scan(&stats).len(), 19);
    assert_eq!((stats.scans.load(Relaxed), stats.over_bound.load(Relaxed)), (2, 1));
}

#[test]
fn process_files_of_any_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cgroup.procs");
    for (text, wanted) in [
        (&b""[..], None),
        (b"0\n", None),
        (b"12\n13\n", Some(12)),
        (b"4194304\n", Some(4_194_304)),
        (b"12", None),
        (b"x\n", None),
        (b"\xff\xff\n", None),
        (b"99999999999999999999\n", None),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(pid_in(&path), wanted, "{text:?}");
    }
    assert_eq!(pid_in(dir.path()), None);
}
