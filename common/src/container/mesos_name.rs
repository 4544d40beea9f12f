//! What Mesos puts into a Docker container's name and mounts (marathon.md section 6).
//!
//! Names: `mesos-<containerId>` (Mesos 0.20 to 0.22 and from 1.4), `mesos-<slaveId>.<containerId>` (0.23 to 1.3), each with `.executor` behind
//! it for an executor's own container. A container id is a UUID, a slave id (`<uuid>-S<n>`) has no dot.

/// True for the container of an executor (`--docker_mesos_image`): it runs no task, its task has a container of its own.
pub fn is_executor(name: &str) -> bool {
    let name = name.strip_prefix('/').unwrap_or(name);
    name.starts_with("mesos-") && name.ends_with(".executor")
}

/// The Mesos container id in a Docker container's name, with or without Docker's leading slash.
pub fn mesos_container_id(name: &str) -> Option<&str> {
    let name = name.strip_prefix('/').unwrap_or(name).strip_prefix("mesos-")?;
    let name = name.strip_suffix(".executor").unwrap_or(name);
    let id = name.rsplit_once('.').map_or(name, |(_slave, id)| id);
    is_uuid(id).then_some(id)
}

/// Who a sandbox belongs to, from its path on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sandbox<'a> {
    /// The executor's id, which is the task's id for ordinary tasks. Not in the link form (`docker/links/<containerId>`).
    pub executor: Option<&'a str>,
    /// The Mesos container id.
    pub container: &'a str,
}

/// Takes apart `<work_dir>/slaves/<slaveId>/frameworks/<frameworkId>/executors/<executorId>/runs/<containerId>`, or the link that Mesos mounts
/// instead when that path has a colon: `<work_dir>/slaves/<slaveId>/docker/links/<containerId>`.
pub fn sandbox(path: &str) -> Option<Sandbox<'_>> {
    let mut parts = path.trim_end_matches('/').rsplit('/');
    let container = parts.next().filter(|id| is_uuid(id))?;
    match (parts.next()?, parts.next()?) {
        ("runs", executor) if !executor.is_empty() && parts.next() == Some("executors") => {
            Some(Sandbox { executor: Some(executor), container })
        }
        ("links", "docker") => Some(Sandbox { executor: None, container }),
        _ => None,
    }
}

/// Where Mesos mounts the sandbox unless `MESOS_SANDBOX` says otherwise.
pub(crate) const SANDBOX: &str = "/mnt/mesos/sandbox";

/// What of a sandbox a log path means, the sandbox being at `mounted` in the container: `logs` and `/mnt/mesos/sandbox/logs` are `logs`,
/// `.` and `/mnt/mesos/sandbox` are all of it, which is "". None for any other place.
pub(crate) fn in_sandbox<'a>(path: &'a str, mounted: &str) -> Option<&'a str> {
    let rest = match path.strip_prefix(mounted.trim_end_matches('/')) {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/')?,
        None if path == "." => "",
        None if path.starts_with('/') => return None,
        None => path,
    };
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    (rest.is_empty() || rest.split('/').all(plain)).then_some(rest)
}

/// 8-4-4-4-12 hex digits.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "609007e6-75a0-4459-a177-658ce1c5118a";
    const SLAVE: &str = "5b1f0a52-7d0e-4b0e-9f0c-2f6f6f0f3a10-S0";

    #[test]
    fn names_of_every_version() {
        for name in [
            format!("/mesos-{ID}"),
            format!("mesos-{ID}"),
            format!("/mesos-{SLAVE}.{ID}"),
            format!("/mesos-20140101-000000-16842879-5050-1234-S0.{ID}"),
        ] {
            assert_eq!(mesos_container_id(&name), Some(ID), "{name}");
            assert!(!is_executor(&name));
            assert!(is_executor(&format!("{name}.executor")));
        }
        for name in ["/mesos-master", "mesos-", "/web", "/mesos-slave.1", ID, "/x.executor"] {
            assert_eq!(mesos_container_id(name), None, "{name}");
            assert!(!is_executor(name));
        }
    }

    #[test]
    fn sandboxes() {
        let base = format!("/var/lib/mesos/slaves/{SLAVE}");
        let task = "shop_web.instance-32d2c410._app.1";
        let path = format!("{base}/frameworks/f-0000/executors/{task}/runs/{ID}");
        assert_eq!(sandbox(&path), Some(Sandbox { executor: Some(task), container: ID }));
        let link = format!("{base}/docker/links/{ID}");
        assert_eq!(sandbox(&link), Some(Sandbox { executor: None, container: ID }));
        for path in ["", "/", "/srv/logs", ID, "/runs/latest"] {
            assert_eq!(sandbox(path), None, "{path}");
        }
    }

    #[test]
    fn places_in_a_sandbox() {
        for (path, wanted) in [
            ("/mnt/mesos/sandbox", Some("")),
            (".", Some("")),
            ("logs", Some("logs")),
            ("logs/app", Some("logs/app")),
            ("/mnt/mesos/sandbox/logs", Some("logs")),
            ("/mnt/mesos/sandboxes", None),
            ("/qae/logs", None),
            ("../x", None),
            ("logs//x", None),
            ("/mnt/mesos/sandbox/../x", None),
        ] {
            assert_eq!(in_sandbox(path, SANDBOX), wanted, "{path}");
        }
        assert_eq!(in_sandbox("/box/a", "/box/"), Some("a"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_them(text in "(.|/|mesos-|runs/|links/){0,60}") {
            let _: (Option<&str>, bool) = (mesos_container_id(&text), is_executor(&text));
            prop_assert!(sandbox(&text).is_none_or(|s| is_uuid(s.container)));
        }
    }
}
