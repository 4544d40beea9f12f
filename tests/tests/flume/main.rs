//! `log_agent`'s sink against real Apache Flumes: every form of the wire, small and full channels, crashes.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod crash;
mod forms;
mod room;
mod vectors;

use log_agent::lines::Part;
use log_agent::ship::batch::{Batch, Limits, Line};
use log_agent::ship::flume::{Flume as Sink, Form, Settings, Times};
use log_agent::ship::labels::Labels;

fn sink(address: &str, form: Form) -> Sink {
    Sink::new(Settings { hosts: vec![address.to_owned()], form, times: Times::default() })
}

/// A batch of these lines, `first` the number of the first.
fn batch(first: usize, bodies: &[Vec<u8>]) -> Batch {
    let labels = Labels::new("dc1", "host-17", "video/api", "video_api.1", "sub/app.log");
    let mut batch = Batch::new(Limits { events: bodies.len(), bytes: 4 << 20 });
    for (n, body) in bodies.iter().enumerate() {
        let offset = (first + n) as u64;
        let line = Line { offset, part: Part::Whole, timestamp_ms: 1_795_392_000_123, body };
        assert!(batch.push(&labels, &line));
    }
    batch
}

fn numbered(first: usize, many: usize) -> Vec<Vec<u8>> {
    (first..first + many)
        .map(|n| format!("line {n} {}", "x".repeat(n % 200)).into_bytes())
        .collect()
}
