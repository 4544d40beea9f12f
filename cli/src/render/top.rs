//! CPU and memory of instances, from the series the centre gives. Pure.

use super::{Cell, Ink, Paint, Table, instances};
use crate::args::Sort;
use common::api_types::Instance;
use dadvisor::top::human;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a line needs.
pub const METRICS: [&str; 4] =
    ["cpu.percent", "memory.working_set_bytes", "memory.limit_bytes", "memory.percent"];

/// What `/v1/metrics` answers.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Metrics {
    /// One per instance and metric.
    #[serde(default)]
    pub series: Vec<Series>,
    /// Instances without figures.
    #[serde(default)]
    pub missing: Vec<Missing>,
}

/// One metric of one instance.
#[derive(Debug, Clone, Deserialize)]
pub struct Series {
    /// Its app.
    #[serde(default)]
    pub app: String,
    /// Its id.
    pub instance: String,
    /// Name of the metric.
    pub metric: String,
    /// Unix milliseconds and value.
    #[serde(default)]
    pub points: Vec<(f64, Option<f64>)>,
}

/// An instance without figures, and why.
#[derive(Debug, Clone, Deserialize)]
pub struct Missing {
    /// Its id.
    pub instance: String,
    /// Why.
    pub why: String,
}

/// One line. None is not known, which is not 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// App.
    pub app: String,
    /// Instance; of a whole app, how many there are.
    pub instance: String,
    /// Node.
    pub node: String,
    /// State in a word.
    pub state: &'static str,
    /// How that is to be taken.
    pub ink: Ink,
    /// Percent of one core.
    pub cpu: Option<f64>,
    /// Working set, bytes.
    pub memory: Option<f64>,
    /// Limit, bytes.
    pub limit: Option<f64>,
    /// Working set in percent of the limit.
    pub percent: Option<f64>,
}

/// A line per instance: its figures are the latest that are known.
pub fn rows(of: &[Instance], metrics: &Metrics) -> Vec<Row> {
    let mut latest: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
    for series in &metrics.series {
        if let Some(value) = series.points.iter().rev().find_map(|(_, value)| *value) {
            latest.insert((&series.app, &series.instance, &series.metric), value);
        }
    }
    of.iter()
        .map(|i| {
            let get = |name| latest.get(&(i.app.as_str(), i.id.as_str(), name)).copied();
            let (state, ink) = instances::state(i.state, i.health);
            Row {
                app: i.app.to_string(),
                instance: i.id.to_string(),
                node: i.node.as_ref().map_or_else(String::new, ToString::to_string),
                state,
                ink,
                cpu: get(METRICS[0]),
                memory: get(METRICS[1]),
                limit: get(METRICS[2]),
                percent: get(METRICS[3]),
            }
        })
        .collect()
}

/// Largest figures first, unknown ones last; names from A to Z.
pub fn order(rows: &mut [Row], sort: Sort) {
    let key = |row: &Row| match sort {
        Sort::Cpu => row.cpu,
        Sort::Memory => row.memory,
        Sort::Name => None,
    };
    rows.sort_by(|a, b| {
        let figures = key(b).unwrap_or(-1.0).total_cmp(&key(a).unwrap_or(-1.0));
        figures.then_with(|| (&a.app, &a.instance).cmp(&(&b.app, &b.instance)))
    });
}

/// The table.
pub fn table(rows: &[Row], paint: Paint) -> String {
    let mut table =
        Table::new(["APP", "INSTANCE", "CPU%", "MEMORY", "LIMIT", "MEM%", "STATE", "NODE"]);
    for row in rows {
        let figure = |value: Option<f64>, print: fn(f64) -> String| {
            Cell::figure(value.map_or_else(String::new, print))
        };
        let full = row.percent.is_some_and(|p| p >= 90.0);
        table.line([
            Cell::new(&row.app),
            Cell::new(&row.instance),
            figure(row.cpu, human::percent),
            figure(row.memory, human::bytes),
            figure(row.limit, human::bytes),
            figure(row.percent, human::percent).ink(if full { Ink::Bad } else { Ink::Plain }),
            Cell::new(row.state).ink(row.ink),
            Cell::new(&row.node),
        ]);
    }
    table.print(paint)
}

/// Above the table: how many, and what they use together.
pub fn summary(rows: &[Row], metrics: &Metrics) -> String {
    // a sum of nothing is -0 by IEEE 754
    let total =
        |figure: fn(&Row) -> Option<f64>| rows.iter().filter_map(figure).fold(0.0, |a, b| a + b);
    let cpu: f64 = total(|r| r.cpu);
    let memory: f64 = total(|r| r.memory);
    let mut out = format!(
        "{}, cpu {}% of a core, memory {}",
        super::words::count(rows.len(), "instance"),
        human::percent(cpu),
        human::bytes(memory)
    );
    if let Some(first) = metrics.missing.first() {
        let n = metrics.missing.len();
        out.push_str(&format!("; {n} without figures ({}: {})", first.instance, first.why));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::instances::tests::instance;
    use common::api_types::InstanceState;
    use serde_json::json;

    #[test]
    fn the_latest_known_figure_counts() {
        let metrics: Metrics = serde_json::from_value(json!({"source": "dadvisor", "series": [
            {"app": "shop/web", "instance": "a", "metric": "cpu.percent", "points": [[1, 5.0], [2, 50.0], [3, null]]},
            {"app": "shop/web", "instance": "b", "metric": "cpu.percent", "points": [[1, 70.04]]},
            {"app": "shop/web", "instance": "b", "metric": "memory.working_set_bytes", "points": [[1, 1024.0]]},
            {"app": "other", "instance": "c", "metric": "cpu.percent", "points": [[1, 1.0]]},
            {"app": "shop/web", "instance": "c", "metric": "cpu.percent", "points": []}],
            "missing": [{"instance": "c", "why": "not read yet"}]}))
        .unwrap();
        let of: Vec<_> = ["a", "b", "c"].map(|id| instance(id, InstanceState::Running)).into();
        let mut rows = rows(&of, &metrics);
        order(&mut rows, Sort::Cpu);
        assert_eq!(rows.iter().map(|r| r.instance.as_str()).collect::<String>(), "bac");
        assert_eq!(
            table(&rows[..2], Paint(false)),
            "APP       INSTANCE  CPU%  MEMORY  LIMIT  MEM%  STATE    NODE\n\
             shop/web  b         70.0    1.0K      -     -  running  n1\n\
             shop/web  a         50.0       -      -     -  running  n1\n"
        );
        assert_eq!(
            summary(&rows, &metrics),
            "3 instances, cpu 120% of a core, memory 1.0K; 1 without figures (c: not read yet)"
        );
        assert_eq!(summary(&[], &Metrics::default()), "0 instances, cpu 0.0% of a core, memory 0");
        order(&mut rows, Sort::Name);
        assert_eq!(rows[0].instance, "a");
    }
}
