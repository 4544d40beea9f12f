//! Discovery against a real Docker engine: every change is seen within two seconds, and an engine that hangs, dies and comes back loses nothing.
//!
//! `QAE_TEST_DOCKER` names the engine (default `unix:///var/run/docker.sock`). What would hurt others on that engine (SIGSTOP, kill) is done to one that
//! the test starts itself, which needs root and `dockerd`.

mod support;

use common::container::{Health, Network, State};
use common::docker::{Engine, Event, Inventory};
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use support::{Docker, Follower, IMAGE, SOON};

fn host() -> String {
    std::env::var("QAE_TEST_DOCKER").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

fn up(inventory: &Inventory) -> bool {
    matches!(inventory.engine, Engine::Up { .. })
}

fn has(inventory: &Inventory, id: &str) -> bool {
    inventory.containers.contains_key(id)
}

#[tokio::test]
async fn every_change_is_seen_at_once() {
    let docker = Docker::at(&host(), "life");
    let before = docker.start("qae-life-before", &[], &["/bin/busybox", "sleep", "600"]);
    let mut follower = Follower::at(&host(), Duration::from_secs(1), None);
    follower.sees(Duration::from_secs(10), "what runs already", |i| up(i) && has(i, &before)).await;

    let parent = docker.parent();
    let options =
        ["--label", "qae.app=video/api", "-v", "/tmp:/qae/logs", "--cgroup-parent", parent];
    let id = docker.start(
        "qae-life",
        &options,
        &[
            "/bin/busybox",
            "sh",
            "-c",
            "trap 'exit 3' TERM; while :; do /bin/busybox sleep 0.1; done",
        ],
    );
    follower.sees(SOON, "a start", |i| has(i, &id)).await;
    assert_eq!(follower.next_about(&id).await, Event::Started { id: id.clone() });
    let seen = Arc::clone(&follower.inventory.borrow().containers[&id]);
    assert_eq!((seen.app.as_str(), seen.instance.as_str()), ("video/api", &id[..12]));
    assert_eq!(
        (seen.name.as_str(), seen.state, seen.network.clone()),
        ("qae-life", State::Running, Network::None)
    );
    assert_eq!(
        (seen.log_volumes[0].source.as_str(), seen.cgroup_parent.as_deref()),
        ("/tmp", Some(parent))
    );
    assert!(seen.pid.is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()));
    assert_eq!(seen.image, IMAGE);

    docker.run(&["rename", "qae-life", "qae-life-2"]);
    follower.sees(SOON, "a rename", |i| i.containers[&id].name == "qae-life-2").await;
    docker.run(&["pause", &id]);
    follower.sees(SOON, "a pause", |i| i.containers[&id].state == State::Paused).await;
    docker.run(&["unpause", &id]);
    follower.sees(SOON, "its end", |i| i.containers[&id].state == State::Running).await;
    docker.run(&["update", "--memory", "64m", "--memory-swap", "64m", &id]);

    docker.run(&["restart", &id]);
    follower
        .sees(SOON, "a restart", |i| i.containers.get(&id).is_some_and(|c| c.pid != seen.pid))
        .await;
    docker.run(&["kill", "--signal", "TERM", &id]);
    follower.sees(SOON, "a death", |i| !has(i, &id)).await;
    docker.run(&["kill", &before]);
    follower.sees(SOON, "a kill", |i| !has(i, &before)).await;
    let mut ends = Vec::new();
    while ends.len() < 2 {
        if let Event::Died { exit_code, oom_killed, .. } = follower.next_about(&id).await {
            ends.push((exit_code, oom_killed));
        }
    }
    assert_eq!(ends, [(Some(3), false), (Some(3), false)]);
    let Event::Died { exit_code, container, .. } = follower.next_about(&before).await else {
        panic!("a kill is a death");
    };
    assert_eq!((exit_code, container.name.as_str()), (Some(137), "qae-life-before"));

    assert_eq!(follower.stats.events_dropped.load(Relaxed), 0);
    follower.stop().await;
    drop(docker);
    remove_parent();
}

