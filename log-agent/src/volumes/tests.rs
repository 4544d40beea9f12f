//! The task on real directories, with what a Docker engine would say. Nothing sleeps: what must become true is waited for.

use super::*;
use common::container::{Container, LogVolume, Source};
use common::docker::{Event, Inventory};
use common::ids::{AppId, InstanceId};
use std::fs;
use std::path::Path;

const DEADLINE: Duration = Duration::from_secs(20);

struct Lab {
    dir: tempfile::TempDir,
    engine: watch::Sender<Arc<Inventory>>,
    events: mpsc::Sender<Event>,
    watched: Watched,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn pace() -> Pace {
    Pace {
        look: Duration::from_millis(20),
        ask: Duration::from_millis(20),
        save: Duration::from_millis(10),
        ..Pace::default()
    }
}

impl Lab {
    fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap(), None)
    }

    fn on(dir: tempfile::TempDir, mesos: Option<mesos::Agent>) -> Self {
        let base = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(base.join("state")).unwrap();
        let settings = Settings {
            // followed by this test
            docker: Some(docker::Settings::default()),
            root: Some(base.join("volumes")),
            memory: Some(base.join("state/volumes.json")),
            docker_root: base.join("docker"),
            own: vec![base.join("state")],
            stdout: true,
            pace: pace(),
            mesos,
        };
        let (engine, docker) = watch::channel(Arc::new(Inventory::default()));
        let (events, heard) = mpsc::channel(16);
        let (ended, forgotten) = Ended::channel();
        let (list, volumes) = watch::channel(Arc::default());
        let (shown, figures) = watch::channel(Arc::default());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let inputs = run::Inputs { docker: docker.clone(), events: heard, forgotten };
        tasks.spawn(run::run(settings, inputs, run::Out { list, shown }, stop.clone()));
        let watched =
            Watched { volumes, ended, figures, engine: Some(docker), docker_stats: Arc::default() };
        Self { dir, engine, events, watched, tasks, stop }
    }

    async fn restart(self) -> Self {
        let Self { dir, tasks, stop, .. } = self;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        Self::on(dir, None)
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    fn make(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn run(&self, containers: &[Container]) {
        let all = containers.iter().map(|c| (c.id.clone(), Arc::new(c.clone())));
        let inventory =
            Inventory { containers: all.collect(), whole: true, ..Inventory::default() };
        self.engine.send_replace(Arc::new(inventory));
    }

    /// Waits for a list: `app/instance directory name` and whether it ended.
    async fn shows(&mut self, wanted: &[(&str, &Path, &str, bool)]) {
        let is = |volumes: &Arc<Vec<Volume>>| {
            let shown = volumes.iter().map(|v| {
                (
                    format!("{}/{}", v.instance.app, v.instance.id),
                    &*v.dir,
                    &*v.name,
                    v.ended_at.is_some(),
                )
            });
            let wanted = wanted.iter().map(|(a, b, c, d)| ((*a).to_owned(), *b, *c, *d));
            shown.eq(wanted)
        };
        let last = self.watched.volumes.clone();
        let waited = tokio::time::timeout(DEADLINE, self.watched.volumes.wait_for(is)).await;
        assert!(waited.is_ok(), "{:#?}\n{:#?}", last.borrow(), self.watched.figures.borrow());
    }

    async fn figures(&mut self, what: impl FnMut(&Arc<Figures>) -> bool) {
        let last = self.watched.figures.clone();
        let waited = tokio::time::timeout(DEADLINE, self.watched.figures.wait_for(what)).await;
        assert!(waited.is_ok(), "{:#?}", last.borrow());
    }
}

fn container(n: u64, app: &str, sources: &[&Path]) -> Container {
    let id = InstanceId::new(format!("i{n}"));
    let mut container = Container::new(format!("{n:064x}"), Source::Docker, AppId::new(app), id);
    container.started_at_ms = Some(1_000 + n);
    for (nth, source) in sources.iter().enumerate() {
        let target = if nth == 0 { "/qae/logs".to_owned() } else { format!("/log/{nth}") };
        container.log_volumes.push(LogVolume { source: source.display().to_string(), target });
    }
    container
}

#[tokio::test]
async fn volumes_come_with_their_containers_and_stay_until_they_are_forgotten() {
    let mut lab = Lab::new();
    let (a, b) = (lab.make("a"), lab.make("b"));
    let one = container(1, "shop/web", &[&a, &b]);
    lab.run(std::slice::from_ref(&one));
    lab.shows(&[("shop/web/i1", &a, "", false), ("shop/web/i1", &b, "log/1", false)]).await;
    lab.run(&[]);
    lab.shows(&[("shop/web/i1", &a, "", true), ("shop/web/i1", &b, "log/1", true)]).await;
    lab = lab.restart().await;
    // nobody says that anything has ended while the engine has said nothing
    lab.shows(&[("shop/web/i1", &a, "", true), ("shop/web/i1", &b, "log/1", true)]).await;
    lab.run(std::slice::from_ref(&one));
    lab.shows(&[("shop/web/i1", &a, "", false), ("shop/web/i1", &b, "log/1", false)]).await;
    let key = lab.watched.volumes.borrow()[0].instance.clone();
    assert!(lab.watched.ended.forget(&key, a.clone()));
    lab = lab.restart().await;
    lab.shows(&[("shop/web/i1", &a, "", false), ("shop/web/i1", &b, "log/1", false)]).await;
    lab.run(&[]);
    lab.shows(&[("shop/web/i1", &a, "", true), ("shop/web/i1", &b, "log/1", true)]).await;
    assert!(lab.watched.ended.forget(&key, a.clone()));
    lab.shows(&[("shop/web/i1", &b, "log/1", true)]).await;
    lab = lab.restart().await;
    lab.shows(&[("shop/web/i1", &b, "log/1", true)]).await;
}

#[tokio::test]
async fn who_came_and_went_between_two_looks_is_known() {
    let mut lab = Lab::new();
    let a = lab.make("a");
    lab.run(&[]);
    let container = Arc::new(container(1, "batch/job", &[&a]));
    let died = Event::Died { container, exit_code: Some(0), oom_killed: false, unseen: true };
    lab.events.send(died).await.unwrap();
    lab.shows(&[("batch/job/i1", &a, "", true)]).await;
}

#[tokio::test]
async fn docker_s_own_log_is_one_more_volume() {
    let mut lab = Lab::new();
    let mut one = container(1, "shop/web", &[]);
    let dir = lab.make(&format!("docker/containers/{}", one.id));
    one.json_log = Some(format!("{}/{}-json.log", dir.display(), one.id));
    // that of another is the engine's
    let mut two = container(2, "thief", &[]);
    two.json_log.clone_from(&one.json_log);
    lab.run(&[one, two]);
    lab.shows(&[("shop/web/i1", &dir, "", false)]).await;
    assert_eq!(lab.watched.volumes.borrow()[0].form, crate::volume::Form::DockerJson);
    lab.figures(|f| f.refused.len() == 1 && f.refused[0].why.reason() == "docker").await;
}

/// An engine whose data is not where it usually is: what it says of a container is taken as it says it, and what it says is its own is
/// guarded though nobody configured it.
#[tokio::test]
async fn an_engine_with_its_data_elsewhere() {
    let mut lab = Lab::new();
    let root = lab.path("elsewhere");
    let inspected = |n: u64, source: &Path| {
        let id = format!("{n:064x}");
        let log = lab.make(&format!("elsewhere/containers/{id}")).join(format!("{id}-json.log"));
        let seen = serde_json::json!({
            "Id": id, "Name": format!("/c{n}"), "LogPath": log,
            "State": {"Running": true, "Status": "running", "Pid": 1, "StartedAt": "2026-01-01T00:00:00Z"},
            "Config": {"Labels": {"qae.app": "shop/web", "qae.instance": format!("i{n}")}},
            "HostConfig": {"LogConfig": {"Type": "json-file"}},
            "Mounts": [{"Type": "volume", "Source": source, "Destination": "/qae/logs", "RW": true}],
        });
        let rules = common::container::Rules::default();
        common::container::from_inspect(seen.to_string().as_bytes(), &rules).unwrap().container
    };
    let named = lab.make("elsewhere/volumes/web/_data");
    let layer = lab.make("elsewhere/overlay2/x/merged");
    let other = lab.make(&format!("elsewhere/containers/{:064x}", 1));
    let sources = [&named, &layer, &other, &root];
    let all: Vec<_> = (1..).zip(sources).map(|(n, source)| inspected(n, source)).collect();
    let own: Vec<_> =
        (1..=4).map(|n| lab.path(&format!("elsewhere/containers/{n:064x}"))).collect();
    let containers = all.into_iter().map(|c| (c.id.clone(), Arc::new(c))).collect();
    let inventory = Inventory { containers, whole: true, root: Some(root), ..Inventory::default() };
    lab.engine.send_replace(Arc::new(inventory));
    lab.shows(&[
        ("shop/web/i1", &own[0], "", false),
        ("shop/web/i1", &named, "", false),
        ("shop/web/i2", &own[1], "", false),
        ("shop/web/i3", &own[2], "", false),
        ("shop/web/i4", &own[3], "", false),
    ])
    .await;
    lab.figures(|f| f.refused.len() == 3 && f.refused.iter().all(|r| r.why.reason() == "docker"))
        .await;
}

#[tokio::test]
async fn what_is_no_log_volume_is_refused_once_and_said() {
    let mut lab = Lab::new();
    let (own, a) = (lab.path("state"), lab.make("a"));
    lab.make("docker/overlay2");
    std::os::unix::fs::symlink("/etc", lab.path("link")).unwrap();
    let docker = lab.path("docker/overlay2");
    let (late, link) = (lab.path("late"), lab.path("link"));
    let sources =
        [Path::new("/"), Path::new("/etc/ssl"), &own, &docker, &link, &late, Path::new("x")];
    let containers: Vec<_> =
        (1..).zip(sources).map(|(n, source)| container(n, "bad", &[source])).collect();
    let beneath = lab.make("a/beneath");
    let mut all = containers;
    all.push(container(8, "good", &[&a]));
    all.push(container(9, "other", &[&beneath]));
    lab.run(&all);
    lab.shows(&[("good/i8", &a, "", false)]).await;
    lab.figures(|f| f.refused.len() == 8).await;
    let reasons: Vec<_> =
        lab.watched.figures.borrow().refused.iter().map(|r| r.why.reason()).collect();
    let wanted = [
        "too_wide",
        "system",
        "own",
        "docker",
        "system",
        "unreachable",
        "path",
        "another_instance",
    ];
    let mut sorted = (reasons.clone(), wanted.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
    assert_eq!(lab.watched.figures.borrow().refused_total, 8);
    // what was not there yet is looked for again
    lab.make("late");
    lab.shows(&[("bad/i6", &late, "", false), ("good/i8", &a, "", false)]).await;
    assert_eq!(lab.watched.figures.borrow().refused_total, 8);
}

#[tokio::test]
async fn the_root_tells_whose_its_directories_are() {
    let mut lab = Lab::new();
    let (a, b) = (lab.make("volumes/shop%2Fweb/i1"), lab.make("volumes/shop%2Fweb/old"));
    let foreign = lab.make("volumes/shop%2Fweb/%zz");
    // while the engine has said nothing they may well be in use
    lab.shows(&[("shop/web/i1", &a, "", false), ("shop/web/old", &b, "", false)]).await;
    // one that is not the instance's own is another's
    let thief = container(2, "thief", &[&b]);
    lab.run(&[container(1, "shop/web", &[&a]), thief]);
    lab.shows(&[("shop/web/i1", &a, "", false), ("shop/web/old", &b, "", true)]).await;
    lab.figures(|f| f.foreign == 1 && f.refused.len() == 1).await;
    assert_eq!(lab.watched.figures.borrow().refused[0].why.reason(), "not_its_place");
    lab.run(&[]);
    lab.shows(&[("shop/web/i1", &a, "", true), ("shop/web/old", &b, "", true)]).await;
    fs::remove_dir(&b).unwrap();
    fs::remove_dir(&foreign).unwrap();
    lab.shows(&[("shop/web/i1", &a, "", true)]).await;
    lab.figures(|f| f.foreign == 0).await;
}

/// A Mesos agent that answers `/state` with what was sent last, and 503 while that is empty.
async fn mesos() -> (mesos::Agent, watch::Sender<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, state) = watch::channel(String::new());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            let body = state.borrow().clone();
            let status = if body.is_empty() { 503 } else { 200 };
            let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
        }
    });
    let rules = common::container::Rules::default();
    (mesos::Agent::new(&url, None, Duration::from_secs(5), rules).unwrap(), sender)
}

