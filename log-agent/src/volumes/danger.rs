//! Which directories are never read as a log volume, whoever says that they are one. Pure.
//!
//! The engine mounts what it is told to, and this agent may read more than whoever told it: `-v /:/qae/logs` would send the whole host to
//! Flume. So a directory is refused, in words, if it is the system's, this product's or the engine's own, if it holds everybody's things, or
//! if it is another instance's.

use super::claim::Claim;
use super::root;
use crate::volume::Form;
use common::container::is_uuid;
use std::path::{Component, Path, PathBuf};

/// Never, nor anything beneath.
const TREES: [&str; 17] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/run/containerd",
    "/run/credentials",
    "/run/docker",
    "/run/systemd",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lib/containerd",
];
/// Never as a whole: they hold everybody's things.
const WHOLES: [&str; 18] = [
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/run",
    "/run/user",
    "/srv",
    "/tmp",
    "/tmp/mesos",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lib/mesos",
    "/var/log",
    "/var/spool",
    "/var/tmp",
];

/// This host's directories that are nobody's logs; real paths, free of links.
#[derive(Debug, Clone, Default)]
pub(super) struct Guarded {
    /// The Docker engine's data, as configured and as the engine says.
    pub(super) docker: Vec<PathBuf>,
    /// This product's own: state, configuration.
    pub(super) own: Vec<PathBuf>,
    /// `volumes_root`.
    pub(super) root: Option<PathBuf>,
}

/// Why a directory is not read as a log volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Danger {
    /// Not an absolute path of plain names.
    #[error("it is not an absolute path of plain names")]
    Path,
    /// It does not exist, or cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The system's.
    #[error("it is, or lies in, {0}: the system's own files are no logs")]
    System(&'static str),
    /// It holds more than one instance's logs.
    #[error("{0} holds more than this instance's logs: give the instance a directory of its own")]
    Whole(&'static str),
    /// The engine's own data.
    #[error("it is among the Docker engine's own files in {0}, and no volume's")]
    Docker(String),
    /// This product's own.
    #[error("it is, or holds, {0}, which is QAE's own")]
    Own(String),
    /// Beneath `volumes_root`, and not its own place there.
    #[error("it lies in volumes_root, {0}, and is not this instance's directory there")]
    NotItsPlace(String),
    /// In a sandbox of another task.
    #[error("it lies in the Mesos sandbox of another task")]
    Sandbox,
    /// Another instance has it, has some of it, or has it as some of its own.
    #[error("it is, holds or lies in {dir}, the log volume of {owner}, which was there first")]
    Another {
        /// Whose, `app/instance`.
        owner: String,
        /// Its directory.
        dir: String,
    },
}

impl Danger {
    /// One word, for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Unreachable(_) => "unreachable",
            Self::System(_) => "system",
            Self::Whole(_) => "too_wide",
            Self::Docker(_) => "docker",
            Self::Own(_) => "own",
            Self::NotItsPlace(_) => "not_its_place",
            Self::Sandbox => "sandbox",
            Self::Another { .. } => "another_instance",
        }
    }
}

