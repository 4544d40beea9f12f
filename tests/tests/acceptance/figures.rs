//! A container that burns half a core, one that holds 100 MB, one that writes 50 MiB, one that sends 20 MB: those are the figures in
//! Graphite, and they are those of `docker stats`.

use crate::lab::{Lab, SOON, near, seen, series_of};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::Dadvisor;
use e2e::docker::{Container, Docker};
use e2e::wait::eventually;
use e2e::{host, http};
use std::path::Path;

/// Bytes that the disk container writes past the page cache.
const WRITTEN: f64 = 50.0 * 1024.0 * 1024.0;
/// Bytes that the network container sends, frames and all some 0.8 % more: its network has frames of 9000 bytes.
const SENT: f64 = 20_000_000.0;
/// Bytes that the memory container holds.
const HELD: f64 = 100_000_000.0;

struct Loads {
    cpu: Container,
    memory: Container,
    disk: Container,
    net: Container,
    sink: Container,
}

impl Loads {
    fn start(docker: &Docker) -> Result<Self> {
        let network = docker.network(9000)?;
        let app = ["--label", "qae.app=e2e/figures"];
        let on = [&app[..], &["--network", &network]].concat();
        let idle = "exec sleep 100000";
        let loads = Self {
            cpu: docker.run(
                "cpu",
                &[&app[..], &["--cpus", "0.5"]].concat(),
                "while :; do :; done",
            )?,
            // tail keeps what has no end of line
            memory: docker.run(
                "memory",
                &app,
                &format!("(head -c {HELD} /dev/zero; {idle}) | tail"),
            )?,
            disk: docker.run("disk", &[&app[..], &["-v", "/data"]].concat(), idle)?,
            net: docker.run("net", &on, idle)?,
            sink: docker.run("sink", &on, "exec nc -ll -p 9000 -e sh -c 'cat >/dev/null'")?,
        };
        count_disk(docker)?;
        Ok(loads)
    }

    /// What is done once, after dadvisor has read them: rates and totals must both show it.
    fn work(&self, docker: &Docker) -> Result<()> {
        let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker.inspect(&self.sink, address)?;
        docker.exec(&self.disk, "dd if=/dev/zero of=/data/file bs=1M count=50 oflag=direct")?;
        docker.exec(&self.net, &format!("head -c {SENT} /dev/zero | nc {address} 9000"))?;
        Ok(())
    }

    fn all(&self) -> [(&str, &Container); 5] {
        [
            ("cpu", &self.cpu),
            ("memory", &self.memory),
            ("disk", &self.disk),
            ("net", &self.net),
            ("sink", &self.sink),
        ]
    }
}

/// From Linux 6.10 on, cgroup v1 counts a disk's IO by container only after some container had a throttle on that disk. One that never
/// bites is set once here, as an operator would.
fn count_disk(docker: &Docker) -> Result<()> {
    if host::cgroup_v2() {
        return Ok(());
    }
    let root = docker.cli(["info", "--format", "{{.DockerRootDir}}"])?;
    let disk = host::disk_of(Path::new(&root))?;
    let limit = format!("{}:1tb", disk.display());
    docker.run("throttle", &["--device-write-bps", &limit], "exec sleep 100000").map(|_| ())
}

#[test]
fn figures_are_right_in_graphite_and_equal_docker_stats() -> Result<()> {
    let lab = Lab::new("figures")?;
    let loads = Loads::start(&lab.docker)?;
    let dadvisor = lab.home.start()?;
    for (_, container) in loads.all() {
        seen(&dadvisor, container)?;
    }
    // a rate needs two passes: from this slot on every one has both
    lab.fresh(&series_of("figures", &loads.cpu, "cpu.percent"))?;
    let begin = lab.now();
    // a window in which both tell how much CPU was used
    let engine_before = used(&lab.docker, &loads.cpu)?;
    loads.work(&lab.docker)?;
    in_graphite(&lab, &loads, begin)?;
    let engine_after = used(&lab.docker, &loads.cpu)?;
    let engine = (engine_after.0 - engine_before.0) / (engine_after.1 - engine_before.1) * 100.0;
    let end = lab.now();
    let slots = (end - begin) / lab.step() - 1;
    let ours = lab.series(&series_of("figures", &loads.cpu, "cpu.percent"), begin, slots)?;
    near("cpu, docker's own counter over the same time", mean(&ours), engine, 2.0)?;
    pressure(&dadvisor, &loads.cpu)?;
    as_docker_stats(&lab, &loads, &dadvisor)
}

