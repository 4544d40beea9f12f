//! Which app and instance a Docker container is (product.md, "How an instance is recognised"; marathon.md section 6). First that answers:
//!
//! | | app | instance |
//! |---|---|---|
//! | 1 | label `qae.app` | label `qae.instance` |
//! | 2 | env `MARATHON_APP_ID`, else from the task id | task id: label `MESOS_TASK_ID`, env `MESOS_TASK_ID`, the sandbox's path |
//! | 3 | Compose `project/service`, Swarm `stack/service` | short id |
//! | 4 | `docker/<name>` | short id |
//!
//! A task whose id is known only to the Mesos agent is named by [`crate::mesos::Names::rename`].

use super::mesos_name::{SANDBOX, sandbox};
use super::task_id::app_of_task;
use crate::ids::{self, AppId, InstanceId};
use std::collections::BTreeMap;

/// Label that names the app.
pub const LABEL_APP: &str = "qae.app";
/// Label that names the instance.
pub const LABEL_INSTANCE: &str = "qae.instance";

/// Longest name kept. Beyond it stands its escaped form, which ends in a hash, so that two long names stay apart.
const MAX_NAME: usize = 1024;

/// What is known of a container when it is named.
pub(super) struct Facts<'a> {
    pub id: &'a str,
    /// Without the leading slash.
    pub name: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    /// `KEY=value`.
    pub env: &'a [String],
    /// (target in the container, source on the host).
    pub mounts: &'a [(&'a str, &'a str)],
}

/// The container's app and instance.
pub(super) fn identify(facts: &Facts<'_>) -> (AppId, InstanceId) {
    let task = facts.task();
    let app = facts
        .label(LABEL_APP)
        .map(str::to_owned)
        .or_else(|| facts.marathon_app())
        .or_else(|| task.map(app_or_task))
        .or_else(|| facts.compose())
        .or_else(|| facts.swarm())
        .unwrap_or_else(|| by_name(facts.name, facts.id));
    let instance = facts.label(LABEL_INSTANCE).or(task).unwrap_or_else(|| short_id(facts.id));
    (app_id(&app), InstanceId::new(bounded(instance)))
}

impl<'a> Facts<'a> {
    fn label(&self, key: &str) -> Option<&'a str> {
        self.labels.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The last one counts, as in the process itself.
    fn env(&self, key: &str) -> Option<&'a str> {
        let value = |pair: &'a String| pair.strip_prefix(key)?.strip_prefix('=');
        self.env.iter().rev().find_map(value).filter(|v| !v.is_empty())
    }

    fn marathon_app(&self) -> Option<String> {
        let id = self.env("MARATHON_APP_ID")?.trim_matches('/');
        (!id.is_empty()).then(|| id.to_owned())
    }

    /// The label comes first: Marathon appends it after the user's own, while the app's `env` may overwrite the variable.
    pub(super) fn task(&self) -> Option<&'a str> {
        self.label("MESOS_TASK_ID").or_else(|| self.env("MESOS_TASK_ID")).or_else(|| {
            let (_, source) = self.sandbox()?;
            sandbox(source)?.executor
        })
    }

    /// The sandbox's mount: where in the container, where on the host.
    pub(super) fn sandbox(&self) -> Option<(&'a str, &'a str)> {
        let target = self.env("MESOS_SANDBOX").unwrap_or(SANDBOX);
        self.mounts.iter().find(|(t, _)| *t == target).copied()
    }

    fn compose(&self) -> Option<String> {
        let project = self.label("com.docker.compose.project")?;
        Some(format!("{project}/{}", self.label("com.docker.compose.service")?))
    }

    /// A stack's services are called `<stack>_<service>`.
    fn swarm(&self) -> Option<String> {
        let service = self.label("com.docker.swarm.service.name")?;
        let stacked = self.label("com.docker.stack.namespace").and_then(|stack| {
            let service = service.strip_prefix(stack)?.strip_prefix('_')?;
            Some(format!("{stack}/{service}"))
        });
        Some(stacked.unwrap_or_else(|| service.to_owned()))
    }
}

/// The app of a task, `mesos/<task id>` when the id does not tell.
pub(crate) fn app_or_task(task: &str) -> String {
    app_of_task(task).map_or_else(|| format!("mesos/{task}"), |app| app.to_string())
}

/// An app id of bounded length.
pub(crate) fn app_id(name: &str) -> AppId {
    AppId::new(bounded(name))
}

/// The name a container has when nothing else names it.
pub(crate) fn by_name(name: &str, id: &str) -> String {
    format!("docker/{}", if name.is_empty() { short_id(id) } else { name })
}

