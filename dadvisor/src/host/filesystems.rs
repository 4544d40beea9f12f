//! Fill of the node's own file systems: `/proc/1/mountinfo`, then one `statvfs` each.
//!
//! The list of mounts is kept until the kernel says that it changed (proc(5): `poll` on an open `mountinfo` gives `POLLPRI`): with
//! three mounts for each container of the host it is dear to print and to parse.
//!
//! Only local ones are asked: an ordinary file system on a block device, ZFS, or the overlay that is `/`. Never a network file system
//! or FUSE, nor anything mounted below one: `statvfs` or the walk to it can hang for ever. Images that are always full (squashfs,
//! ISO) are left out. A device is asked once, at the mount of its root, else at the shortest path. `/` is called `root`.

use super::source::{Error, file};
use super::{Emit, Roots};
use crate::kernel::mountinfo::{self, Mount};
use common::metric::{Name, Value};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, StatVfs, fstatfs, fstatvfs, openat};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Most file systems shown; a node with more is one with a dataset per container.
const MAX_MOUNTS: usize = 64;

/// Answer from memory, whatever their device does.
const LOCAL: [&str; 14] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs",
    "vfat", "exfat", "ntfs3", "ufs",
];

#[derive(Debug, Clone, PartialEq)]
struct Filesystem {
    /// A Graphite component.
    name: String,
    size: u64,
    used: u64,
    available: u64,
    inodes: Option<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filesystems {
    all: Vec<Filesystem>,
    /// Beyond [`MAX_MOUNTS`].
    left_out: usize,
}

/// The mounts to ask.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    points: Vec<PathBuf>,
    /// Beyond [`MAX_MOUNTS`].
    left_out: usize,
    /// Lines that could not be read.
    refused: usize,
    /// The file they are from, if it can tell of changes.
    list: Option<File>,
}

impl Mounts {
    /// A file system that does not answer (unmounted in this moment) does not hide the others.
    pub(super) fn read(&mut self, roots: &Roots) -> (Option<Filesystems>, Option<Error>) {
        if self.list.as_ref().is_none_or(has_changed) {
            match mountinfo_file(&roots.proc) {
                Ok(Some((list, text))) => *self = Self::of(&text, list),
                Ok(None) => return (None, None),
                Err(error) => return (None, Some(error)),
            }
        }
        let mut failed = (self.refused > 0).then(|| Error::Parse {
            path: roots.proc.join("1/mountinfo"),
            problem: format!("{} lines are not in the known form", self.refused),
        });
        let mut found = Filesystems { all: Vec::new(), left_out: self.left_out };
        let top = crate::kernel::process::host_root(&roots.proc);
        for point in &self.points {
            match ask(&top, point) {
                Ok(stat) => found.all.extend(measure(point, &stat)),
                Err(error) => {
                    failed = failed.or(Some(Error::Statvfs { mount: point.clone(), error }));
                }
            }
        }
        (Some(found), failed)
    }

    fn of(text: &[u8], list: File) -> Self {
        let (mounts, refused) = mountinfo::parse(text);
        let chosen = choose(&mounts);
        let left_out = chosen.len().saturating_sub(MAX_MOUNTS);
        let points = chosen.into_iter().take(MAX_MOUNTS).map(|mount| mount.point.clone()).collect();
        let tells = fstatfs(&list).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
        Self { points, left_out, refused, list: Some(list).filter(|_| tells) }
    }
}

/// True if something was mounted or unmounted since the file was opened.
fn has_changed(list: &File) -> bool {
    let mut asked = [PollFd::new(list, PollFlags::PRI)];
    // an error here is shown by the reading that follows
    poll(&mut asked, Some(&Timespec::default())).is_err() || !asked[0].revents().is_empty()
}

/// The first process's: a service unit's own mount namespace hides and repeats mounts.
fn mountinfo_file(proc: &Path) -> Result<Option<(File, Vec<u8>)>, Error> {
    match file(&proc.join("1/mountinfo"))? {
        None => file(&proc.join("self/mountinfo")),
        found => Ok(found),
    }
}

fn ask(top: &Path, point: &Path) -> Result<StatVfs, std::io::Error> {
    let path = top.join(point.strip_prefix("/").unwrap_or(point));
    let dir = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    Ok(fstatvfs(dir)?)
}

