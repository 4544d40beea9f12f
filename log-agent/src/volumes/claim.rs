//! What engines say: which directory of this host an instance writes its logs to. Nothing of it is believed yet. Pure.

use crate::name::FileName;
use crate::volume::{Form, InstanceKey};
use common::container::{Container, LogVolume, Source, mesos_container_id};
use common::moment::Moment;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Who knows of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// A Docker engine.
    Docker,
    /// A Mesos agent.
    Mesos,
    /// Its place beneath `volumes_root`.
    Root,
}

/// A directory that an instance is said to write its logs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Whose.
    pub(super) instance: InstanceKey,
    /// Who says so.
    pub(super) by: By,
    /// The container's id; empty for what only `volumes_root` tells.
    pub(super) container: String,
    /// Its Mesos container id, if it is a task: it may have logs in that sandbox and in no other.
    pub(super) task: Option<String>,
    /// The path on the host.
    pub(super) source: String,
    /// [`crate::volume::Volume::name`].
    pub(super) name: String,
    /// How its files are written.
    pub(super) form: Form,
    /// When the container's run began.
    pub(super) started_at: Option<Moment>,
}

/// Label that asks for Docker's own log of a container, or refuses it.
const LABEL_STDOUT: &str = "qae.stdout";

/// Everything a container claims, its first volume first; with `stdout`, Docker's own log of it, too, unless its label says otherwise.
pub(super) fn of(container: &Container, stdout: bool) -> Vec<Claim> {
    let (by, task) = match container.source {
        Source::Mesos => (By::Mesos, Some(container.id.as_str())),
        Source::Docker | Source::Cgroup => (By::Docker, mesos_container_id(&container.name)),
    };
    let claim = |source: &str, name: String, form: Form| Claim {
        instance: InstanceKey { id: container.instance.clone(), app: container.app.clone() },
        by,
        container: container.id.clone(),
        task: task.map(str::to_owned),
        source: source.to_owned(),
        name,
        form,
        started_at: container.started_at_ms.map(Moment::from_unix_ms),
    };
    let volumes = container.log_volumes.iter().enumerate().map(|(nth, volume)| {
        let name = if nth == 0 { String::new() } else { name_of(&volume.target, nth) };
        claim(&volume.source, name, Form::Plain)
    });
    let json = json_log(container, stdout);
    volumes.chain(json.map(|dir| claim(dir, String::new(), Form::DockerJson))).collect()
}

/// The directory of Docker's own log, if that is asked for. A task whose sandbox is a log volume has the same text there, in files of the
/// same names.
fn json_log(container: &Container, stdout: bool) -> Option<&str> {
    let wanted = match container.labels.get(LABEL_STDOUT).map(|value| value.trim()) {
        Some("true" | "1" | "yes" | "on") => true,
        Some("false" | "0" | "no" | "off") => false,
        _ => stdout,
    };
    let sandbox = |volume: &LogVolume| common::container::sandbox(&volume.source).is_some();
    if !wanted || container.log_volumes.iter().any(sandbox) {
        return None;
    }
    Path::new(container.json_log.as_deref()?).parent()?.to_str()
}

/// A path in the container as the beginning of file names; one that cannot be that goes by its number.
fn name_of(target: &str, nth: usize) -> String {
    let target = target.trim_matches('/');
    match FileName::new(target) {
        Ok(_) => target.to_owned(),
        Err(_) => format!("volume-{}", nth + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::{AppId, InstanceId};

    #[test]
    fn the_first_volume_has_no_name_and_the_others_their_path() {
        let (app, id) = (AppId::new("shop/web"), InstanceId::new("a"));
        let mut container = Container::new("c".repeat(64), Source::Docker, app, id);
        assert!(of(&container, true).is_empty());
        let run = "609007e6-75a0-4459-a177-658ce1c5118a";
        container.name = format!("mesos-{run}");
        for target in ["/qae/logs", "/var/log/app/", "/", "/x/../y"] {
            let volume = LogVolume { source: format!("/srv{target}"), target: target.into() };
            container.log_volumes.push(volume);
        }
        let claims = of(&container, false);
        let names: Vec<_> = claims.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["", "var/log/app", "volume-3", "volume-4"]);
        assert!(claims.iter().all(|c| c.task.as_deref() == Some(run) && c.by == By::Docker));
    }

    #[test]
    fn docker_s_own_log_when_it_is_asked_for() {
        let (app, id) = (AppId::new("shop/web"), InstanceId::new("a"));
        let mut container = Container::new("c".repeat(64), Source::Docker, app, id);
        container.json_log = Some("/var/lib/docker/containers/cc/cc-json.log".into());
        let asked = |container: &Container, stdout| {
            let claims = of(container, stdout);
            claims.iter().map(|c| (c.form, c.source.clone())).collect::<Vec<_>>()
        };
        let log = (Form::DockerJson, "/var/lib/docker/containers/cc".to_owned());
        assert_eq!(asked(&container, true), std::slice::from_ref(&log));
        assert!(asked(&container, false).is_empty());
        container.labels.insert(LABEL_STDOUT.into(), "off".into());
        assert!(asked(&container, true).is_empty());
        container.labels.insert(LABEL_STDOUT.into(), "true".into());
        assert_eq!(asked(&container, false), [log]);
        let run = "609007e6-75a0-4459-a177-658ce1c5118a";
        let source = format!("/m/slaves/s-S0/frameworks/f/executors/t.1/runs/{run}");
        container.log_volumes.push(LogVolume { source, target: "/mnt/mesos/sandbox".into() });
        assert_eq!(asked(&container, false).len(), 1, "the sandbox has the same text");
    }
}
