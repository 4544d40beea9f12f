//! How following goes: for `/v1/clusters`, `/metrics` and people.

use crate::config::Cluster;
use common::exposition::{Exposition, Labels};
use common::metric::Value;
use common::moment::Moment;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How following a cluster goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nothing was heard of it yet.
    #[default]
    Unknown,
    /// What is known of it is current.
    Following,
    /// It cannot be followed now; what is known is the last that was heard.
    Away,
    /// Another process of the API follows it.
    Elsewhere,
}

/// One cluster, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The cluster's name.
    pub name: String,
    /// Data centre.
    pub dc: String,
    /// How it goes.
    pub phase: Phase,
    /// What there is to say about it, for people; empty if nothing.
    pub detail: String,
    /// When anything came from it.
    pub last_seen: Option<Moment>,
    /// Its version.
    pub version: Option<String>,
    /// `host:port` of its leader.
    pub leader: Option<String>,
    /// Its events are followed, too; else it is only listed every few seconds.
    pub streaming: bool,
    /// When its last whole list was asked for.
    pub last_list: Option<Moment>,
    /// How long that list took.
    pub list_took: Duration,
    /// Age of the oldest thing heard that is not stored yet.
    pub lag: Duration,
    /// Its apps.
    pub apps: usize,
    /// Its tasks that have not ended.
    pub tasks: usize,
}

macro_rules! counts {
    ($($field:ident $name:literal $help:literal,)+) => {
        /// What was counted since the start.
        #[derive(Debug, Default)]
        pub struct Counts {
            $(#[doc = $help] pub $field: AtomicU64,)+
        }

        impl Counts {
            fn each(&self, mut see: impl FnMut(&'static str, &'static str, u64)) {
                $(see(concat!("qae_marathon_", $name, "_total"), $help, self.$field.load(Ordering::Relaxed));)+
            }
        }
    };
}

counts! {
    connects "connects" "Connections to a Marathon that came so far as a first list.",
    failures "failures" "Connections that ended with a failure, or never began.",
    lists "lists" "Whole lists taken in.",
    app_lists "app_lists" "Lists of one app taken in, because an event spoke of it.",
    list_failures "list_failures" "Lists that failed.",
    held "held_lists" "Lists that lacked too much to be believed at once.",
    events "events" "Events read.",
    used "events_used" "Events that changed something or led to a list.",
    malformed "events_malformed" "Events that could not be read; a list was made instead.",
    too_large "events_too_large" "Events larger than what is read; a list was made instead.",
    overflowed "events_overflowed" "Events that did not fit into the queue; a list was made instead.",
    left_out "left_out" "Apps, tasks and labels of lists that are out of bounds.",
    redirects_refused "redirects_refused" "Redirects to servers that are not the cluster's.",
    changes "changes" "Changes stored.",
    store_failures "store_failures" "Changes that could not be stored; they are made again.",
}

impl Counts {
    /// Counts some.
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

/// What a follower shares with those who ask about it.
#[derive(Debug, Default)]
pub struct Shared {
    status: Mutex<Status>,
    behind_since: Mutex<Option<Instant>>,
    /// What was counted.
    pub counts: Counts,
}

impl Shared {
    /// Of a cluster that nobody has asked yet.
    pub(super) fn new(cluster: &Cluster) -> Self {
        let status =
            Status { name: cluster.name.clone(), dc: cluster.dc.clone(), ..Status::default() };
        Self { status: Mutex::new(status), ..Self::default() }
    }

    /// The status now.
    pub fn status(&self) -> Status {
        let behind = *self.behind();
        let lag = behind.map_or(Duration::ZERO, |since| since.elapsed());
        Status { lag, ..self.lock().clone() }
    }

    pub(super) fn edit(&self, edit: impl FnOnce(&mut Status)) {
        edit(&mut self.lock());
    }

    /// Something came from the cluster.
    pub(super) fn seen(&self) {
        self.lock().last_seen = Some(Moment::now());
    }

    /// The oldest thing that is heard and not stored.
    pub(super) fn set_behind(&self, since: Option<Instant>) {
        *self.behind() = since;
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn behind(&self) -> MutexGuard<'_, Option<Instant>> {
        self.behind_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its figures for Prometheus, labelled with the cluster's name.
    pub(super) fn expose(&self, out: &mut Exposition) {
        let status = self.status();
        let labels = Labels::new(&[("cluster", &status.name)]);
        let following = u64::from(status.phase == Phase::Following);
        let mut gauge = |name: &str, help: &str, value| out.add(name, help, &labels, value);
        gauge(
            "qae_marathon_following",
            "1 while what is known of the cluster is current.",
            Value::Int(following),
        );
        gauge(
            "qae_marathon_streaming",
            "1 while its events are followed; else it is only listed every few seconds.",
            Value::Int(u64::from(status.streaming)),
        );
        gauge("qae_marathon_apps", "Apps of the cluster.", Value::Int(status.apps as u64));
        gauge(
            "qae_marathon_tasks",
            "Tasks of the cluster that have not ended.",
            Value::Int(status.tasks as u64),
        );
        gauge(
            "qae_marathon_lag_seconds",
            "Age of the oldest thing heard that is not stored yet.",
            seconds(status.lag),
        );
        if let Some(listed) = status.last_list {
            gauge(
                "qae_marathon_last_list_age_seconds",
                "Since the last whole list was asked for.",
                seconds(Moment::now().since(listed)),
            );
            gauge(
                "qae_marathon_last_list_seconds",
                "How long the last whole list took.",
                seconds(status.list_took),
            );
        }
        self.counts.each(|name, help, value| out.add(name, help, &labels, Value::Int(value)));
    }
}

fn seconds(duration: Duration) -> Value {
    Value::Micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