/// The mounts to ask: one per file system, in the order of their paths.
pub(super) fn choose(mounts: &[Mount]) -> Vec<&Mount> {
    let by_id: HashMap<u32, &Mount> = mounts.iter().map(|mount| (mount.id, mount)).collect();
    let mut chosen: BTreeMap<String, &Mount> = BTreeMap::new();
    for mount in mounts {
        if !local(mount) || below_remote(mount, &by_id) || covered(mount, mounts) {
            continue;
        }
        // btrfs gives every subvolume a device number of its own
        let device = match mount.fs_type.as_str() {
            "btrfs" | "zfs" => mount.source.clone(),
            _ => format!("{}:{}", mount.device.0, mount.device.1),
        };
        let top = Path::new("/");
        let rank =
            |mount: &Mount| (mount.point != top, mount.root != top, mount.point.as_os_str().len());
        chosen
            .entry(device)
            .and_modify(|best| {
                if rank(mount) < rank(best) {
                    *best = mount;
                }
            })
            .or_insert(mount);
    }
    let mut chosen: Vec<_> = chosen.into_values().collect();
    chosen.sort_unstable_by(|a, b| a.point.cmp(&b.point));
    chosen
}

fn local(mount: &Mount) -> bool {
    match mount.fs_type.as_str() {
        "zfs" => true,
        "overlay" => mount.point == Path::new("/"),
        fs_type => mount.source.starts_with("/dev/") && LOCAL.contains(&fs_type),
    }
}

/// True if the way to it leads over a file system that may not answer.
fn below_remote(mount: &Mount, by_id: &HashMap<u32, &Mount>) -> bool {
    let remote = |fs_type: &str| {
        matches!(
            fs_type,
            "autofs" | "cifs" | "smb3" | "9p" | "ceph" | "lustre" | "afs" | "virtiofs"
        ) || fs_type.starts_with("nfs")
            || fs_type.starts_with("fuse")
            || fs_type.starts_with("glusterfs")
    };
    let mut at = mount.parent;
    // parents form a tree, but the text came from outside: no more steps than there are mounts
    for _ in 0..by_id.len() {
        match by_id.get(&at) {
            Some(parent) if remote(&parent.fs_type) => return true,
            Some(parent) if parent.parent != at => at = parent.parent,
            _ => return false,
        }
    }
    false
}

/// True if something else is mounted over the very same place later.
fn covered(mount: &Mount, mounts: &[Mount]) -> bool {
    mounts.iter().any(|over| over.parent == mount.id && over.point == mount.point)
}

fn measure(point: &Path, stat: &StatVfs) -> Option<Filesystem> {
    // a file system without blocks has no fill
    if stat.f_blocks == 0 {
        return None;
    }
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Some(Filesystem {
        name: component(&point.to_string_lossy()),
        size: bytes(stat.f_blocks),
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        available: bytes(stat.f_bavail),
        // btrfs and vfat have no table of inodes
        inodes: (stat.f_files > 0)
            .then(|| (stat.f_files, stat.f_files.saturating_sub(stat.f_ffree))),
    })
}

/// `/` is `root`. In a path of letters, digits and `-` each `/` becomes `_`, which loses nothing; other paths are escaped with a hash,
/// the leading `/` included, so that `/root` and `/a_b` stay apart from `/` and `/a/b`.
fn component(point: &str) -> String {
    let rest = point.strip_prefix('/').unwrap_or(point);
    let usual = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'/';
    let starts_well = rest.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    match rest {
        "" => "root".to_owned(),
        "root" => common::ids::component(point),
        _ if starts_well && rest.len() <= common::ids::MAX_COMPONENT && rest.bytes().all(usual) => {
            rest.replace('/', "_")
        }
        _ => common::ids::component(point),
    }
}

