//! One container as a line: what is shown of it, and in which order. Pure.

use crate::args::Sort;
use crate::http::view::{ContainerView, Metrics};
use common::container::{Health, State};
use common::printable::printable;
use std::cmp::Ordering;

/// Metrics a line needs; asked for by name, so that a thousand containers stay a small answer.
pub const NEEDED: [&str; 11] = [
    "cpu.percent",
    "cpu.limit_percent",
    "memory.working_set_bytes",
    "memory.limit_bytes",
    "memory.percent",
    "net.rx_bytes_per_second",
    "net.tx_bytes_per_second",
    "io.read_bytes_per_second",
    "io.write_bytes_per_second",
    "pids.current",
    "uptime_seconds",
];

/// What is shown of a container. None is not known (yet), which is not 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// App, safe to print.
    pub app: String,
    /// Instance, safe to print.
    pub instance: String,
    /// Percent of one core.
    pub cpu: Option<f64>,
    /// Percent of the quota.
    pub cpu_limit: Option<f64>,
    /// Bytes of the working set.
    pub memory: Option<f64>,
    /// Bytes of the limit.
    pub memory_limit: Option<f64>,
    /// Percent of the limit.
    pub memory_percent: Option<f64>,
    /// Bytes received and sent per second.
    pub net: [Option<f64>; 2],
    /// Bytes read and written per second.
    pub io: [Option<f64>; 2],
    /// Processes and threads.
    pub pids: Option<f64>,
    /// Restarts by the engine.
    pub restarts: u64,
    /// State, or health where the container runs and has a check.
    pub state: &'static str,
    /// Seconds.
    pub uptime: Option<f64>,
    /// Something a person should look at.
    pub alarming: bool,
}

impl Row {
    /// Takes what is needed from the API's answer.
    pub fn of(view: &ContainerView) -> Self {
        let get = |name| figure(&view.metrics, name);
        let state = match (view.state, view.health) {
            (State::Running, Health::Healthy) => "healthy",
            (State::Running, Health::Unhealthy) => "unhealthy",
            (State::Running, Health::Unknown) => "running",
            (State::Created, _) => "created",
            (State::Paused, _) => "paused",
            (State::Restarting, _) => "restarting",
            (State::Exited, _) => "exited",
        };
        let memory_percent = get("memory.percent");
        Self {
            app: printable(&view.app).into_owned(),
            instance: printable(&view.instance).into_owned(),
            cpu: get("cpu.percent"),
            cpu_limit: get("cpu.limit_percent"),
            memory: get("memory.working_set_bytes"),
            memory_limit: get("memory.limit_bytes"),
            memory_percent,
            net: [get("net.rx_bytes_per_second"), get("net.tx_bytes_per_second")],
            io: [get("io.read_bytes_per_second"), get("io.write_bytes_per_second")],
            pids: get("pids.current"),
            restarts: view.restarts,
            state,
            uptime: get("uptime_seconds"),
            alarming: matches!(state, "unhealthy" | "restarting")
                || memory_percent.is_some_and(|p| p >= 95.0),
        }
    }

    /// Whether the filter, in any case, is part of the app or the instance.
    pub fn matches(&self, filter: &str) -> bool {
        let filter = filter.to_lowercase();
        self.app.to_lowercase().contains(&filter) || self.instance.to_lowercase().contains(&filter)
    }
}

/// A metric's value, if it is there.
pub fn figure(metrics: &Metrics, name: &str) -> Option<f64> {
    metrics.get(name)?.as_f64()
}

/// Orders lines: figures largest first, unknown ones last; equals by name. `reverse` turns the whole order round.
pub fn order(rows: &mut [Row], sort: Sort, reverse: bool) {
    let sum = |pair: &[Option<f64>; 2]| match pair {
        [None, None] => None,
        [a, b] => Some(a.unwrap_or(0.0) + b.unwrap_or(0.0)),
    };
    let key = |row: &Row| match sort {
        Sort::Cpu => row.cpu,
        Sort::Memory => row.memory,
        Sort::Net => sum(&row.net),
        Sort::Io => sum(&row.io),
        Sort::Name => None,
    };
    let by_name = |a: &Row, b: &Row| (&a.app, &a.instance).cmp(&(&b.app, &b.instance));
    rows.sort_by(|a, b| {
        let figures = match (key(a), key(b)) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        let order = figures.then_with(|| by_name(a, b));
        if reverse { order.reverse() } else { order }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(app: &str, cpu: Option<f64>, rx: Option<f64>, tx: Option<f64>) -> Row {
        Row { app: app.to_owned(), cpu, net: [rx, tx], ..Row::default() }
    }

    fn ordered(sort: Sort, reverse: bool) -> String {
        let mut rows = [
            row("b", Some(1.0), None, None),
            row("a", Some(1.0), Some(1.0), Some(5.0)),
            row("d", None, Some(4.0), None),
            row("c", Some(70.0), Some(0.0), Some(0.0)),
        ];
        order(&mut rows, sort, reverse);
        rows.iter().map(|r| r.app.as_str()).collect()
    }

    #[test]
    fn the_largest_comes_first_and_the_unknown_last() {
        assert_eq!(ordered(Sort::Cpu, false), "cabd");
        assert_eq!(ordered(Sort::Cpu, true), "dbac");
        assert_eq!(ordered(Sort::Net, false), "adcb");
        assert_eq!(ordered(Sort::Name, false), "abcd");
    }

    #[test]
    fn a_filter_looks_at_app_and_instance() {
        let row = Row { app: "Shop/Web".into(), instance: "ab12".into(), ..Row::default() };
        assert!(row.matches("shop") && row.matches("B1") && row.matches("") && !row.matches("x"));
    }
}
