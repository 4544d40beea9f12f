//! What engines say: which directory of this host an instance writes its logs to. Nothing of it is believed yet. Pure.

use crate::name::FileName;
use crate::volume::{Form, InstanceKey};
use common::container::{Container, Source, mesos_container_id};
use common::moment::Moment;
use serde::{Deserialize, Serialize};

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

/// Everything a container claims, its first volume first.
pub(super) fn of(container: &Container) -> Vec<Claim> {
    let (by, task) = match container.source {
        Source::Mesos => (By::Mesos, Some(container.id.as_str())),
        Source::Docker | Source::Cgroup => (By::Docker, mesos_container_id(&container.name)),
    };
    let claim = |(nth, volume): (usize, &common::container::LogVolume)| Claim {
        instance: InstanceKey { id: container.instance.clone(), app: container.app.clone() },
        by,
        container: container.id.clone(),
        task: task.map(str::to_owned),
        source: volume.source.clone(),
        name: if nth == 0 { String::new() } else { name_of(&volume.target, nth) },
        form: Form::Plain,
        started_at: container.started_at_ms.map(Moment::from_unix_ms),
    };
    container.log_volumes.iter().enumerate().map(claim).collect()
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
    use common::container::LogVolume;
    use common::ids::{AppId, InstanceId};

    #[test]
    fn the_first_volume_has_no_name_and_the_others_their_path() {
        let (app, id) = (AppId::new("shop/web"), InstanceId::new("a"));
        let mut container = Container::new("c".repeat(64), Source::Docker, app, id);
        assert!(of(&container).is_empty());
        let run = "609007e6-75a0-4459-a177-658ce1c5118a";
        container.name = format!("mesos-{run}");
        for target in ["/qae/logs", "/var/log/app/", "/", "/x/../y"] {
            let volume = LogVolume { source: format!("/srv{target}"), target: target.into() };
            container.log_volumes.push(volume);
        }
        let claims = of(&container);
        let names: Vec<_> = claims.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["", "var/log/app", "volume-3", "volume-4"]);
        assert!(claims.iter().all(|c| c.task.as_deref() == Some(run) && c.by == By::Docker));
    }
}