pub(super) fn emit(now: &Filesystems, emit: &mut Emit<'_>) {
    for fs in &now.all {
        let mut one = |end, value| emit(Name("filesystem.", &fs.name, end), value);
        one(".size_bytes", Value::Int(fs.size));
        one(".used_bytes", Value::Int(fs.used));
        one(".available_bytes", Value::Int(fs.available));
        // as df does: of what ordinary users can have
        let whole = fs.used.saturating_add(fs.available);
        if whole > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
            one(".percent", Value::Float(fs.used as f64 * 100.0 / whole as f64));
        }
        if let Some((inodes, used)) = fs.inodes {
            one(".inodes_total", Value::Int(inodes));
            one(".inodes_used", Value::Int(used));
        }
    }
    if now.left_out > 0 {
        emit(Name::from("filesystem.left_out"), Value::Int(now.left_out as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    const MOUNTS: &str = "22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw - ext4 /dev/vda rw
28 27 8:1 / /data rw - xfs /dev/sda1 rw
29 27 8:1 /sub /aaa rw - xfs /dev/sda1 rw
30 27 0:50 / /mnt/nfs rw - nfs4 srv:/x rw
31 30 8:17 / /mnt/nfs/disk rw - ext4 /dev/sdb1 rw
32 27 0:51 / /mnt/fuse rw - fuse.sshfs host: rw
33 27 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro
34 27 0:60 /@home /home rw - btrfs /dev/sdc rw
35 27 0:61 /@var /var rw - btrfs /dev/sdc rw
36 27 0:70 / /tank rw - zfs tank rw
37 27 0:71 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
38 28 8:33 / /data rw - ext4 /dev/sdc1 rw
39 27 8:49 / /media/cd ro - iso9660 /dev/sr0 ro
40 27 8:65 / /mnt/ntfs rw - fuseblk /dev/sde rw
";

    #[test]
    fn only_what_is_local_and_each_once() {
        let (mounts, refused) = mountinfo::parse(MOUNTS.as_bytes());
        assert_eq!(refused, 0);
        let points: Vec<_> = choose(&mounts).iter().map(|m| m.point.to_str().unwrap()).collect();
        // /data is covered by another disk, so its own disk is asked at the bind mount
        assert_eq!(points, ["/", "/aaa", "/data", "/tank", "/var"]);
    }

    #[test]
    fn the_list_is_read_again_only_when_the_kernel_says_so() {
        let (list, text) = file(Path::new("/proc/self/mountinfo")).unwrap().unwrap();
        let mounts = Mounts::of(&text, list);
        let list = mounts.list.expect("proc tells of changes");
        // others may mount at any time, but not without end
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while has_changed(&list) {
            assert!(std::time::Instant::now() < end, "it always says so");
        }
        let fixture = tempfile::NamedTempFile::new().unwrap();
        let (list, _) = file(fixture.path()).unwrap().unwrap();
        assert!(Mounts::of(MOUNTS.as_bytes(), list).list.is_none(), "an ordinary file does not");
    }

    #[test]
    fn a_mount_is_noticed() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not run: a mount namespace of one's own needs root");
            return;
        }
        let script = "echo; read go; mount -t tmpfs none /mnt && echo; read go";
        let mut other = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut say, mut hear) = (other.stdin.take().unwrap(), other.stdout.take().unwrap());
        let mut done = [0];
        hear.read_exact(&mut done).unwrap();
        let list = File::open(format!("/proc/{}/mountinfo", other.id())).unwrap();
        assert!(!has_changed(&list));
        say.write_all(b"\n").unwrap();
        hear.read_exact(&mut done).unwrap();
        assert!(has_changed(&list));
        drop(say);
        other.wait().unwrap();
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let text = "1 2 8:1 / /a rw - ext4 /dev/sda1 rw\n2 1 0:3 / /b rw - tmpfs t rw\n";
        assert_eq!(choose(&mountinfo::parse(text.as_bytes()).0).len(), 1);
    }

    #[test]
    fn names_stay_apart() {
        assert_eq!(component("/"), "root");
        assert_eq!(component("/var/lib/docker"), "var_lib_docker");
        for odd in ["/root", "/var_lib_docker", "/a b", "/.snap"] {
            let name = component(odd);
            assert!(name.starts_with('x') && name.len() > odd.len() + 8, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_mount_point_is_a_component(point in "/\\PC{0,300}") {
            let name = component(&point);
            prop_assert!(!name.is_empty() && name.len() <= common::ids::MAX_COMPONENT);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            prop_assert!(name.as_bytes()[0].is_ascii_alphanumeric());
        }

        #[test]
        fn two_mount_points_never_share_a_name(a in "/[a-b_/]{0,6}", b in "/[a-b_/]{0,6}") {
            prop_assume!(a != b);
            prop_assert_ne!(component(&a), component(&b));
        }
    }
}
