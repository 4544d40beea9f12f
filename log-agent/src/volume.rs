//! A log volume: which directory of this host belongs to which instance. Pure.

use common::ids::{AppId, InstanceId};
use common::moment::Moment;
use std::path::PathBuf;

/// An instance, with the app it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceKey {
    /// The instance.
    pub id: InstanceId,
    /// Its app.
    pub app: AppId,
}

/// How the files of a volume are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Form {
    /// Lines, as the app wrote them.
    #[default]
    Plain,
    /// Docker's `json-file` log of the container's standard output and error: one JSON object a line.
    DockerJson,
}

/// A directory an instance writes its logs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Volume {
    /// Whose it is.
    pub instance: InstanceKey,
    /// Where it is on this host.
    pub dir: PathBuf,
    /// Empty for an instance's first or only one, else its path in the container: prefixed to the names of its files.
    pub name: String,
    /// When the instance ended; None while it runs.
    pub ended_at: Option<Moment>,
    /// How its files are written.
    pub form: Form,
}
