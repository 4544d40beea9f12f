//! Random actions on files, sink and process: every line comes, each file in order, and again only what was under way when something broke.

use super::super::Limits;
use super::outlets::INSTANCES;
use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

/// Events in a batch: what may come again each time.
const BATCH: usize = 10;

#[derive(Debug, Clone)]
enum Act {
    Write {
        file: u8,
        lines: usize,
    },
    Rotate {
        file: u8,
    },
    Sink(Does),
    /// The connection breaks once, when the sink has a request.
    Break,
    Restart,
    Kill,
}

fn act() -> impl Strategy<Value = Act> {
    let file = 0u8..3;
    let does = prop_oneof![Just(Does::Takes), Just(Does::Away), Just(Does::TakesAtMost(3))];
    prop_oneof![
        6 => (file.clone(), 1usize..60).prop_map(|(file, lines)| Act::Write { file, lines }),
        3 => file.prop_map(|file| Act::Rotate { file }),
        2 => does.prop_map(Act::Sink),
        1 => Just(Act::Break),
        1 => Just(Act::Restart),
        1 => Just(Act::Kill),
    ]
}

/// The files of one instance are those of even numbers.
fn path(file: u8, end: &str) -> String {
    format!("{}:{file}.{end}", INSTANCES[usize::from(file) % 2])
}

/// Does them all; the lines written, and how many may come again.
fn run(lab: &mut Lab, acts: &[Act]) -> (HashSet<String>, usize) {
    let (mut written, mut again) = (HashSet::new(), 0);
    // of each name: which file it is, by how often it was rotated, and lines in it
    let mut files = [(0usize, 0usize); 3];
    for act in acts {
        match *act {
            Act::Write { file, lines } => {
                let (rotated, count) = &mut files[usize::from(file)];
                let mut text = String::new();
                for nth in *count..*count + lines {
                    let line = format!("{file} {rotated:03} {nth:05}");
                    text.push_str(&line);
                    text.push('\n');
                    written.insert(line);
                }
                *count += lines;
                lab.append(&path(file, "log"), &text);
            }
            Act::Rotate { file } => {
                let (rotated, count) = &mut files[usize::from(file)];
                if *count > 0 {
                    lab.rename(&path(file, "log"), &path(file, &format!("log.{rotated}")));
                    (*rotated, *count) = (*rotated + 1, 0);
                }
            }
            Act::Sink(does) => lab.sink.does(does),
            Act::Break => {
                lab.sink.first(&[Does::KeepsAndBreaks]);
                again += BATCH;
            }
            Act::Restart => {
                lab.stop();
                lab.start();
                // the end came while a request had to be sent again
                again += BATCH * lab.outlets;
            }
            Act::Kill => {
                lab.kill();
                again += BATCH * lab.outlets;
            }
        }
        lab.files.until_tallied(DEADLINE);
    }
    (written, again)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn every_line_comes_in_the_order_of_its_file(
        acts in prop::collection::vec(act(), 5..25), outlets in 1usize..3,
    ) {
        let limits = Limits { events: BATCH, bytes: 1 << 20 };
        let mut lab = Lab::spread(ShipSettings { limits, ..settings() }, &INSTANCES, outlets);
        let (written, again) = run(&mut lab, &acts);
        lab.sink.does(Does::Takes);
        lab.sink.until("every line", |store| {
            store.came.len() >= written.len() && counted(&store.came).len() >= written.len()
        });
        if !written.is_empty() {
            lab.drained();
        }
        lab.files.until_tallied(DEADLINE);
        let behind = lab.files.sums()[0].values().map(|sums| sums.lag).sum::<u64>();
        prop_assert_eq!(behind, lab.shipper.status().lag_bytes());
        let came = lab.sink.bodies();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        for line in &came {
            prop_assert!(written.contains(line), "never written: {line}");
            if seen.insert(line) {
                let before = last.insert(&line[..5], line);
                prop_assert!(before.is_none_or(|before| before < line.as_str()), "{before:?} before {line}");
            }
        }
        prop_assert!(came.len() - written.len() <= again, "{} came again", came.len() - written.len());
    }
}
