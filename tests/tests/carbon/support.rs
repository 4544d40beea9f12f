//! What every test here needs: settings with short times, batches, a running sender.

use common::carbon::{Carbon, Settings, Status};
use common::ids::{AppId, InstanceId};
use common::metric::{Batch, Name, Namer, Series, Style, Value};
use e2e::graphite::{Graphite, eventually};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// Long enough for anything here on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

pub fn settings(destinations: &[String], dir: &Path) -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(1),
        ack_timeout: Duration::from_secs(2),
        ..Settings::new(destinations.to_vec(), dir.to_owned())
    }
}

/// Now, on a 10 s slot that is over: its points can be read at once.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    now / 10 * 10 - 10
}

pub fn series(style: Style, instance: &str) -> Series {
    Namer::new("qae", "dc1", style).instance(&AppId::new("shop/web"), &InstanceId::new(instance))
}

/// `points` series `m<i>.figure` below instance `instance`, each with the value `i + 1`.
pub fn batch(instance: &str, timestamp: u64, points: u64) -> Batch {
    let series = series(Style::Path, instance);
    let mut batch = Batch::default();
    batch.restart(timestamp);
    for i in 0..points {
        batch.push(&series, Name("m", &i.to_string(), ".figure"), Value::Int(i + 1));
    }
    batch
}

/// Series `i` of [`batch`].
pub fn path(instance: &str, i: u64) -> String {
    format!("qae.dc1.app.shop_web.inst.{instance}.m{i}.figure")
}

/// How many of the series of [`batch`] have their value at `timestamp`.
pub fn readable(graphite: &Graphite, instance: &str, timestamp: u64, points: u64) -> usize {
    let target = format!("qae.dc1.app.shop_web.inst.{instance}.*.figure");
    let answer = graphite.render(&target, timestamp - 20, timestamp + 10);
    let found = |series: &&serde_json::Value| {
        let name = series["target"].as_str().unwrap();
        let index: u64 =
            name.rsplit(".m").next().unwrap().strip_suffix(".figure").unwrap().parse().unwrap();
        let mut points = series["datapoints"].as_array().unwrap().iter();
        points.any(|p| p[1] == timestamp && p[0].as_f64() == Some((index + 1) as f64))
    };
    let answer = answer.as_array().unwrap();
    assert!(answer.len() as u64 <= points);
    answer.iter().filter(found).count()
}

/// A sender in a thread of its own, as in the daemons.
pub struct Running {
    pub carbon: Carbon,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(settings: Settings) -> Self {
        Self::of(Carbon::open(settings).unwrap())
    }

    pub fn of(carbon: Carbon) -> Self {
        let (stop, handle) = (CancellationToken::new(), carbon.clone());
        let until = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(handle.run(until));
        });
        Self { carbon, stop, thread: Some(thread) }
    }

    /// Waits until the status is as wanted.
    #[track_caller]
    pub fn wait(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let status = || Some(self.carbon.status()).filter(|s| wanted(s));
        let deadline = std::time::Instant::now() + LIMIT;
        eventually(LIMIT + Duration::from_secs(1), what, || {
            let late = std::time::Instant::now() > deadline;
            assert!(!late, "not reached: {what}: {:#?}", self.carbon.status());
            status()
        })
    }

    /// Waits until everything is acknowledged.
    #[track_caller]
    pub fn drained(&self) -> Status {
        self.wait("all acknowledged", |s| s.waiting_points == 0)
    }

    /// Stops the sender as the daemons do, and waits for it.
    pub fn stop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Nothing is unaccounted for.
#[track_caller]
pub fn balanced(s: &Status) {
    let left = s.submitted_points + s.replayed_points;
    let found = s.acknowledged_points
        + s.waiting_points
        + s.dropped_at_cap_points
        + s.dropped_disk_points
        + s.damaged_points;
    assert_eq!(left, found, "{s:#?}");
}
