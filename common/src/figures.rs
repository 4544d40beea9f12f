//! What a daemon counts about itself, in the words of `/metrics`, and what all daemons tell of themselves in the same words. Pure, but for
//! [`Figures::process`].

use crate::carbon;
use crate::center;
use crate::docker::Engine;
use crate::exposition::{Exposition, Labels};
use crate::metric::Value;
use crate::own::Own;
use crate::serve;

/// A counter that only rises, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name, without `_total`: `ticks_missed`.
    pub name: &'static str,
    /// Family or cause, where there are several: the label `kind`. Empty where there is only one.
    pub kind: &'static str,
    /// The count.
    pub count: u64,
}

impl Count {
    /// A counter of which there is only one.
    pub const fn one(name: &'static str, count: u64) -> Self {
        Self::of(name, "", count)
    }

    /// One of several of the same name.
    pub const fn of(name: &'static str, kind: &'static str, count: u64) -> Self {
        Self { name, kind, count }
    }
}

/// A daemon's own families, each `<prefix>_<name>`.
#[derive(Debug)]
pub struct Figures<'a> {
    out: &'a mut Exposition,
    prefix: &'static str,
}

impl<'a> Figures<'a> {
    /// `prefix` is the daemon: `dadvisor`, `log_agent`.
    pub fn new(out: &'a mut Exposition, prefix: &'static str) -> Self {
        Self { out, prefix }
    }

    /// One figure without labels.
    pub fn one(&mut self, name: &str, help: &str, value: Value) {
        self.labelled(name, help, &Labels::default(), value);
    }

    /// One of several of a name.
    pub fn labelled(&mut self, name: &str, help: &str, labels: &Labels, value: Value) {
        self.out.add(&format!("{}_{name}", self.prefix), help, labels, value);
    }

    /// Counters.
    pub fn counts(&mut self, counts: &[Count], help: &str) {
        for Count { name, kind, count } in counts {
            let labels =
                if kind.is_empty() { Labels::default() } else { Labels::new(&[("kind", kind)]) };
            self.labelled(&format!("{name}_total"), help, &labels, Value::Int(*count));
        }
    }

    /// The process: its start, memory and CPU time.
    pub fn process(&mut self, started_ms: u64) {
        let help = "Start of this process, Unix time.";
        self.one("start_time_seconds", help, Value::Milli(started_ms));
        let own = Own::read();
        if let Some(bytes) = own.resident {
            self.one("resident_bytes", "Resident memory of this process.", Value::Int(bytes));
        }
        if let Some(ms) = own.cpu_ms {
            self.one("cpu_seconds_total", "CPU time of this process.", Value::Milli(ms));
        }
    }

    /// The HTTP side.
    pub fn http(&mut self, counts: &serve::Counts) {
        counts.each(|name, value| {
            let help = "What happened at the HTTP side.";
            self.one(&format!("http_{name}_total"), help, Value::Int(value));
        });
    }

    /// The Docker engine, if one is configured, and what following it counts.
    pub fn docker(&mut self, engine: Option<&Engine>, counts: &[(&'static str, u64)]) {
        if let Some(engine) = engine {
            let up = u64::from(matches!(engine, Engine::Up { .. }));
            self.one("docker_up", "Whether the Docker engine answers.", Value::Int(up));
        }
        for (name, count) in counts {
            let name = format!("docker_{name}_total");
            self.one(&name, "What following the Docker engine counts.", Value::Int(*count));
        }
    }

    /// Talking to the centre.
    pub fn center(&mut self, status: &center::Status) {
        let link = &status.report;
        let up = link.last_good.is_some() && link.failing_since.is_none();
        self.one("center_up", "Whether the centre takes reports.", Value::Int(up.into()));
        if let Some(at) = link.last_good {
            let help = "When the centre last took a report, Unix time.";
            self.one("center_last_report_seconds", help, Value::Milli(at.unix_ms()));
        }
        for (name, kind, count) in &status.counts {
            let labels =
                if kind.is_empty() { Labels::default() } else { Labels::new(&[("kind", kind)]) };
            let help = "What talking to the centre counts.";
            self.labelled(&format!("center_{name}_total"), help, &labels, Value::Int(*count));
        }
    }

    /// Sending to Graphite.
    pub fn carbon(&mut self, status: &carbon::Status) {
        // printed by the same name as in JSON
        let state = serde_json::to_value(status.state).unwrap_or_default();
        let labels = Labels::new(&[("state", state.as_str().unwrap_or("unknown"))]);
        self.labelled("carbon_state", "How sending goes, in a label.", &labels, Value::Int(1));
        if let Some(age) = status.oldest_seconds {
            let help = "Age of the oldest point that waits.";
            self.one("carbon_oldest_seconds", help, Value::Int(age));
        }
        status.each(|name, help, value| {
            self.one(&format!("carbon_{name}"), help, Value::Int(value));
        });
    }
}
