//! `log-agent` beside rsyslog, and both beside what the machine itself allows: one large file, many files that rotate, one line's way, files
//! nobody writes, a sink that is away, kills.

mod abuse;
mod backlog;
mod floor;
mod idle;
mod latency;
mod lines;
mod one_file;
mod real_flume;
mod rotation;
mod shipper;
mod viewers;

use crate::table::Table;
use anyhow::Result;
use e2e::logs::arrived::{Arrived, Eye};
use e2e::logs::null_flume;
use shipper::Shipper;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Length of every line with its LF.
const LINE: usize = 200;
/// Any port.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// How much of everything.
pub struct Size {
    /// Bytes of the one large file, and of the backlog.
    pub file: u64,
    /// Bytes of the backlog.
    pub backlog: u64,
    /// Seconds of load where it is about time.
    pub seconds: u64,
}

/// Every figure, in one run, or one table; each is printed when it is there.
pub fn run(binary: &Path, size: &Size, only: Option<&str>) -> Result<()> {
    let shippers = [Shipper::LogAgent(binary.to_owned()), Shipper::Rsyslog];
    println!("### log-agent beside rsyslog\n");
    type Measure<'a> = &'a dyn Fn() -> Result<Table>;
    let tables: [(&str, &str, Measure<'_>); 8] = [
        ("file", "One file, lines of 200 bytes, to a null peer on loopback", &|| {
            one_file::run(&shippers, size.file)
        }),
        ("rotation", "20 files, 100 MB/s, rotated by rename", &|| {
            rotation::run(&shippers, size.seconds)
        }),
        ("latency", "From write to sink, one quiet file", &|| latency::run(&shippers)),
        ("idle", "Files nobody writes", &|| idle::run(&shippers)),
        ("abuse", "Abuse", &|| abuse::run(&shippers, size.seconds)),
        ("viewers", "Live viewers of one file", &|| viewers::run(binary)),
        ("flume", "Into a real Flume", &|| real_flume::run(binary, size.file)),
        ("backlog", "A backlog while Flume is away", &|| backlog::run(binary, size.backlog)),
    ];
    for (name, title, measure) in tables {
        if only.is_none_or(|only| only == name) {
            println!("#### {title}\n\n{}", measure()?.render());
        }
    }
    Ok(())
}

/// A null peer in the language of a shipper.
struct Sink {
    address: SocketAddr,
    arrived: Arc<Arrived>,
    eye: Option<Eye>,
    listen: fn(SocketAddr, &Arc<Arrived>, Option<Eye>) -> Result<SocketAddr>,
}

impl Sink {
    fn start(shipper: &Shipper, eye: Option<Eye>) -> Result<Self> {
        let listen = match shipper {
            Shipper::LogAgent(_) => null_flume::listen,
            Shipper::Rsyslog => lines::listen,
        };
        let arrived = Arc::new(Arrived::default());
        let address = listen(ANY, &arrived, eye.clone())?;
        Ok(Self { address, arrived, eye, listen })
    }

    /// Goes away; nothing listens any more.
    fn leave(&self) {
        self.arrived.close(self.address);
    }

    /// Comes back where it was.
    fn come_back(&self) -> Result<()> {
        (self.listen)(self.address, &self.arrived, self.eye.clone()).map(drop)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A count as a figure.
fn figure(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let figure = count as f64;
    figure
}

/// Bytes in MB.
fn mb(bytes: u64) -> String {
    format!("{:.1} MB", figure(bytes) / 1e6)
}