/// What was asked for is what Graphite has, within 5 %.
fn in_graphite(lab: &Lab, loads: &Loads, begin: u64) -> Result<()> {
    let series = |container: &Container, metric: &str| series_of("figures", container, metric);
    let percent = lab.series(&series(&loads.cpu, "cpu.percent"), begin, 16)?;
    near("cpu.percent", mean(&percent), 50.0, 5.0)?;
    let share = lab.series(&series(&loads.cpu, "cpu.limit_percent"), begin, 16)?;
    near("cpu.limit_percent", mean(&share), 100.0, 5.0)?;
    let used = lab.series(&series(&loads.cpu, "cpu.usage_seconds_total"), begin, 16)?;
    near("cpu seconds in 15 s", used[15] - used[0], 7.5, 5.0)?;
    let throttled = lab.series(&series(&loads.cpu, "cpu.throttled_percent"), begin, 16)?;
    ensure!(throttled.iter().all(|p| (0.0..=100.0).contains(p)), "{throttled:?}");
    ensure!(mean(&throttled) > 50.0, "a loop at its quota is throttled in most periods");

    for metric in ["memory.usage_bytes", "memory.working_set_bytes", "memory.rss_bytes"] {
        near(metric, lab.fresh(&series(&loads.memory, metric))?, HELD, 5.0)?;
    }
    let (disk, net, sink) = (&loads.disk, &loads.net, &loads.sink);
    for (container, what, amount) in
        [(disk, "io.write", WRITTEN), (net, "net.tx", SENT), (sink, "net.rx", SENT)]
    {
        let total = lab.fresh(&series(container, &format!("{what}_bytes_total")))?;
        near(&format!("{what}_bytes_total"), total, amount, 5.0)?;
        shown_as_rate(lab, &series(container, what), begin, amount)?;
    }
    Ok(())
}

/// The rate is there in the slots in which the total grows, and in no other. How high it is says the real time between two passes,
/// which on a busy machine is not quite that between two slots.
fn shown_as_rate(lab: &Lab, series: &str, begin: u64, amount: f64) -> Result<()> {
    let slots = (lab.now() - begin) / lab.step();
    let totals = lab.series(&format!("{series}_bytes_total"), begin, slots)?;
    let rates = lab.series(&format!("{series}_bytes_per_second"), begin, slots)?;
    let grown = totals.windows(2).map(|w| w[1] - w[0]);
    for (grown, rate) in grown.zip(&rates[1..]) {
        ensure!((grown > 0.0) == (*rate > 0.0) && *rate >= 0.0, "{totals:?}\n{rates:?}");
    }
    let sum = rates.iter().sum::<f64>();
    println!("{series}_bytes_per_second over all slots: {sum} of {amount}");
    ensure!(sum > amount / 2.0, "{rates:?} is not the rate of {amount} bytes");
    Ok(())
}

/// A loop at its quota waits half of the time.
fn pressure(dadvisor: &Dadvisor, cpu: &Container) -> Result<()> {
    if !host::pressure() {
        println!("this kernel tells no pressure by cgroup");
        return Ok(());
    }
    let some = "pressure.cpu.some_seconds_total";
    ensure!(dadvisor.metric(&cpu.id, some)? > 1.0, "a throttled loop waits for CPU");
    for metric in ["memory.some", "memory.full", "io.some", "io.full"] {
        dadvisor.metric(&cpu.id, &format!("pressure.{metric}_seconds_total"))?;
    }
    Ok(())
}

/// Paused, a container's counters stand still: then both must say the same.
fn as_docker_stats(lab: &Lab, loads: &Loads, dadvisor: &Dadvisor) -> Result<()> {
    for (_, container) in loads.all() {
        lab.docker.on(container, "pause", &[])?;
    }
    let pass = dadvisor.container(&loads.cpu.id)?["timestamp"].clone();
    eventually(SOON, "a pass over the paused", || {
        let container = dadvisor.container(&loads.sink.id)?;
        ensure!(container["timestamp"].as_str() > pass.as_str(), "the old one still");
        ensure!(container["state"] == "paused", "{}", container["state"]);
        Ok(())
    })?;
    for (name, container) in loads.all() {
        let stats = lab.docker.stats(container)?;
        let metrics = &dadvisor.container(&container.id)?["metrics"];
        let compare = |metric: &str, theirs: f64| -> Result<()> {
            let ours = metrics[metric].as_f64();
            // Docker prints 0 for what it does not know, and one more packet between the two looks must not matter
            if theirs.max(ours.unwrap_or(0.0)) < 4096.0 && !metric.ends_with("seconds_total") {
                return Ok(());
            }
            near(&format!("{name}: {metric}"), ours.context(metric.to_owned())?, theirs, 2.0)
        };
        compare("memory.working_set_bytes", stats.memory_bytes)?;
        compare("net.rx_bytes_total", stats.net.0)?;
        compare("net.tx_bytes_total", stats.net.1)?;
        compare("io.read_bytes_total", stats.block.0)?;
        compare("io.write_bytes_total", stats.block.1)?;
        ensure!(metrics["pids.current"].as_f64() == Some(stats.pids), "{name}: {}", stats.pids);
        let (usage, _) = used(&lab.docker, container)?;
        compare("cpu.usage_seconds_total", usage)?;
    }
    Ok(())
}

/// Docker's counter of a container's CPU seconds, and when it was read, in seconds.
fn used(docker: &Docker, container: &Container) -> Result<(f64, f64)> {
    let before = std::time::SystemTime::now();
    let path = format!("/containers/{}/stats?stream=false&one-shot=true", container.id);
    let stats = http::get_unix(docker.socket(), &path)?.json()?;
    let usage = stats["cpu_stats"]["cpu_usage"]["total_usage"].as_f64().context("no usage")?;
    let read = before.duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    Ok((usage / 1e9, read))
}

fn mean(values: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of values")]
    let n = values.len() as f64;
    values.iter().sum::<f64>() / n
}