#[tokio::test]
async fn tasks_of_a_mesos_agent() {
    let (agent, state) = mesos().await;
    let mut lab = Lab::on(tempfile::tempdir().unwrap(), Some(agent));
    let (ours, dockers) =
        ("609007e6-75a0-4459-a177-658ce1c5118a", "709007e6-75a0-4459-a177-658ce1c5118a");
    let sandbox =
        |run: &str| format!("slaves/s-S0/frameworks/f/executors/shop_web.{run}/runs/{run}");
    let logs = lab.make(&format!("{}/applogs", sandbox(ours)));
    let box_of_docker = lab.make(&sandbox(dockers));
    let executor = |run: &str, dir: &Path, kind: &str| {
        format!(
            r#"{{"id":"shop_web.{run}","container":"{run}","directory":"{}","tasks":[{{"id":"shop_web.{run}",
            "container":{{"type":"{kind}","volumes":[{{"container_path":"/qae/logs","host_path":"applogs"}}]}}}}]}}"#,
            dir.display()
        )
    };
    let answer = |executors: &[String]| {
        format!(r#"{{"frameworks":[{{"executors":[{}]}}]}}"#, executors.join(","))
    };
    // one that only the agent can name, and one that takes the sandbox of another task
    let mut named = container(1, "x", &[&box_of_docker]);
    named.name = format!("mesos-{dockers}");
    named.app = AppId::new(format!("docker/{}", named.name));
    let thief = container(2, "thief", &[&logs]);
    lab.run(&[named, thief]);
    lab.figures(|f| f.unnamed == 1 && f.mesos_errors > 0).await;
    let base = logs.parent().unwrap();
    let both = [executor(ours, base, "MESOS"), executor(dockers, &box_of_docker, "DOCKER")];
    state.send_replace(answer(&both));
    let (ours, dockers) =
        (format!("shop/web/shop_web.{ours}"), format!("shop/web/shop_web.{dockers}"));
    lab.shows(&[(&dockers, &box_of_docker, "", false), (&ours, &logs, "", false)]).await;
    lab.figures(|f| f.refused.len() == 1 && f.refused[0].why == Danger::Sandbox).await;
    // an agent that is away ends nothing; one that says that it runs no more does
    let asked = lab.watched.figures.borrow().mesos_errors;
    state.send_replace(String::new());
    lab.figures(|f| f.mesos_errors > asked + 1).await;
    lab.shows(&[(&dockers, &box_of_docker, "", false), (&ours, &logs, "", false)]).await;
    state.send_replace(answer(&both[1..]));
    lab.shows(&[(&dockers, &box_of_docker, "", false), (&ours, &logs, "", true)]).await;
}