/// The first 12 digits, as every tool shows them.
pub fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// The name itself, or a short form that differs from every other name's.
pub(crate) fn bounded(name: &str) -> String {
    if name.len() <= MAX_NAME { name.to_owned() } else { ids::component(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "60ea206fa3b44ad61a2e6cfbe444862437b4027324be3ce104a1eaddbd419e50";
    const TASK: &str = "shop_web.instance-32d2c410-3618-11ea-b21c-0242ac110005._app.1";

    fn named(
        name: &str,
        labels: &[(&str, &str)],
        env: &[&str],
        mounts: &[(&str, &str)],
    ) -> (String, String) {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let env: Vec<String> = env.iter().map(|e| (*e).to_owned()).collect();
        let facts = Facts { id: ID, name, labels: &labels, env: &env, mounts };
        let (app, instance) = identify(&facts);
        (app.to_string(), instance.to_string())
    }

    fn pair(app: &str, instance: &str) -> (String, String) {
        (app.to_owned(), instance.to_owned())
    }

    #[test]
    fn labels_of_ours_win_each_for_itself() {
        let env = ["MARATHON_APP_ID=/shop/web", &format!("MESOS_TASK_ID={TASK}")];
        let got = named("x", &[("qae.app", "a/b"), ("qae.instance", "i")], &env, &[]);
        assert_eq!(got, pair("a/b", "i"));
        assert_eq!(named("x", &[("qae.app", "a/b")], &env, &[]), pair("a/b", TASK));
        assert_eq!(named("x", &[("qae.instance", "i")], &env, &[]), pair("shop/web", "i"));
        assert_eq!(named("x", &[("qae.app", "")], &[], &[]), pair("docker/x", "60ea206fa3b4"));
    }

    #[test]
    fn the_task_label_wins_over_its_variable() {
        let got = named("x", &[("MESOS_TASK_ID", TASK)], &["MESOS_TASK_ID=forged.1"], &[]);
        assert_eq!(got, pair("shop/web", TASK));
        let got = named("x", &[], &["MARATHON_APP_ID=/other/app", "MESOS_TASK_ID=t.1"], &[]);
        assert_eq!(got, pair("other/app", "t.1"));
        let got =
            named("x", &[], &["MESOS_TASK_ID=a.1", "MESOS_TASK_ID=b.2", "MARATHON_APP_ID=/"], &[]);
        assert_eq!(got, pair("b", "b.2"));
        assert_eq!(named("x", &[], &["MESOS_TASK_ID=opaque"], &[]), pair("mesos/opaque", "opaque"));
    }

    #[test]
    fn the_sandbox_names_the_task() {
        let run = "609007e6-75a0-4459-a177-658ce1c5118a";
        let path = format!("/m/slaves/s-S0/frameworks/f/executors/{TASK}/runs/{run}");
        let mount = [("/data", "/srv"), ("/mnt/mesos/sandbox", path.as_str())];
        assert_eq!(named("mesos-x", &[], &[], &mount), pair("shop/web", TASK));
        let mount = [("/box", path.as_str())];
        assert_eq!(named("m", &[], &["MESOS_SANDBOX=/box"], &mount), pair("shop/web", TASK));
        assert_eq!(named("m", &[], &[], &mount), pair("docker/m", "60ea206fa3b4"));
        let link = format!("/m/slaves/s-S0/docker/links/{run}");
        let mount = [("/mnt/mesos/sandbox", link.as_str())];
        assert_eq!(named("m", &[], &[], &mount), pair("docker/m", "60ea206fa3b4"));
    }

    #[test]
    fn compose_swarm_and_plain() {
        let compose =
            [("com.docker.compose.project", "billing"), ("com.docker.compose.service", "api")];
        assert_eq!(named("billing_api_1", &compose, &[], &[]), pair("billing/api", "60ea206fa3b4"));
        let task = ["MESOS_TASK_ID=web.1"];
        assert_eq!(named("billing_api_1", &compose, &task, &[]), pair("web", "web.1"));
        let swarm =
            [("com.docker.swarm.service.name", "shop_web"), ("com.docker.stack.namespace", "shop")];
        assert_eq!(named("shop_web.1.abc", &swarm, &[], &[]).0, "shop/web");
        assert_eq!(named("w.1.abc", &swarm[..1], &[], &[]).0, "shop_web");
        assert_eq!(named("", &[], &[], &[]).0, "docker/60ea206fa3b4");
    }

    #[test]
    fn long_names_are_bounded_and_stay_apart() {
        let (a, b) = ("x".repeat(5_000), "x".repeat(5_001));
        let (a, b) =
            (named("n", &[("qae.app", &a)], &[], &[]), named("n", &[("qae.app", &b)], &[], &[]));
        assert!(a.0.len() <= MAX_NAME);
        assert_ne!(a, b);
    }
}
