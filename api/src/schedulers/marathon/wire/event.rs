//! One event of the stream. Its JSON says of what type it is: the `event:` line came with 0.11.

use super::tolerant;
use serde::Deserialize;

/// What an event is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream is live: what is listed from now on and what it tells leave no gap.
    Attached,
    /// Mesos said something of a task.
    Task(Box<TaskUpdate>),
    /// Marathon's own check of a task or an instance has another verdict.
    Check {
        /// `/shop/web`.
        app: String,
        /// A task id (to 1.3) or an instance id.
        of: String,
        /// Its verdict; None if it has none any more.
        alive: Option<bool>,
        /// It speaks for all checks of the instance (`instance_health_changed_event`), not for one of them.
        whole: bool,
    },
    /// Marathon sees an instance in another condition.
    Instance {
        /// `/shop/web`.
        app: String,
        /// The instance.
        instance: String,
        /// `Running`...
        condition: String,
    },
    /// Something of these apps is different.
    Apps(Vec<String>),
    /// Something beneath this group is different.
    Group(String),
    /// Anything may be different.
    All,
    /// Of no concern here.
    Other,
}

/// `status_update_event`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskUpdate {
    /// `/shop/web`.
    pub app: String,
    /// The Mesos task id.
    pub task: String,
    /// `TASK_RUNNING`...
    pub status: String,
    /// In Mesos' words, for people.
    pub message: String,
    /// Where it is.
    pub host: Option<String>,
    /// When Marathon said so.
    pub timestamp: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default, deserialize_with = "tolerant::leaf")]
    event_type: String,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    app_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    group_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    run_spec_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    task_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    instance_id: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    task_status: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    message: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    host: Option<String>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    alive: Option<bool>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    healthy: Option<bool>,
    #[serde(default, deserialize_with = "tolerant::leaf")]
    condition: Option<String>,
    #[serde(default, deserialize_with = "tolerant::object")]
    app_definition: Option<Definition>,
    #[serde(default, deserialize_with = "tolerant::object")]
    plan: Option<Plan>,
    #[serde(default, deserialize_with = "tolerant::object")]
    current_step: Option<Step>,
}

#[derive(Default, Deserialize)]
struct Definition {
    #[serde(default, deserialize_with = "tolerant::leaf")]
    id: Option<String>,
}

/// Of a deployment. To 1.0 a step is a list of actions, later an object that has one.
#[derive(Default, Deserialize)]
struct Plan {
    #[serde(default, deserialize_with = "tolerant::leaves")]
    steps: Vec<Step>,
}

#[derive(Default, Deserialize)]
struct Step {
    #[serde(default, deserialize_with = "tolerant::objects")]
    actions: Vec<Action>,
}

#[derive(Default, Deserialize)]
struct Action {
    #[serde(default, deserialize_with = "tolerant::leaf")]
    app: Option<String>,
}

impl<'de> tolerant::Tolerant<'de> for Step {
    fn list<A: serde::de::SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        let list = serde::de::value::SeqAccessDeserializer::new(list);
        tolerant::objects(list).map(|actions| Self { actions })
    }

    fn map<A: serde::de::MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        Self::deserialize(serde::de::value::MapAccessDeserializer::new(map))
    }
}

/// Reads one event's data.
pub fn read_event(json: &[u8]) -> serde_json::Result<Event> {
    let raw: Raw = super::read(json)?;
    Ok(match raw.event_type.as_str() {
        "event_stream_attached" => Event::Attached,
        "status_update_event" => raw.task_update(),
        "health_status_changed_event" => raw.check(raw.alive, false),
        "instance_health_changed_event" => raw.check(raw.healthy, true),
        "instance_changed_event" => raw.instance(),
        "unknown_instance_terminated_event"
        | "unknown_task_terminated_event"
        | "unhealthy_task_kill_event"
        | "unhealthy_instance_kill_event"
        | "app_terminated_event"
        | "api_post_event"
        | "deployment_info"
        | "deployment_step_failure"
        | "deployment_success"
        | "deployment_failed" => raw.apps(),
        "group_change_success" => raw.group_id.map_or(Event::All, Event::Group),
        // a type that is not told is one of an event that was bent on its way: better look
        "scheduler_disconnected_event" | "" => Event::All,
        _ => Event::Other,
    })
}

/// What is asked of `/v2/events` from 1.3.7 on; older ones send everything.
pub const TYPES: [&str; 17] = [
    "event_stream_attached",
    "status_update_event",
    "instance_changed_event",
    "instance_health_changed_event",
    "health_status_changed_event",
    "unknown_instance_terminated_event",
    "unknown_task_terminated_event",
    "unhealthy_task_kill_event",
    "unhealthy_instance_kill_event",
    "api_post_event",
    "app_terminated_event",
    "group_change_success",
    "deployment_info",
    "deployment_step_failure",
    "deployment_success",
    "deployment_failed",
    "scheduler_disconnected_event",
];

impl Raw {
    fn app(&self) -> Option<String> {
        let defined = || self.app_definition.as_ref().and_then(|d| d.id.clone());
        let named = self.app_id.clone().or_else(|| self.run_spec_id.clone()).or_else(defined);
        named.filter(|id| !id.is_empty())
    }

    fn task_update(self) -> Event {
        match (self.app(), self.task_id, self.task_status) {
            (Some(app), Some(task), Some(status)) => Event::Task(Box::new(TaskUpdate {
                app,
                task,
                status,
                message: self.message.unwrap_or_default(),
                host: self.host.filter(|host| !host.is_empty()),
                timestamp: self.timestamp,
            })),
            (Some(app), ..) => Event::Apps(vec![app]),
            _ => Event::All,
        }
    }

    fn check(&self, alive: Option<bool>, whole: bool) -> Event {
        let of = self.instance_id.clone().or_else(|| self.task_id.clone());
        match (self.app(), of) {
            (Some(app), Some(of)) => Event::Check { app, of, alive, whole },
            (Some(app), None) => Event::Apps(vec![app]),
            _ => Event::All,
        }
    }

    fn instance(self) -> Event {
        match (self.app(), self.instance_id, self.condition) {
            (Some(app), Some(instance), Some(condition)) => {
                Event::Instance { app, instance, condition }
            }
            (Some(app), ..) => Event::Apps(vec![app]),
            _ => Event::All,
        }
    }

    /// The apps that a change or a deployment is about. Pods have deployments too, of no concern here.
    fn apps(self) -> Event {
        let own = self.app();
        let told = own.is_some() || self.plan.is_some() || self.current_step.is_some();
        let steps = self.plan.into_iter().flat_map(|plan| plan.steps).chain(self.current_step);
        let acted = steps.flat_map(|step| step.actions).filter_map(|action| action.app);
        let mut apps: Vec<String> = own.into_iter().chain(acted).collect();
        apps.sort();
        apps.dedup();
        match (told, apps.is_empty()) {
            (false, _) => Event::All,
            (true, true) => Event::Other,
            (true, false) => Event::Apps(apps),
        }
    }
}
