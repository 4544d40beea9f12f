//! A node that is killed while lines come: nothing acknowledged is lost, the order stays.

use super::{batch, numbered, sink};
use e2e::flume::{Event, Flume, Settings};
use e2e::wait::eventually;
use log_agent::ship::flume::Form;
use log_agent::ship::sink::{Failure, Sink as _};
use std::collections::HashSet;
use std::time::Duration;

const SIZE: usize = 1_000;
const BATCHES: usize = 30;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let settings = Settings::default();
    let mut flume = Flume::start(&settings).unwrap();
    let address = flume.address().unwrap();
    let sender = std::thread::spawn(move || {
        let mut sink = sink(&address, Form::Plain);
        let mut doubtful = 0;
        for number in 0..BATCHES {
            let lines = batch(number * SIZE, &numbered(number * SIZE, SIZE));
            eventually(Duration::from_secs(60), "a batch is taken", || {
                match sink.send(&lines.all()) {
                    Err(failure) => {
                        doubtful +=
                            usize::from(matches!(failure, Failure::Lost { doubtful: true, .. }));
                        Err(failure.into())
                    }
                    Ok(()) => Ok(()),
                }
            })
            .unwrap();
        }
        doubtful
    });
    eventually(Duration::from_secs(60), "events come", || {
        let accepted = flume.counter("SOURCE.r1", "EventAcceptedCount")?;
        anyhow::ensure!(accepted >= 5_000, "{accepted}");
        Ok(())
    })
    .unwrap();
    flume.kill().unwrap();
    flume.start_again(&settings).unwrap();
    let doubtful = sender.join().unwrap();

    let wanted = numbered(0, SIZE * BATCHES);
    let all = |events: &[Event]| {
        let different: HashSet<_> = events.iter().map(|e| &e.body).collect();
        anyhow::ensure!(different.len() >= wanted.len(), "{} of {}", different.len(), wanted.len());
        Ok(())
    };
    let arrived = flume.drained(all).unwrap();
    let mut seen = HashSet::new();
    let first: Vec<_> = arrived.iter().filter(|e| seen.insert(&e.body)).map(|e| &e.body).collect();
    assert!(
        first.into_iter().eq(&wanted),
        "{} of {} lines are there, or out of order",
        seen.len(),
        wanted.len()
    );
    // Flume's own sink writes at most one of its batches again for a kill
    let twice = arrived.len() - wanted.len();
    assert!(
        twice <= (doubtful + 1) * SIZE,
        "{twice} lines are there twice, {doubtful} batches were in doubt"
    );
    eprintln!("{} lines, {twice} twice, {doubtful} batches in doubt", wanted.len());
}
