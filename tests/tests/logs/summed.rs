//! Two nodes whose sink is away, and the centre that sums what waits on both: one series for the app.

use anyhow::{Result, ensure};
use e2e::agent::{Agent, container};
use e2e::wait::eventually;
use e2e::{centre, log_agent};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tempfile::NamedTempFile;

/// The centre writes every 10 s.
const SOON: Duration = Duration::from_secs(40);

/// What comes to a carbon that takes everything.
#[derive(Clone, Default)]
struct Carbon(Arc<Mutex<Vec<String>>>);

impl Carbon {
    fn listen(&self) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, lines) = (listener.local_addr()?, Arc::clone(&self.0));
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(std::io::Result::ok) {
                let lines = Arc::clone(&lines);
                std::thread::spawn(move || {
                    for line in BufReader::new(socket).lines().map_while(std::io::Result::ok) {
                        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                    }
                });
            }
        });
        Ok(address)
    }

    /// The last value of a series.
    fn last(&self, series: &str) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |line: &String| {
            let (name, rest) = line.split_once(' ')?;
            (name == series).then(|| rest.split(' ').next().unwrap_or_default().to_owned())
        };
        lines.iter().rev().find_map(of)
    }
}

#[test]
fn what_waits_of_an_app_is_summed_over_its_nodes() -> Result<()> {
    let carbon = Carbon::default();
    let address = carbon.listen()?.to_string();
    let home = centre::Home::new(&centre::Settings::default())?;
    home.edit(|text| text.replacen("carbon = []", &format!("carbon = [{address:?}]"), 1))?;
    let centre = home.start()?;
    Agent::new(&centre, "n0")?.report(&centre, &[container("shop/web", 1)])?;

    // a port that is free again: nobody takes lines there
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut agents = Vec::new();
    for (node, bytes) in [("n1", 100), ("n2", 250)] {
        let token = NamedTempFile::new()?;
        fs::write(token.path(), centre.node_token(node)?)?;
        let url = format!("http://{}", centre.address);
        let home = log_agent::Home::new(&log_agent::Settings {
            flume: vec![nobody],
            more: format!("[api]\nurl = {url:?}\ntoken_file = {:?}\n", token.path()),
            ..log_agent::Settings::default()
        })?;
        home.edit(|text| text.replacen("name = \"e2e\"", &format!("name = {node:?}"), 1))?;
        let line = format!("{}\n", "x".repeat(bytes - 1));
        fs::write(home.volume("shop%2Fweb", node)?.join("app.log"), line)?;
        let running = home.start()?;
        agents.push((home, running, token));
    }
    let series = "qae.dc1.app.shop_web.all.log.lag_bytes";
    eventually(SOON, "the sum", || {
        let last = carbon.last(series);
        ensure!(last.as_deref() == Some("350"), "{last:?}");
        Ok(())
    })?;
    ensure!(carbon.last("qae.dc1.app.shop_web.all.instances.running").as_deref() == Some("1"));
    Ok(())
}
