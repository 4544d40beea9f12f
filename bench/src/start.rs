//! Size of the binary, and time from exec to the first acknowledged-to-be batch on the wire.

use crate::cost::median;
use crate::daemon::Daemon;
use crate::process::resident;
use crate::table::Table;
use anyhow::Result;
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

/// The table.
pub fn run(binary: &Path) -> Result<String> {
    let mut times = Vec::new();
    let mut rss = 0;
    for _ in 0..5 {
        let carbon = TcpListener::bind("127.0.0.1:0")?;
        let start = Instant::now();
        let daemon = Daemon::start(
            binary,
            &carbon.local_addr()?.to_string(),
            Duration::from_secs(10),
            7001,
        )?;
        // the first connection that carries bytes; another may be the idle one by which the daemon notices carbon's end
        let mut first = [0];
        loop {
            let (mut peer, _) = carbon.accept()?;
            peer.set_read_timeout(Some(Duration::from_millis(2_000)))?;
            if peer.read(&mut first).is_ok_and(|n| n == 1) {
                break;
            }
        }
        times.push(start.elapsed().as_secs_f64());
        rss = resident(daemon.pid())?;
    }
    let mut table = Table::new(&["what", "figure"]);
    table.row(vec!["binary".into(), format!("{:.2} MB", mb(std::fs::metadata(binary)?.len()))]);
    table.row(vec![
        "start to first metric at carbon (median of 5)".into(),
        format!("{:.0} ms", median(&mut times) * 1e3),
    ]);
    table.row(vec!["resident after the first pass".into(), format!("{:.1} MB", mb(rss))]);
    Ok(table.render())
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