/// Judges the directory of a claim, which has been found at `dir`, by itself. What others claim is not looked at here.
pub(super) fn judge(claim: &Claim, dir: &Path, guarded: &Guarded) -> Result<(), Danger> {
    let plain = |c: Component<'_>| matches!(c, Component::RootDir | Component::Normal(_));
    if !dir.is_absolute() || !dir.components().all(plain) || dir.to_str().is_none() {
        return Err(Danger::Path);
    }
    if let Some(root) = &guarded.root {
        let shown = || root.display().to_string();
        let place = root::place(&claim.instance).map(|place| root.join(place));
        match place {
            // what is beneath the root may lie in a directory of ours
            Some(place) if dir.starts_with(&place) => return Ok(()),
            _ if dir.starts_with(root) => return Err(Danger::NotItsPlace(shown())),
            _ if root.starts_with(dir) => return Err(wide(dir).unwrap_or(Danger::Own(shown()))),
            _ => {}
        }
    }
    if let Some(wide) = wide(dir) {
        return Err(wide);
    }
    let tree = TREES.iter().find(|tree| dir.starts_with(tree) || Path::new(tree).starts_with(dir));
    if let Some(tree) = tree {
        return Err(Danger::System(tree));
    }
    let own = guarded.own.iter().find(|own| dir.starts_with(own) || own.starts_with(dir));
    if let Some(own) = own {
        return Err(Danger::Own(own.display().to_string()));
    }
    let theirs = |root: &&PathBuf| match dir.strip_prefix(root) {
        Ok(rest) => !of_docker(rest, claim),
        Err(_) => root.starts_with(dir),
    };
    if let Some(root) = guarded.docker.iter().find(theirs) {
        return Err(Danger::Docker(root.display().to_string()));
    }
    match sandbox_of(dir) {
        Some((_, task)) if claim.task.as_deref() != Some(task) => Err(Danger::Sandbox),
        _ => Ok(()),
    }
}

fn wide(dir: &Path) -> Option<Danger> {
    WHOLES.iter().find(|whole| Path::new(whole) == dir).copied().map(Danger::Whole)
}

/// Whether a path beneath the engine's data is a named volume's, or the container's own log. With `userns-remap` all of it lies in a
/// directory `<uid>.<gid>` of its own.
fn of_docker(rest: &Path, claim: &Claim) -> bool {
    let mut parts: Vec<&str> = rest.iter().filter_map(|part| part.to_str()).collect();
    if parts.first().is_some_and(|part| is_mapped(part)) {
        parts.remove(0);
    }
    match (&parts[..], claim.form) {
        (["volumes", _, "_data", ..], Form::Plain) => true,
        (["containers", id], Form::DockerJson) => *id == claim.container,
        _ => false,
    }
}

