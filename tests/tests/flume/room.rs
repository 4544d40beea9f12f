//! A channel that takes few events at once, and one that is full.

use super::{batch, numbered, sink};
use e2e::flume::{Flume, Settings};
use log_agent::ship::flume::Form;
use log_agent::ship::sink::{Failure, Sink as _};
use std::time::{Duration, Instant};

#[test]
fn a_default_memory_channel_takes_a_hundred_at_once_and_then_is_full() {
    // transactionCapacity 100, as a node has it whose owner set nothing
    let small = Settings {
        channel: "memory",
        capacity: "600",
        transaction: "100",
        sink: "none",
        ..Settings::default()
    };
    let flume = Flume::start(&small).unwrap();
    let mut sink = sink(&flume.address().unwrap(), Form::Plain);
    let batch = batch(0, &numbered(0, 1_000));
    let (mut at, mut size, mut refused) = (0, 1_000, 0);
    let failure = loop {
        let begin = Instant::now();
        match sink.send(&batch.part(at..at + size)) {
            Ok(()) => at += size,
            Err(Failure::Full { .. }) if size > 100 => {
                assert!(begin.elapsed() < Duration::from_secs(2), "too large is said at once");
                size /= 2;
                refused += 1;
            }
            Err(failure) => break failure,
        }
    };
    // 1000, 500, 250 and 125 are too many; nine times 62 fit into 600, a tenth does not
    assert_eq!((at, size, refused), (9 * 62, 62, 4));
    assert!(matches!(failure, Failure::Full { .. }), "{failure:?}");
    assert!(failure.to_string().contains("FAILED to 62 events"), "{failure}");
    assert_eq!(flume.counter("CHANNEL.c1", "ChannelSize").unwrap(), 9 * 62);
    assert_eq!(sink.status().failures.full, 5);
    // what still fits is taken
    sink.send(&batch.part(at..at + 42)).unwrap();
}
