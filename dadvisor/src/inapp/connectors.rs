//! Tomcat's connectors, as its status page and JMX both know them, and their metric names. Pure.

use super::figures::{Figures, named};
use common::metric::Value;

/// Attributes of a connector (the same names in the XML and in JMX), what they are called here, and whether they are milliseconds.
pub(super) const ATTRIBUTES: [(&str, &str, bool); 8] = [
    ("currentThreadCount", ".threads.current", false),
    ("currentThreadsBusy", ".threads.busy", false),
    ("maxThreads", ".threads.max", false),
    ("requestCount", ".requests_total", false),
    ("errorCount", ".errors_total", false),
    ("bytesReceived", ".received_bytes_total", false),
    ("bytesSent", ".sent_bytes_total", false),
    ("processingTime", ".processing_seconds_total", true),
];

/// Most connectors kept of one container.
const MAX_CONNECTORS: usize = 16;

/// One connector's figures, in the order of [`ATTRIBUTES`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Connector {
    name: String,
    figures: [Option<u64>; ATTRIBUTES.len()],
}

/// The connectors of one Tomcat.
#[derive(Debug, Default)]
pub(super) struct Connectors {
    all: Vec<Connector>,
    left_out: u64,
}

impl Connectors {
    /// Records one attribute; one that is not in [`ATTRIBUTES`] is none of ours.
    pub fn set(&mut self, connector: &str, attribute: &str, value: u64) {
        let Some(at) = ATTRIBUTES.iter().position(|(name, ..)| *name == attribute) else { return };
        // JMX and the status page put the name in quotes
        let connector = connector.trim_matches('"');
        let known = self.all.iter().position(|known| known.name == connector);
        let which = match known {
            Some(which) => which,
            None if self.all.len() == MAX_CONNECTORS => {
                self.left_out += 1;
                return;
            }
            None => {
                let figures = [None; ATTRIBUTES.len()];
                self.all.push(Connector { name: connector.to_owned(), figures });
                self.all.len() - 1
            }
        };
        self.all[which].figures[at] = Some(value);
    }

    /// Sums at `tomcat.*`; if there are several connectors, each at `tomcat.connector.<name>.*` too.
    pub fn emit(&self, out: &mut Figures) {
        out.dropped.over_cap += self.left_out;
        let value = |at: usize, raw: u64| match ATTRIBUTES[at].2 {
            true => Value::Milli(raw),
            false => Value::Int(raw),
        };
        for (at, (_, tail, _)) in ATTRIBUTES.iter().enumerate() {
            let sum = self.all.iter().filter_map(|c| c.figures[at]).reduce(u64::saturating_add);
            out.push_some(format!("tomcat{tail}"), sum.map(|sum| value(at, sum)));
        }
        if self.all.len() < 2 {
            return;
        }
        for connector in &self.all {
            for (at, (_, tail, _)) in ATTRIBUTES.iter().enumerate() {
                let figure = connector.figures[at].map(|raw| value(at, raw));
                out.push_some(named("tomcat.connector", &connector.name, tail), figure);
            }
        }
    }
}