/// `165536.165536`: the users that `userns-remap` gives containers.
fn is_mapped(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// The engine's data for all users, where it names what is there for those it maps to now.
pub(super) fn unmapped(root: &Path) -> &Path {
    let mapped = root.file_name().and_then(|name| name.to_str()).is_some_and(is_mapped);
    root.parent().filter(|parent| mapped && parent.parent().is_some()).unwrap_or(root)
}

/// The sandbox a path lies in, with its Mesos container id (see [`common::container::sandbox`]).
pub(super) fn sandbox_of(path: &Path) -> Option<(&Path, &str)> {
    path.ancestors().find_map(|at| {
        let sandbox = common::container::sandbox(at.to_str()?)?;
        is_uuid(sandbox.container).then_some((at, sandbox.container))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::InstanceKey;
    use crate::volumes::claim::By;
    use common::ids::{AppId, InstanceId};
    use proptest::prelude::*;

    const RUN: &str = "609007e6-75a0-4459-a177-658ce1c5118a";

    fn claim(form: Form, task: Option<&str>) -> Claim {
        Claim {
            instance: InstanceKey { id: InstanceId::new("a"), app: AppId::new("shop/web") },
            by: By::Docker,
            container: "c0ffee".into(),
            task: task.map(str::to_owned),
            source: String::new(),
            name: String::new(),
            form,
            started_at: None,
        }
    }

    fn judged(dir: &str, claim: &Claim) -> &'static str {
        let guarded = Guarded {
            docker: vec!["/var/lib/docker".into(), "/data/docker".into()],
            own: vec!["/var/lib/qae".into(), "/etc/qae".into()],
            root: Some("/var/lib/qae/volumes".into()),
        };
        judge(claim, Path::new(dir), &guarded).map_or_else(|danger| danger.reason(), |()| "read")
    }

    #[test]
    fn directories_that_are_logs_and_that_are_not() {
        let sandbox = format!("/m/slaves/s-S0/frameworks/f/executors/t.1/runs/{RUN}");
        let plain = claim(Form::Plain, None);
        for (dir, wanted) in [
            ("/srv/logs/web", "read"),
            ("/logs", "read"),
            ("/var/log/web", "read"),
            ("/tmp/x", "read"),
            ("/run/web", "read"),
            ("/var/lib/docker/volumes/web/_data", "read"),
            ("/var/lib/docker/volumes/web/_data/sub", "read"),
            ("/var/lib/docker/165536.165536/volumes/web/_data", "read"),
            ("/data/docker/volumes/web/_data", "read"),
            ("/data/docker/165536.165536/volumes/web/_data", "read"),
            ("/data/logs", "read"),
            ("/data", "docker"),
            ("/data/docker", "docker"),
            ("/data/docker/volumes/web", "docker"),
            ("/data/docker/overlay2/x/merged", "docker"),
            ("/data/docker/containers/c0ffee", "docker"),
            ("/var/lib/qae/volumes/shop%2Fweb/a", "read"),
            ("/var/lib/qae/volumes/shop%2Fweb/a/sub", "read"),
            ("/", "too_wide"),
            ("/var/log", "too_wide"),
            ("/var/lib", "too_wide"),
            ("/home", "too_wide"),
            ("/etc", "system"),
            ("/etc/ssl/private", "system"),
            ("/proc/1/root/srv", "system"),
            ("/usr/share", "system"),
            ("/var/lib/docker", "docker"),
            ("/var/lib/docker/volumes", "docker"),
            ("/var/lib/docker/volumes/web", "docker"),
            ("/var/lib/docker/containers/c0ffee", "docker"),
            ("/var/lib/docker/overlay2/x/merged", "docker"),
            ("/var/lib/qae", "own"),
            ("/var/lib/qae/log-agent", "own"),
            ("/etc/qae", "system"),
            ("/var/lib/qae/volumes", "not_its_place"),
            ("/var/lib/qae/volumes/shop%2Fweb", "not_its_place"),
            ("/var/lib/qae/volumes/shop%2Fweb/b", "not_its_place"),
            (&sandbox, "sandbox"),
            ("logs", "path"),
            ("", "path"),
            ("/srv/../etc", "path"),
        ] {
            assert_eq!(judged(dir, &plain), wanted, "{dir}");
        }
        let own = claim(Form::Plain, Some(RUN));
        assert_eq!(judged(&format!("{sandbox}/applogs"), &own), "read");
        let json = claim(Form::DockerJson, None);
        assert_eq!(judged("/var/lib/docker/containers/c0ffee", &json), "read");
        assert_eq!(judged("/data/docker/containers/c0ffee", &json), "read");
        for root in ["/var/lib/docker", "/data/docker"] {
            assert_eq!(judged(&format!("{root}/containers/beef"), &json), "docker");
        }
        assert_eq!(judged("/var/lib/docker/volumes/x/_data", &json), "docker");
    }

    #[test]
    fn the_engine_s_data_is_that_of_all_users() {
        for (said, whole) in [
            ("/data/docker", "/data/docker"),
            ("/data/docker/165536.165536", "/data/docker"),
            ("/1.1", "/1.1"),
        ] {
            assert_eq!(unmapped(Path::new(said)), Path::new(whole));
        }
    }

    proptest! {
        /// Whatever is read is neither the system's nor holds it.
        #[test]
        fn nothing_of_the_system_is_read(parts in prop::collection::vec("var|lib|etc|docker|volumes|_data|x|run|systemd|proc", 0..5)) {
            let dir = format!("/{}", parts.join("/"));
            if judged(&dir, &claim(Form::Plain, None)) == "read" {
                let dir = Path::new(&dir);
                for tree in TREES {
                    prop_assert!(!dir.starts_with(tree) && !Path::new(tree).starts_with(dir), "{dir:?}");
                }
            }
        }
    }
}
