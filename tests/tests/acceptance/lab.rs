//! What every test here begins with: an engine, a Graphite, a dadvisor between them.

use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home, Settings};
use e2e::docker::{Container, Docker};
use e2e::graphite::Graphite;
use e2e::wait::eventually;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Long enough for anything that is a matter of seconds, an emulated processor included.
pub const SOON: Duration = Duration::from_secs(30);

/// The machine's engine, a Graphite, and the home of a dadvisor between them.
pub struct Lab {
    pub docker: Docker,
    pub graphite: Graphite,
    pub home: Home,
    step: u64,
}

impl Lab {
    /// Steps of a second, in a Graphite that other tests may use too.
    pub fn new(test: &str) -> Result<Self> {
        Self::with(test, Graphite::shared(), "1s")
    }

    /// Steps of this many seconds (`10s`), in a Graphite that may be stopped.
    pub fn with_own_graphite(test: &str, step: &'static str) -> Result<Self> {
        Self::with(test, Graphite::start_with_step(step), step)
    }

    fn with(test: &str, graphite: Graphite, step: &str) -> Result<Self> {
        let docker = Docker::system(test)?;
        let carbon = graphite.line_addr();
        let home = Home::new(&Settings { interval: step.into(), carbon, ..Settings::default() })?;
        let step = step.trim_end_matches('s').parse()?;
        Ok(Self { docker, graphite, home, step })
    }

    /// A slot that has begun only now: what is measured from here on is in the ones after it.
    pub fn now(&self) -> u64 {
        now() / self.step * self.step
    }

    /// Seconds from tick to tick.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Waits until Graphite has a value of the series in each of `slots` slots after `from`: those values.
    pub fn series(&self, target: &str, from: u64, slots: u64) -> Result<Vec<f64>> {
        let until = from + slots * self.step;
        wait_until(until);
        eventually(SOON, target, || {
            let points = self.graphite.points(target, from, until);
            ensure!(points.len() as u64 == slots, "{slots} points wanted, these there: {points:?}");
            Ok(points.into_iter().map(|(_, value)| value).collect())
        })
    }

    /// The newest value that Graphite has of a series, from a pass that began after this call.
    pub fn fresh(&self, target: &str) -> Result<f64> {
        let series = self.series(target, self.now() + self.step, 1)?;
        series.last().copied().context("empty")
    }
}

/// The series of one container's metric, when its label gives it the app `e2e/<app>`.
pub fn series_of(app: &str, container: &Container, metric: &str) -> String {
    format!("qae.dc1.app.e2e_{app}.inst.{}.{metric}", container.short())
}

/// Waits until the daemon has read a container.
pub fn seen(dadvisor: &Dadvisor, container: &Container) -> Result<()> {
    eventually(SOON, "a new container is read", || dadvisor.container(&container.id).map(|_| ()))
}

/// Fails unless the two are within `percent` of each other.
pub fn near(what: &str, actual: f64, wanted: f64, percent: f64) -> Result<()> {
    let off = (actual - wanted).abs() / wanted.abs() * 100.0;
    println!("{what}: {actual} against {wanted}, {off:.2} % off");
    ensure!(off <= percent, "{what} is {actual}, wanted {wanted} within {percent} %");
    Ok(())
}

/// Waits until the clock shows that time.
pub fn wait_until(time: u64) {
    std::thread::sleep(Duration::from_secs(time.saturating_sub(now())));
}

/// Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs())
}