/// The cgroup parent stays when its containers are gone.
fn remove_parent() {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    for hierarchy in hierarchies.map(|h| h.path()).chain(["/sys/fs/cgroup".into()]) {
        let parent = hierarchy.join("qae-test");
        if parent.exists() && std::fs::remove_dir(&parent).is_err() {
            eprintln!("{} is left", parent.display());
        }
    }
}

#[tokio::test]
async fn names_labels_and_environment_of_any_bytes() {
    let docker = Docker::at(&host(), "bytes");
    let mut follower = Follower::at(&host(), Duration::from_secs(30), None);
    follower.sees(Duration::from_secs(10), "the engine", up).await;
    let sleep = ["/bin/busybox", "sleep", "600"];
    let odd = "qae.app=ünï/cødé \"q\" \\ \u{7f}\u{1}\t.. %2e\n$(x);{}|\u{202e}";
    let wide = format!("qae.wide={}", "w".repeat(100_000));
    let id = docker.start(
        "qae-bytes",
        &["--label", odd, "--label", &wide, "--label", "exitCode=forged", "--label", "name=x"],
        &sleep,
    );
    follower.sees(SOON, "odd labels", |i| has(i, &id)).await;
    let seen = Arc::clone(&follower.inventory.borrow().containers[&id]);
    assert_eq!(seen.app.as_str(), odd.strip_prefix("qae.app=").unwrap());
    assert!(!seen.labels.contains_key("qae.wide"));
    assert_eq!(follower.stats.left_out.load(Relaxed), 1);
    // bytes that are no UTF-8 at all
    let raw = std::os::unix::ffi::OsStrExt::from_bytes;
    let out = Command::new("docker")
        .args([
            "-H",
            &docker.host,
            "run",
            "-d",
            "--network",
            "none",
            "--label",
            &docker.label,
            "--label",
        ])
        .arg::<&std::ffi::OsStr>(raw(b"qae.app=a\xff\xfeb"))
        .args(["--env", "MARATHON_APP_ID=/shop/web", IMAGE])
        .args(sleep)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let raw_id = String::from_utf8(out.stdout).unwrap().trim().to_owned();
    follower.sees(SOON, "foreign bytes", |i| has(i, &raw_id)).await;
    assert_eq!(follower.inventory.borrow().containers[&raw_id].app.as_str(), "a\u{fffd}\u{fffd}b");
    // Marathon's own, with a task that is only in the environment
    let task = "shop_web.instance-32d2c410-3618-11ea-b21c-0242ac110005._app.1";
    let marathon =
        ["--env", "MARATHON_APP_ID=/shop/web", "--env", &format!("MESOS_TASK_ID={task}")];
    let id = docker.start("mesos-609007e6-75a0-4459-a177-658ce1c5118a", &marathon, &sleep);
    follower
        .sees(SOON, "a task", |i| {
            i.containers
                .get(&id)
                .is_some_and(|c| c.app.as_str() == "shop/web" && c.instance.as_str() == task)
        })
        .await;
    // an executor's own container is none of ours
    let executor = docker.start("mesos-709007e6-75a0-4459-a177-658ce1c5118a.executor", &[], &sleep);
    let last = docker.start("qae-bytes-last", &[], &sleep);
    follower
        .sees(SOON, "a plain one", |i| {
            i.containers.get(&last).is_some_and(|c| c.app.as_str() == "docker/qae-bytes-last")
        })
        .await;
    assert!(!has(&follower.inventory.borrow(), &executor));
    follower.stop().await;
}

