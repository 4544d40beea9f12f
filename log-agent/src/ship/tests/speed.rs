//! How fast: run by hand in release, `cargo test --release -p log-agent --lib speed -- --ignored --nocapture`.

use super::super::Limits;
use super::*;
use std::io::{BufWriter, Read};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

const BYTES: u64 = 1 << 30;

/// A peer that takes all and answers as soon as it has a request, as Flume's wire would have it.
struct Wire {
    stream: TcpStream,
    head: Vec<u8>,
}

impl Wire {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::Builder::new()
            .name("peer".into())
            .spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buf = vec![0; 256 << 10];
                let mut head = [0; 4];
                while stream.read_exact(&mut head).is_ok() {
                    let mut left = u32::from_be_bytes(head) as usize;
                    while left > 0 {
                        let most = left.min(buf.len());
                        left -= stream.read(&mut buf[..most]).unwrap();
                    }
                    stream.write_all(&[0; 23]).unwrap();
                }
            })
            .unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, head: Vec::new() }
    }
}

impl Sink for Wire {
    fn send(&mut self, events: &Events<'_>) -> Result<(), Failure> {
        self.head.clear();
        self.head.extend_from_slice(&u32::try_from(events.bytes().len()).unwrap().to_be_bytes());
        let mut slices = [std::io::IoSlice::new(&self.head), std::io::IoSlice::new(events.bytes())];
        let written = self.stream.write_vectored(&slices).unwrap();
        let mut rest = &mut slices[..];
        std::io::IoSlice::advance_slices(&mut rest, written);
        for slice in rest {
            self.stream.write_all(slice).unwrap();
        }
        self.stream.read_exact(&mut [0; 23]).unwrap();
        Ok(())
    }

    fn idle(&mut self) {}

    fn status(&self) -> SinkStatus {
        SinkStatus::default()
    }
}

#[derive(Default)]
struct Null(Arc<AtomicU64>);

impl Sink for Null {
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
    let shipper = Shipper::start(settings, files.clone(), journal, sink).unwrap();
    let volume = Volume {
        instance: InstanceKey {
            id: InstanceId::new("shop_web.instance-1"),
            app: AppId::new("shop/web"),
        },
        dir: dir.path().join("volume"),
        name: String::new(),
        ended_at: None,
        form: crate::volume::Form::Plain,
    };
    files.set_volumes(Arc::new(vec![volume]));
    (files, shipper)
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
        "{what}: {:.2} GB/s; CPU s/GB: read {:.2}, send {:.2}, journal {:.2}, follow {:.2}, peer {:.2}; RSS {:.0} MB; journal {:?}",
        gb / seconds,
        of("ship-read") / gb,
        of("ship-send") / gb,
        of("journal") / gb,
        of("follow") / gb,
        of("peer") / gb,
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
        one_file(&format!("no wire, {events} a batch"), limits, Box::<Null>::default());
        one_file(&format!("wire, {events} a batch"), limits, Box::new(Wire::new()));
    }
}

#[test]
#[ignore = "figures, in release"]
fn a_quiet_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("volume")).unwrap();
    let (files, shipper) = ship(&dir, Limits::default(), Box::new(Wire::new()));
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
