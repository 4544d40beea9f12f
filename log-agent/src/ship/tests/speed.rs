//! How fast: run by hand in release, `cargo test --release -p log-agent --lib speed -- --ignored --nocapture`.

use super::super::Limits;
use super::flume::flume;
use super::*;
use e2e::logs::null_flume;
use std::io::BufWriter;
use std::sync::atomic::{AtomicU64, Ordering};

const BYTES: u64 = 1 << 30;

/// Takes everything without looking at it.
#[derive(Default)]
struct Nothing(Arc<AtomicU64>);

impl Sink for Nothing {
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        self.0.fetch_add(events.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn idle(&mut self) {}

    fn status(&self) -> SinkStatus {
        SinkStatus::default()
    }
}

/// Seconds of CPU of this process's threads, by name.
fn cpu() -> BTreeMap<String, f64> {
    let mut cpu = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
        let Ok(stat) = fs::read_to_string(task.join("schedstat")) else { continue };
        let ns: f64 = stat.split(' ').next().unwrap().parse().unwrap();
        *cpu.entry(name.trim().to_owned()).or_default() += ns / 1e9;
    }
    cpu
}

fn rss_mb() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4_096.0 / 1e6
}

/// A shipper on a volume that has something already.
fn ship(dir: &tempfile::TempDir, limits: Limits, sink: Box<dyn Sink>) -> (Files, Shipper) {
    let (journal, known) = Journal::open(&dir.path().join("state")).unwrap();
    let files = Files::resume(Settings::default(), known).unwrap();
    let settings = ShipSettings { limits, ..settings() };
    let shipper = Shipper::start(settings, files.clone(), journal, vec![sink]).unwrap();
    let volume = Volume {
        instance: InstanceKey {
            id: InstanceId::new("shop_web.instance-1"),
            app: AppId::new("shop/web"),
        },
        dir: dir.path().join("volume"),
        name: String::new(),
        form: crate::volume::Form::default(),
        ended_at: None,
    };
    files.set_volumes(Arc::new(vec![volume]));
    (files, shipper)
}

/// Where one listens that takes everything and keeps nothing, until the process ends.
fn null_peer() -> String {
    let any = "127.0.0.1:0".parse().unwrap();
    null_flume::listen(any, &Arc::default(), None).unwrap().to_string()
}

fn one_file(what: &str, limits: Limits, sink: Box<dyn Sink>) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("volume")).unwrap();
    let path = dir.path().join("volume/app.log");
    let mut file = BufWriter::with_capacity(1 << 20, fs::File::create(&path).unwrap());
    let line = format!("{}\n", "x".repeat(199));
    for _ in 0..BYTES / 200 {
        file.write_all(line.as_bytes()).unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    let (before, started) = (cpu(), Instant::now());
    let (files, shipper) = ship(&dir, limits, sink);
    let app = AppId::new("shop/web");
    while shipper.status().apps.get(&app).is_none_or(|a| a.bytes < BYTES / 200 * 200) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = cpu();
    let of = |name: &str| {
        after.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0)
    };
    let gb = BYTES as f64 / 1e9;
    println!(
        "{what}: {:.2} GB/s; CPU s/GB: read {:.2}, send {:.2}, journal {:.2}, follow {:.2}; RSS {:.0} MB; journal {:?}",
        gb / seconds,
        of("ship-read") / gb,
        of("ship-send") / gb,
        of("journal") / gb,
        of("follow") / gb,
        rss_mb(),
        shipper.status().journal,
    );
    shipper.stop(Instant::now() + DEADLINE);
    files.stop();
}

#[test]
#[ignore = "figures, in release"]
fn one_file_at_full_speed() {
    for events in [1_000, 2_000, 5_000] {
        let limits = Limits { events, bytes: 2 << 20 };
        one_file(&format!("no wire, {events} a batch"), limits, Box::<Nothing>::default());
        let peer = null_peer();
        one_file(&format!("wire, {events} a batch"), limits, Box::new(flume(peer)));
    }
}

#[test]
#[ignore = "figures, in release"]
fn a_quiet_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("volume")).unwrap();
    let peer = null_peer();
    let sink = Box::new(flume(peer));
    let (files, shipper) = ship(&dir, Limits::default(), sink);
    let path = dir.path().join("volume/app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let app = AppId::new("shop/web");
    let mut times = Vec::new();
    for nth in 0..300u64 {
        // some time apart, so that each is the first after a pause
        std::thread::sleep(Duration::from_millis(20 + nth % 7));
        let started = Instant::now();
        file.write_all(b"a line that is written now and then\n").unwrap();
        while shipper.status().apps.get(&app).is_none_or(|a| a.lines <= nth) {
            std::thread::yield_now();
        }
        times.push(started.elapsed());
    }
    times.sort();
    println!(
        "write to acknowledged: p50 {:?}, p99 {:?}, most {:?}",
        times[150], times[297], times[299]
    );
    shipper.stop(Instant::now() + DEADLINE);
    files.stop();
}

#[test]
#[ignore = "figures, in release"]
fn memory_while_the_sink_is_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("volume")).unwrap();
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sink = Box::new(flume(away.to_string()));
    let (files, shipper) = ship(&dir, Limits::default(), sink);
    let path = dir.path().join("volume/app.log");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    let line = format!("{}\n", "x".repeat(199)).repeat(5_000);
    for mb in 0..2_000 {
        file.write_all(line.as_bytes()).unwrap();
        if mb % 500 == 0 {
            println!("backlog {mb} MB: RSS {:.1} MB", rss_mb());
        }
    }
    let lag = shipper.status().lag_bytes() >> 20;
    println!("backlog {lag} MiB: RSS {:.1} MB", rss_mb());
    shipper.stop(Instant::now() + DEADLINE);
    files.stop();
}
