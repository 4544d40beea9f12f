//! What Marathon says, in every dialect from 0.8 to 1.11, as far as it is used. Pure.
//!
//! A key that is missing, null or of another type is its default and never costs the rest; unknown keys are left alone. Only what is no
//! JSON at all is an error. Nothing is checked here: sizes are bounded by the caller before, meaning is given in [`super::translate`].

mod app;
mod event;
mod server;
mod task;
mod tolerant;

pub use app::{App, Container, Docker, HealthCheck, IpAddress, Network, PortMapping, Ports};
pub use event::{Event, TYPES, TaskUpdate, read_event};
pub use server::{Info, Leader};
pub use task::{CheckResult, Task};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// `GET /v2/apps?embed=apps.tasks`.
#[derive(Debug, Default, Deserialize)]
pub struct Apps {
    /// Every app the identity may see.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub apps: Vec<App>,
}

/// `GET /v2/apps/{id}`.
#[derive(Debug, Default, Deserialize)]
pub struct OneApp {
    /// The app with its tasks.
    #[serde(default, deserialize_with = "tolerant::object")]
    pub app: Option<App>,
}

/// `GET /v2/tasks`.
#[derive(Debug, Default, Deserialize)]
pub struct Tasks {
    /// The tasks of all apps.
    #[serde(default, deserialize_with = "tolerant::objects")]
    pub tasks: Vec<Task>,
}

/// Reads an answer. Bytes that are not UTF-8 are replaced.
pub fn read<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_str(&String::from_utf8_lossy(json)),
    }
}

/// An answer to a list that has no list in it is no list: an error page in JSON must not look like a cluster without apps.
pub fn read_apps(json: &[u8]) -> Result<Vec<App>, ListError> {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default, deserialize_with = "tolerant::some_objects")]
        apps: Option<Vec<App>>,
    }
    let Whole { apps } = read(json)?;
    apps.ok_or(ListError::NoList("apps"))
}

/// As [`read_apps`], for `GET /v2/tasks`.
pub fn read_tasks(json: &[u8]) -> Result<Vec<Task>, ListError> {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default, deserialize_with = "tolerant::some_objects")]
        tasks: Option<Vec<Task>>,
    }
    let Whole { tasks } = read(json)?;
    tasks.ok_or(ListError::NoList("tasks"))
}

/// As [`read_apps`], for `GET /v2/apps/{id}`.
pub fn read_app(json: &[u8]) -> Result<App, ListError> {
    let OneApp { app } = read(json)?;
    app.ok_or(ListError::NoList("app"))
}

/// Puts tasks that were listed apart beneath their apps.
pub fn with_tasks(mut apps: Vec<App>, tasks: Vec<Task>) -> Vec<App> {
    let mut of_app: HashMap<String, Vec<Task>> = HashMap::new();
    for task in tasks {
        of_app.entry(task.app_id.clone().unwrap_or_default()).or_default().push(task);
    }
    for app in apps.iter_mut().filter(|app| app.tasks.is_none()) {
        app.tasks = of_app.remove(&app.id);
    }
    apps
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// No JSON.
    #[error("the answer is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but something else.
    #[error("the answer has no \"{0}\"; is this a Marathon?")]
    NoList(&'static str),
}

#[cfg(test)]
mod tests;
