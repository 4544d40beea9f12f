//! `qae-api` with a large Marathon: what a whole list costs, and whether it keeps up with events.

use crate::process::{cpu_seconds, resident};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use e2e::centre::{Home, Settings};
use e2e::daemon::Daemon;
use e2e::http;
use e2e::marathon::{Marathon, Version};
use e2e::wait::eventually;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Lists each figure is an average of.
const LISTS: u32 = 5;
/// How long events are sent; the first and the last third are compared.
const EVENTS_FOR: Duration = Duration::from_secs(30);
/// Batches of a second.
const BATCHES: u32 = 100;

/// The table.
pub fn run(binary: &Path, apps: u32, tasks: u32) -> Result<String> {
    let marathon = Marathon::start(Version::V1_9)?;
    marathon.buffer(100_000);
    let mut running = Vec::new();
    for app in 0..apps {
        running.extend(marathon.run_app(&format!("/shop/app-{app}"), tasks)?);
    }
    let lab = Lab::start(binary, &marathon)?;
    let mut table = Table::new(&["what", "figure", "goal"]);
    let mut add = |what: String, figure: String, goal: &str| {
        table.row(vec![what, figure, goal.to_owned()]);
    };
    let count = apps * tasks;
    eventually(Duration::from_secs(60), "the first list", || {
        let stored = lab.figure("changes_total")?;
        ensure!(stored >= f64::from(apps + count), "{stored} changes stored");
        Ok(())
    })?;
    let first = cpu_seconds(lab.daemon.pid())?;
    add(
        format!("start, and a first list of {count} tasks in {apps} apps stored: CPU"),
        seconds(first),
        "",
    );
    let (cpu, took) = lab.lists(&marathon)?;
    add("every further list: CPU".to_owned(), seconds(cpu), "1 s");
    add("the same, from question to answer".to_owned(), seconds(took), "");
    let followed = lab.events(&marathon, running)?;
    let share = format!("{:.1} % of a core", followed.share * 100.0);
    add(
        format!("{:.0} events a second, one in ten of them news", followed.rate),
        share,
        "1,000 a second",
    );
    let lag = format!("{} / {}", seconds(followed.lag.0), seconds(followed.lag.1));
    add("oldest news not stored, first 10 s / last 10 s, at most".to_owned(), lag, "not growing");
    add("lists they led to, whole / of one app".to_owned(), followed.lists, "");
    let mb = format!("{} MB", resident(lab.daemon.pid())? / 1_000_000);
    add("resident".to_owned(), mb, "");
    Ok(table.render())
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

struct Lab {
    daemon: Daemon,
    token: String,
    // removed when this goes, after the daemon
    _home: Home,
}

struct Followed {
    rate: f64,
    share: f64,
    lag: (f64, f64),
    lists: String,
}

impl Lab {
    fn start(binary: &Path, marathon: &Marathon) -> Result<Self> {
        let home = Home::new(&Settings { more: marathon.config("m"), ..Settings::default() })?;
        let mut command = Command::new(binary);
        command.arg("--config").arg(home.config());
        let daemon = Daemon::start("qae-api", command)?;
        let file = home.state().join("api/admin-token");
        let token = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        Ok(Self { daemon, token: token.trim().to_owned(), _home: home })
    }

    /// A figure of this cluster.
    fn figure(&self, name: &str) -> Result<f64> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str())];
        let answer = http::request(&self.daemon.address, "GET", "/metrics", &headers, "")?;
        let text = String::from_utf8(answer.body)?;
        let begin = format!("qae_marathon_{name}{{cluster=\"m\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        Ok(line.with_context(|| format!("no {begin}"))?.parse()?)
    }

    /// CPU of a list that finds nothing new, and the time it takes.
    fn lists(&self, marathon: &Marathon) -> Result<(f64, f64)> {
        let (mut cpu, mut took) = (0.0, 0.0);
        for _ in 0..LISTS {
            let (before, lists) = (cpu_seconds(self.daemon.pid())?, self.figure("lists_total")?);
            marathon.tell("group_change_success", json!({"groupId": "/"}));
            eventually(Duration::from_secs(60), "a list", || {
                ensure!(self.figure("lists_total")? > lists);
                Ok(())
            })?;
            // compared with what is stored
            std::thread::sleep(Duration::from_millis(500));
            cpu += cpu_seconds(self.daemon.pid())? - before;
            took += self.figure("last_list_seconds")?;
        }
        Ok((cpu / f64::from(LISTS), took / f64::from(LISTS)))
    }

    /// A thousand events a second: Mesos repeating itself, checks that change, tasks that are replaced.
    fn events(&self, marathon: &Marathon, mut running: Vec<String>) -> Result<Followed> {
        let names = ["events_total", "lists_total", "app_lists_total"];
        let read = || names.iter().map(|n| self.figure(n)).collect::<Result<Vec<f64>>>();
        let (before, cpu, begin) = (read()?, cpu_seconds(self.daemon.pid())?, Instant::now());
        let mut lags = Vec::new();
        let mut batch = 0_u32;
        while begin.elapsed() < EVENTS_FOR {
            for n in 0..9 {
                let at = (batch as usize * 9 + n) * 7 % running.len();
                marathon.say(&running[at], "TASK_RUNNING", "")?;
            }
            let at = batch as usize * 13 % running.len();
            match batch % 10 {
                // six events of a task that fails and is started again
                0 => {
                    let next = marathon.replace(&running[at])?;
                    marathon.started(&next)?;
                    running[at] = next;
                }
                n => marathon.check(&running[at], n % 2 == 0)?,
            }
            batch += 1;
            if batch % BATCHES == 0 {
                lags.push(self.figure("lag_seconds")?);
            }
            let due = Duration::from_secs(1) * batch / BATCHES;
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        let took = begin.elapsed().as_secs_f64();
        let used = cpu_seconds(self.daemon.pid())? - cpu;
        eventually(Duration::from_secs(60), "everything stored", || {
            ensure!(self.figure("lag_seconds")? == 0.0);
            Ok(())
        })?;
        let after = read()?;
        let most = |lags: &[f64]| lags.iter().copied().fold(0.0, f64::max);
        let third = lags.len() / 3;
        Ok(Followed {
            rate: (after[0] - before[0]) / took,
            share: used / took,
            lag: (most(&lags[..third]), most(&lags[lags.len() - third..])),
            lists: format!("{:.0} / {:.0}", after[1] - before[1], after[2] - before[2]),
        })
    }
}