#[tokio::test]
async fn health_and_short_lives() {
    let docker = Docker::at(&host(), "health");
    let mut follower = Follower::at(&host(), Duration::from_secs(30), None);
    follower.sees(Duration::from_secs(10), "the engine", up).await;
    let check = [
        "--health-cmd",
        "/bin/busybox test -e /sick && exit 1 || exit 0",
        "--health-interval",
        "300ms",
        "--health-retries",
        "1",
    ];
    let id = docker.start("qae-health", &check, &["/bin/busybox", "sleep", "600"]);
    follower
        .sees(Duration::from_secs(5), "health", |i| {
            i.containers.get(&id).is_some_and(|c| c.health == Health::Healthy)
        })
        .await;
    docker.run(&["exec", &id, "/bin/busybox", "touch", "/sick"]);
    follower
        .sees(Duration::from_secs(5), "sickness", |i| i.containers[&id].health == Health::Unhealthy)
        .await;
    // one that ends at once still has a named end
    let short = docker.start(
        "qae-short",
        &["--label", "qae.app=batch/short"],
        &["/bin/busybox", "sh", "-c", "exit 5"],
    );
    let end = loop {
        if let Event::Died { container, exit_code, .. } = follower.next_about(&short).await {
            break (container.app.to_string(), exit_code);
        }
    };
    assert_eq!(end, ("batch/short".to_owned(), Some(5)));
    // memory without end: told of once as it happens, before or after the death
    let limit = ["--memory", "16m", "--memory-swap", "16m"];
    let greedy = docker.start("qae-greedy", &limit, &["/bin/busybox", "tail", "/dev/zero"]);
    let (mut oom, mut end) = (false, None);
    while !oom || end.is_none() {
        match follower.next_about(&greedy).await {
            Event::Oom { .. } => oom = true,
            Event::Died { exit_code, .. } => end = exit_code,
            Event::Started { .. } | Event::Updated { .. } => {}
        }
    }
    assert_eq!(end, Some(137));
    follower.stop().await;
}

#[tokio::test]
async fn an_engine_that_hangs_dies_and_comes_back_loses_nothing() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: an engine of one's own needs root");
        return;
    }
    let mut dockerd = e2e::engine::Engine::start(&["--live-restore"]).unwrap();
    let at = format!("unix://{}", dockerd.socket().display());
    let docker = Docker::at(&at, "engine");
    let state = tempfile::tempdir().unwrap();
    let copy = state.path().join("docker.json");
    let sleep = ["/bin/busybox", "sleep", "600"];
    let (stays, falls) = (docker.start("stays", &[], &sleep), docker.start("falls", &[], &sleep));
    let mut follower = Follower::at(&at, Duration::from_secs(1), Some(&copy));
    let both = |i: &Inventory| has(i, &stays) && has(i, &falls);
    follower.sees(Duration::from_secs(10), "both", |i| up(i) && both(i)).await;

    // nothing happens: lists go on, inspections do not
    follower.settled().await;
    let (lists, inspects) =
        (follower.stats.resyncs.load(Relaxed), follower.stats.inspects.load(Relaxed));
    follower.lists(lists + 3).await;
    assert_eq!(follower.stats.inspects.load(Relaxed), inspects, "{:?}", follower.stats);

    dockerd.signal(Signal::STOP).unwrap();
    follower
        .sees(Duration::from_secs(5), "a hung engine", |i| i.engine == Engine::Hung && both(i))
        .await;
    dockerd.signal(Signal::CONT).unwrap();
    follower.sees(Duration::from_secs(5), "its recovery", |i| up(i) && both(i)).await;

    dockerd.end(Signal::KILL).unwrap();
    let gone = |i: &Inventory| matches!(i.engine, Engine::Gone { .. });
    follower.sees(SOON, "a killed engine", |i| gone(i) && both(i)).await;
    // an agent that starts now knows the containers from the copy
    let mut second = Follower::at(&at, Duration::from_secs(1), Some(&copy));
    second.sees(SOON, "the copy", |i| gone(i) && both(i)).await;
    let pid = follower.inventory.borrow().containers[&falls].pid.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    dockerd.start_again().unwrap();
    for follower in [&mut follower, &mut second] {
        follower
            .sees(Duration::from_secs(60), "the engine's return", |i| {
                up(i) && has(i, &stays) && !has(i, &falls)
            })
            .await;
        let Event::Died { container, .. } = follower.next_about(&falls).await else {
            panic!("an end that was missed is told");
        };
        assert_eq!(container.name, "falls");
    }
    assert!(
        follower.stats.reconnects.load(Relaxed) > 1
            && follower.stats.errors_timeout.load(Relaxed) > 0
    );
    follower.stop().await;
    second.stop().await;
    drop(docker);
}
