//! Who a container is: its cgroup under either driver, its network, its name whatever the bytes.

use crate::lab::{Lab, SOON, now, seen};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Home, Settings};
use e2e::docker::Docker;
use e2e::engine::Engine;
use e2e::host;
use e2e::wait::eventually;

#[test]
fn both_cgroup_drivers_are_found() -> Result<()> {
    let mut drivers = vec!["cgroupfs"];
    // where systemd does not run, no engine can leave its cgroups to it
    if host::systemd() {
        drivers.push("systemd");
    }
    for driver in drivers {
        let engine = Engine::start(&["--exec-opt", &format!("native.cgroupdriver={driver}")])?;
        let docker = engine.docker("driver");
        let plain = docker.run("plain", &[], "while :; do :; done")?;
        let parent = if driver == "systemd" { "qaetest.slice" } else { "/qaetest/deep" };
        let moved = docker.run("moved", &["--cgroup-parent", parent], "while :; do :; done")?;
        let home = Home::new(&Settings { docker: engine.socket(), ..Settings::default() })?;
        let dadvisor = home.start()?;
        let (id, moved_id) = (&plain.id, &moved.id);
        let wanted = match driver {
            "systemd" => [
                format!("/system.slice/docker-{id}.scope"),
                format!("/qaetest.slice/docker-{moved_id}.scope"),
            ],
            _ => [format!("/docker/{id}"), format!("/qaetest/deep/{moved_id}")],
        };
        for (container, wanted) in [&plain, &moved].into_iter().zip(wanted) {
            seen(&dadvisor, container)?;
            let cgroup = dadvisor.container(&container.id)?["cgroup"].clone();
            let path = cgroup.as_str().context("no cgroup")?;
            ensure!(path.ends_with(&wanted), "{driver}: {path}, not {wanted}");
            eventually(SOON, "a rate", || dadvisor.metric(&container.id, "cpu.percent"))?;
        }
    }
    // an empty parent stays behind its last container, in each hierarchy
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup")?.flatten().map(|h| h.path());
    for dir in hierarchies.chain(["/sys/fs/cgroup".into()]) {
        for parent in ["qaetest/deep", "qaetest"] {
            std::fs::remove_dir(dir.join(parent)).ok();
        }
    }
    Ok(())
}

#[test]
fn networks_are_told_apart() -> Result<()> {
    let docker = Docker::system("networks")?;
    let idle = "exec sleep 100000";
    let own = docker.run("own", &[], idle)?;
    let of_own = format!("container:{}", own.id);
    let cases = [
        (docker.run("host", &["--network", "host"], idle)?, "host".to_owned()),
        (docker.run("shared", &["--network", &of_own], idle)?, format!("shared with {}", own.id)),
        (own, "own".to_owned()),
    ];
    let home = Home::new(&Settings::default())?;
    let dadvisor = home.start()?;
    for (container, wanted) in &cases {
        seen(&dadvisor, container)?;
        // one that uses another's network leaves it to its owner for a pass
        eventually(SOON, &format!("{} is {wanted}", container.name), || {
            let network = dadvisor.container(&container.id)?["network"].clone();
            ensure!(network == wanted.as_str(), "{network}");
            Ok(())
        })?;
    }
    // the host's traffic is nobody's
    ensure!(
        dadvisor.metric(&cases[0].0.id, "net.rx_bytes_total").is_err(),
        "the host's counters are sent as a container's"
    );
    Ok(())
}

#[test]
fn names_of_any_bytes_become_series() -> Result<()> {
    let lab = Lab::new("bytes")?;
    let names = [
        "ünï/cødé \"q\" \\ \u{7f}\u{1}\t.. %2e\n$(x);{}|\u{202e}",
        "..",
        "a b;c=d",
        &"x".repeat(1000),
    ];
    let containers = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let label = format!("qae.app={name}");
            lab.docker.run(&n.to_string(), &["--label", &label], "exec sleep 100000")
        })
        .collect::<Result<Vec<_>>>()?;
    let dadvisor = lab.home.start()?;
    for (container, name) in containers.iter().zip(names) {
        seen(&dadvisor, container)?;
        let app = dadvisor.container(&container.id)?["app"].clone();
        ensure!(app == name, "{app} is not {name:?}");
        let target = format!("qae.dc1.app.*.inst.{}.memory.usage_bytes", container.short());
        eventually(SOON, &target, || {
            let found = lab.graphite.render(&target, now() - 10, now());
            let series = found[0]["target"].as_str().context("no series")?;
            let component = series.split('.').nth(3).context("no component")?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
            ensure!(component.chars().all(plain) && component.len() <= 200, "{component}");
            Ok(())
        })?;
    }
    Ok(())
}
