//! What runs inside containers is asked on request: one app answers, one hangs, one floods; each harms only itself.

use crate::lab::{Recorder, SOON, passes};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home, Settings};
use e2e::docker::{Container, Docker};
use e2e::wait::eventually;
use std::collections::BTreeSet;

const ASK: &str = "qae.metrics=http://:9100/metrics";

/// Serves this text as `/metrics`.
fn serving(text: &str) -> String {
    format!("mkdir /w; printf '{text}' > /w/metrics; exec httpd -f -p 127.0.0.1:9100 -h /w")
}

fn run(docker: &Docker, name: &str, script: &str) -> Result<Container> {
    docker.run(name, &["--label", ASK, "--label", &format!("qae.app=e2e/{name}")], script)
}

fn app_metric(dadvisor: &Dadvisor, container: &Container, name: &str, wanted: f64) -> Result<()> {
    let value = dadvisor.metric(&container.id, name)?;
    ensure!((value - wanted).abs() < 1e-9, "{name} is {value}, wanted {wanted}");
    Ok(())
}

#[test]
fn an_app_is_asked_and_its_neighbours_that_hang_or_flood_harm_nothing() -> Result<()> {
    let docker = Docker::system("inside")?;
    let kept = |path: &str| path.contains(".app.e2e_");
    let recorder = Recorder::start(kept)?;
    let carbon = recorder.address().to_owned();
    let home = Home::new(&Settings { carbon, ..Settings::default() })?;
    let good = run(
        &docker,
        "good",
        &serving(
            "# TYPE jobs_total counter\\njobs_total{queue=\"mail\"} 42\\nqueue_length 7.5\\nbroken NaN\\n",
        ),
    )?;
    let dadvisor = home.start()?;
    let names = eventually(SOON, "the app's figures", || {
        let metrics = dadvisor.container(&good.id)?["metrics"].clone();
        let names = metrics.as_object().context("no metrics")?.keys().cloned();
        let names: Vec<_> = names.filter(|name| name.starts_with("app.")).collect();
        ensure!(names.len() == 2, "{names:?}");
        Ok(names)
    })?;
    println!("{names:?}");
    app_metric(&dadvisor, &good, "app.queue_length", 7.5)?;
    let jobs = names.iter().find(|name| name.contains("jobs_total")).context("no jobs")?;
    app_metric(&dadvisor, &good, jobs, 42.0)?;

    // accepts and never answers; answers without end; is not there at all
    let hangs = run(&docker, "hangs", "exec nc -ll -p 9100 -e sleep 100000")?;
    let flood =
        "while :; do nc -l -p 9100 -e sh -c 'echo HTTP/1.0 200 OK; echo; yes figure 1'; done";
    let floods = run(&docker, "floods", flood)?;
    let absent = run(&docker, "absent", "exec sleep 100000")?;
    let all = [&good, &hangs, &floods, &absent];
    eventually(SOON, "all are read", || {
        all.iter().try_for_each(|container| dadvisor.container(&container.id).map(|_| ()))
    })?;
    let begin = crate::lab::now() + 1;
    passes(&dadvisor, 15)?;
    let end = crate::lab::now() - 3;
    let ticks = |container: &Container, metric: &str| -> BTreeSet<u64> {
        let path = format!(".inst.{}.{metric}", container.short());
        let lines = recorder.lines(&path).into_iter();
        lines.map(|line| line.timestamp).filter(|at| (begin..=end).contains(at)).collect()
    };
    let wanted: BTreeSet<_> = (begin..=end).collect();
    for container in all {
        let there = ticks(container, "memory.usage_bytes");
        ensure!(there == wanted, "{}: {there:?} of {wanted:?}", container.name);
    }
    let asked = ticks(&good, "app.queue_length");
    println!("the good app's figures are at {} of {} ticks", asked.len(), wanted.len());
    ensure!(asked.len() + 2 >= wanted.len(), "{asked:?} of {wanted:?}");
    for container in [&hangs, &floods, &absent] {
        let metrics = dadvisor.container(&container.id)?["metrics"].clone();
        let keys = metrics.as_object().into_iter().flat_map(|m| m.keys());
        let made: Vec<_> = keys.filter(|name| name.starts_with("app.")).collect();
        ensure!(made.is_empty(), "{}: {made:?}", container.name);
    }
    let resident = crate::lab::resident(dadvisor.pid())?;
    ensure!(resident < 60 << 10, "{resident} KiB after a flood");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
