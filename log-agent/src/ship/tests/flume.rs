//! Over Flume's wire, to a peer that plays what Flumes do.

use super::super::flume::{Flume, Form, Settings as FlumeSettings, Times};
use super::super::testing::{Double, Play, Stored};
use super::*;

pub(super) fn flume(host: String) -> Flume {
    let times = Times { answer: Duration::from_millis(500), ..Times::default() };
    Flume::new(FlumeSettings { hosts: vec![host], form: Form::Plain, times })
}

/// One volume shipped to a peer.
struct Wired {
    dir: tempfile::TempDir,
    files: Files,
    shipper: Shipper,
}

impl Wired {
    fn new(peer: &Double) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("volumes/one")).unwrap();
        let (files, shipper) =
            super::start(&dir, &["one".into()], &settings(), vec![flume(peer.address())], 0);
        Self { dir, files, shipper }
    }

    fn write(&self, from: usize, to: usize) {
        let text: String = (from..to).map(|n| format!("line {n}\n")).collect();
        let path = self.dir.path().join("volumes/one/app.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for so many lines acknowledged.
    fn acknowledged(&self, lines: u64) {
        let until = Instant::now() + DEADLINE;
        let app = AppId::new("shop/web");
        loop {
            let status = self.shipper.status();
            if status.apps.get(&app).is_some_and(|app| app.lines >= lines) {
                return;
            }
            assert!(Instant::now() < until, "never: {status:?}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl Drop for Wired {
    fn drop(&mut self) {
        self.shipper.stop(Instant::now() + DEADLINE);
        self.files.stop();
    }
}

/// First occurrences in order, and how many came again.
fn lines(stored: &[Stored]) -> (Vec<usize>, usize) {
    let mut seen = Vec::new();
    let mut again = 0;
    for event in stored {
        let body = String::from_utf8_lossy(&event.body).into_owned();
        let number: usize = body.strip_prefix("line ").unwrap().parse().unwrap();
        if number < seen.len() && seen[number] == number {
            again += 1;
        } else {
            seen.push(number);
        }
    }
    (seen, again)
}

#[test]
fn lines_arrive_over_the_wire_with_their_headers() {
    let peer = Double::start().unwrap();
    let wired = Wired::new(&peer);
    wired.write(0, 2_500);
    wired.acknowledged(2_500);
    let stored = peer.stored();
    assert_eq!(lines(&stored), ((0..2_500).collect(), 0));
    let headers = &stored[1].headers;
    let expected = [
        ("dc", "dc1"),
        ("node", "node1"),
        ("app", "shop/web"),
        ("instance", "one"),
        ("file", "app.log"),
        ("offset", "7"),
    ];
    for (key, value) in expected {
        assert_eq!(headers[key], value);
    }
    assert!(headers["timestamp"].parse::<u64>().unwrap() > 1_600_000_000_000);
}

#[test]
fn a_capacity_of_100_and_refusals_lose_and_repeat_nothing() {
    let peer = Double::start().unwrap();
    peer.limit(100);
    peer.play([Play::Fail, Play::Unknown]);
    let wired = Wired::new(&peer);
    wired.write(0, 3_000);
    wired.acknowledged(3_000);
    assert_eq!(lines(&peer.stored()), ((0..3_000).collect(), 0));
}

#[test]
fn whatever_breaks_in_the_middle_of_a_batch_loses_nothing() {
    let peer = Double::start().unwrap();
    let wired = Wired::new(&peer);
    let breaks = [
        Play::CloseWithin(100),
        Play::Take,
        Play::TakeAndClose,
        Play::Silence,
        Play::Serial,
        Play::Close,
        Play::Error("no".into()),
        Play::Garble(vec![1, 2, 3]),
    ];
    peer.play(breaks);
    for round in 0..6 {
        wired.write(round * 500, (round + 1) * 500);
        wired.acknowledged((round as u64 + 1) * 500);
    }
    let (seen, again) = lines(&peer.stored());
    assert_eq!(seen, (0..3_000).collect::<Vec<_>>());
    let app = &wired.shipper.status().apps[&AppId::new("shop/web")];
    assert!(again > 0 && again as u64 <= app.duplicates_possible, "{again} {app:?}");
}

#[test]
fn a_peer_that_is_away_and_comes_back_gets_everything() {
    let peer = Double::start().unwrap();
    let wired = Wired::new(&peer);
    wired.write(0, 10);
    wired.acknowledged(10);
    let address = peer.end();
    wired.write(10, 4_000);
    let until = Instant::now() + DEADLINE;
    while wired.shipper.status().failures < 2 {
        assert!(Instant::now() < until, "{:?}", wired.shipper.status());
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let peer = Double::start_at(&address).unwrap();
    wired.acknowledged(4_000);
    let (seen, _) = lines(
        &peer
            .stored()
            .iter()
            .map(|s| {
                let number: usize = String::from_utf8_lossy(&s.body)[5..].parse().unwrap();
                Stored {
                    headers: s.headers.clone(),
                    body: format!("line {}", number - 10).into_bytes(),
                }
            })
            .collect::<Vec<_>>(),
    );
    assert_eq!(seen, (0..3_990).collect::<Vec<_>>());
}
