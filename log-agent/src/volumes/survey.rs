//! Where claimed directories are, free of links, and what is beneath `volumes_root`. Blocking: a file system may hang.
//!
//! Links on the way to a directory are the operator's (`/var/lib/docker` may be one) and are followed once, when a container is first seen;
//! from then on the path is opened without following any. A sandbox is its task's to write in, so beneath it none is followed at all.

use super::danger::{Danger, Guarded, sandbox_of};
use super::root::{self, Listing};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// A container's id and a path on the host.
pub(super) type Asked = (String, String);

/// What is to be found out.
#[derive(Debug)]
pub(super) enum Question {
    /// Where a claimed directory is.
    Place(Asked),
    /// What is beneath `volumes_root`.
    Root(PathBuf),
    /// Where the guarded directories are.
    Guarded(u64, Guarded),
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Place(Asked, Result<PathBuf, Danger>),
    Root(io::Result<Listing>),
    Guarded(u64, Guarded),
}

/// Looks.
pub(super) fn look(question: Question) -> Found {
    match question {
        Question::Place(asked) => {
            let place = find(Path::new(&asked.1));
            Found::Place(asked, place)
        }
        Question::Root(root) => Found::Root(root::list(&real(root))),
        Question::Guarded(nth, Guarded { docker, own, root }) => {
            let all = |paths: Vec<PathBuf>| paths.into_iter().map(real).collect();
            let guarded = Guarded { docker: all(docker), own: all(own), root: root.map(real) };
            Found::Guarded(nth, guarded)
        }
    }
}

/// The path without links; as it is, if it does not exist.
fn real(path: PathBuf) -> PathBuf {
    fs::canonicalize(&path).unwrap_or(path)
}

fn find(source: &Path) -> Result<PathBuf, Danger> {
    let plain = |c: Component<'_>| matches!(c, Component::RootDir | Component::Normal(_));
    if !source.is_absolute() || !source.components().all(plain) {
        return Err(Danger::Path);
    }
    // what a task puts on the way is refused when the directory is opened
    let (base, beneath) = match sandbox_of(source) {
        Some((sandbox, _)) => (sandbox, source.strip_prefix(sandbox).map_err(|_| Danger::Path)?),
        None => (source, Path::new("")),
    };
    let base = fs::canonicalize(base).map_err(|error| {
        Danger::Unreachable(match error.kind() {
            io::ErrorKind::NotFound => "it is not there".to_owned(),
            _ => error.to_string(),
        })
    })?;
    // joining nothing would end it with a slash
    Ok(if beneath.as_os_str().is_empty() { base } else { base.join(beneath) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_of_the_operator_are_followed_and_those_of_a_task_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(dir.path()).unwrap();
        let run = "609007e6-75a0-4459-a177-658ce1c5118a";
        let sandbox = base.join(format!("slaves/s-S0/frameworks/f/executors/t.1/runs/{run}"));
        fs::create_dir_all(sandbox.join("applogs")).unwrap();
        symlink("/etc", sandbox.join("trap")).unwrap();
        let links = base.join("slaves/s-S0/docker/links");
        fs::create_dir_all(&links).unwrap();
        symlink(&sandbox, links.join(run)).unwrap();
        fs::create_dir(base.join("data")).unwrap();
        symlink("data", base.join("moved")).unwrap();
        let find = |path: PathBuf| find(&path);
        assert_eq!(find(base.join("moved")), Ok(base.join("data")));
        assert_eq!(find(links.join(run)), Ok(sandbox.clone()));
        assert_eq!(find(links.join(run).join("applogs")), Ok(sandbox.join("applogs")));
        assert_eq!(find(sandbox.join("trap/ssl")), Ok(sandbox.join("trap/ssl")));
        assert_eq!(find(base.join("none")), Err(Danger::Unreachable("it is not there".into())));
        assert_eq!(find(base.join("data/../data")), Err(Danger::Path));
        assert_eq!(find("data".into()), Err(Danger::Path));
    }
}
