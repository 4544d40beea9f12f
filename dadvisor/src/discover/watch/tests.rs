use super::*;
use crate::discover::cgroup_scan::Globs;
use common::container::{Rules, from_inspect};
use std::fs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const STATE: &str = include_str!("../../../../common/tests/fixtures/mesos_slave_state.json");
const UCR: &str = "19ca0947-3df0-43ea-9c4b-24e62ece24e0";

/// An agent that answers `/state` so, and nothing else.
async fn agent(status: u16, body: &'static str) -> Agent {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let (status, body) =
                if head.starts_with(b"GET /state ") { (status, body) } else { (404, "") };
            let answer =
                format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Agent::new(&url, None, Duration::from_secs(5), Rules::default()).unwrap()
}

/// A watcher of a tree with one Mesos container in it.
struct Running {
    tree: tempfile::TempDir,
    docker: watch::Sender<Arc<Inventory>>,
    list: watch::Receiver<Containers>,
    seen: watch::Receiver<Seen>,
    stats: Arc<Stats>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(agent: Agent) -> Self {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("mesos").join(UCR)).unwrap();
        let (docker, inventory) = watch::channel(Arc::new(Inventory::default()));
        let (to_list, list) = watch::channel(Containers::default());
        let (to_seen, seen) = watch::channel(Seen::default());
        let out = Out { list: to_list, seen: to_seen };
        let (stats, stop) = (Arc::new(Stats::default()), CancellationToken::new());
        let mut plain = Globs::default();
        plain.add("*.service").unwrap();
        let places = Places {
            root: tree.path().to_owned(),
            proc_root: "/proc".into(),
            mesos_root: "mesos".to_owned(),
            plain,
        };
        let interval = Duration::from_millis(20);
        let settings = Settings {
            docker: true,
            places,
            node: NodeName::new("n"),
            interval,
            agent: Some(agent),
        };
        let task = tokio::spawn(watch(settings, inventory, out, Arc::clone(&stats), stop.clone()));
        Self { tree, docker, list, seen, stats, stop, task }
    }

    async fn until(&mut self, what: &str, is: impl Fn(&[Arc<Container>]) -> bool) {
        let found =
            tokio::time::timeout(Duration::from_secs(10), self.list.wait_for(|l| is(l))).await;
        assert!(found.is_ok_and(|f| f.is_ok()), "{what}: {:?}", self.stats);
    }
}

fn has(app: &str) -> impl Fn(&[Arc<Container>]) -> bool {
    let app = app.to_owned();
    move |list| list.iter().any(|c| c.app.as_str() == app)
}

#[tokio::test]
async fn sources_come_together() {
    let mut running = Running::start(agent(200, STATE).await);
    running.until("a name", has("ingest")).await;
    assert_eq!(running.stats.agent_partial.load(Relaxed), 1);
    assert_eq!(running.stats.unnamed.load(Relaxed), 0);
    let json = format!(r#"{{"Id":"{}","Name":"/web"}}"#, "a".repeat(64));
    let web = from_inspect(json.as_bytes(), &Rules::default()).unwrap().container;
    let containers = [(web.id.clone(), Arc::new(web))].into();
    running.docker.send_replace(Arc::new(Inventory { containers, ..Inventory::default() }));
    running.until("docker", has("docker/web")).await;
    assert!(!running.seen.borrow().complete, "nobody has said that this is all");
    let up = Engine::Up { version: "28".into() };
    let mut whole = Inventory::clone(&running.docker.borrow());
    for (engine, is, complete) in
        [(&up, false, false), (&up, true, true), (&Engine::Hung, true, false), (&up, true, true)]
    {
        (whole.engine, whole.whole) = (engine.clone(), is);
        running.docker.send_replace(Arc::new(whole.clone()));
        let wanted = |seen: &Seen| seen.engine == *engine && seen.complete == complete;
        let seen = tokio::time::timeout(Duration::from_secs(10), running.seen.wait_for(wanted));
        assert!(
            seen.await.is_ok_and(|s| s.is_ok_and(|s| s.containers.len() == 2)),
            "{engine:?} {is}"
        );
    }
    fs::create_dir(running.tree.path().join("db.service")).unwrap();
    running.until("a unit", has("systemd/db")).await;
    // the follower of Docker ends: what it knew stays
    running.docker = watch::channel(Arc::new(Inventory::default())).0;
    fs::remove_dir(running.tree.path().join("db.service")).unwrap();
    let gone = |list: &[Arc<Container>]| !has("systemd/db")(list) && has("docker/web")(list);
    running.until("the unit's end", gone).await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn while_the_agent_recovers_containers_go_by_their_id() {
    let mut running = Running::start(agent(503, "recovering").await);
    running.until("unnamed", has(&format!("mesos/{UCR}"))).await;
    let end = Instant::now() + Duration::from_secs(10);
    while running.stats.agent_recovering.load(Relaxed) == 0 {
        assert!(Instant::now() < end, "{:?}", running.stats);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(running.stats.agent_errors.load(Relaxed), 1);
    assert_eq!(running.stats.unnamed.load(Relaxed), 1);
    let up = Engine::Up { version: "28".into() };
    let whole = Inventory { engine: up.clone(), whole: true, ..Inventory::default() };
    running.docker.send_replace(Arc::new(whole));
    let seen = running.seen.wait_for(|seen| seen.engine == up).await.unwrap().clone();
    assert!(!seen.complete, "one goes by its id");
    running.stop.cancel();
    running.task.await.unwrap();
}
