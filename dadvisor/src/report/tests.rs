use super::*;
use common::api_types::DadvisorFacts;
use common::container::{Container, Source};
use common::ids::{AppId, InstanceId};
use std::path::PathBuf;

fn container(id: &str) -> Container {
    Container::new(id, Source::Docker, AppId::new("shop/web"), InstanceId::new(id))
}

fn seen(ids: &[&str], engine: Engine) -> Seen {
    let containers = Arc::new(ids.iter().map(|id| Arc::new(container(id))).collect());
    Seen { containers, complete: matches!(engine, Engine::Up { .. }), engine }
}

struct Running {
    seen: watch::Sender<Seen>,
    kills: watch::Sender<Arc<BTreeMap<String, u64>>>,
    events: mpsc::Sender<Event>,
    onward: mpsc::Receiver<Event>,
    _passed: watch::Sender<u64>,
    docker_stats: Arc<docker::Stats>,
    report: watch::Receiver<Report>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start() -> Running {
    let (to_seen, seen) = watch::channel(Seen::default());
    let (to_kills, kills) = watch::channel(Arc::default());
    let (to_events, events) = mpsc::channel(8);
    let (onward, from_onward) = mpsc::channel(2);
    let (to_passed, passed) = watch::channel(0);
    let docker_stats = Arc::new(docker::Stats::default());
    let carbon =
        Carbon::open(common::carbon::Settings::new(Vec::new(), PathBuf::from("/none"))).unwrap();
    let stats = Arc::clone(&docker_stats);
    let sources = Sources { seen, kills, events, onward, docker_stats: stats, passed, carbon };
    let door = Door { listen: ([127, 0, 0, 1], 7001).into(), tls: false, toward: None };
    let reporter = Reporter::new(sources, "dc1", NodeFacts::default(), door);
    let (out, report) = watch::channel(reporter.report());
    let stop = CancellationToken::new();
    let task = tokio::spawn(reporter.run(out, stop.clone()));
    Running {
        seen: to_seen,
        kills: to_kills,
        events: to_events,
        onward: from_onward,
        _passed: to_passed,
        docker_stats,
        report,
        stop,
        task,
    }
}

impl Running {
    async fn until(&mut self, what: &str, is: impl Fn(&Report, &DadvisorFacts) -> bool) {
        let is =
            |report: &Report| is(report, &serde_json::from_value(report.facts.clone()).unwrap());
        let found = tokio::time::timeout(Duration::from_secs(10), self.report.wait_for(is)).await;
        assert!(found.is_ok_and(|f| f.is_ok()), "{what}");
    }
}

fn up() -> Engine {
    Engine::Up { version: "28".into() }
}

#[tokio::test]
async fn what_happens_is_in_the_report_and_goes_on_to_the_collector() {
    let mut running = start();
    let first = running.report.borrow().clone();
    assert_eq!((first.address.as_str(), first.dc.as_str()), ("127.0.0.1:7001", "dc1"));
    running.seen.send_replace(seen(&["a", "b"], up()));
    running.until("both", |_, facts| facts.complete && facts.containers.len() == 2).await;
    running.kills.send_replace(Arc::new([("a".to_owned(), 2)].into()));
    running.until("kills", |_, facts| facts.containers[0].oom_kills == 2).await;

    let died = Event::Died {
        container: Arc::new(container("a")),
        exit_code: Some(3),
        oom_killed: false,
        unseen: false,
    };
    running.report.borrow_and_update();
    running.events.send(died.clone()).await.unwrap();
    running.seen.send_replace(seen(&["b"], up()));
    running.report.changed().await.unwrap();
    // the end and the shorter list in one report
    let facts: DadvisorFacts =
        serde_json::from_value(running.report.borrow_and_update().facts.clone()).unwrap();
    assert_eq!((facts.containers.len(), facts.ended.len(), facts.ended[0].code), (1, 1, Some(3)));
    assert_eq!(running.onward.recv().await.unwrap(), died);

    // nobody takes them: counted, and nothing here waits
    for _ in 0..5 {
        running.events.send(Event::Updated { id: "b".into() }).await.unwrap();
    }
    let end = Instant::now() + Duration::from_secs(10);
    while running.docker_stats.events_dropped.load(Relaxed) < 3 {
        assert!(Instant::now() < end, "{:?}", running.docker_stats);
        tokio::task::yield_now().await;
    }
    running.seen.send_replace(seen(&["b"], Engine::Hung));
    running
        .until("Docker", |report, facts| {
            report.state == AgentState::Degraded
                && report.note.contains("Docker hangs")
                && !facts.complete
        })
        .await;
    running.seen.send_replace(seen(&["b"], up()));
    running.until("well", |report, _| report.state == AgentState::Running).await;
    running.stop.cancel();
    running.task.await.unwrap();
}

#[tokio::test]
async fn nothing_new_makes_no_report() {
    let mut running = start();
    running.seen.send_replace(seen(&["a"], up()));
    running.until("it", |_, facts| facts.containers.len() == 1).await;
    running.report.borrow_and_update();
    running.seen.send_replace(seen(&["a"], up()));
    running.events.send(Event::Updated { id: "a".into() }).await.unwrap();
    assert!(running.onward.recv().await.is_some());
    let quiet = tokio::time::timeout(GATHER * 4, running.report.changed()).await;
    assert!(quiet.is_err(), "a report without news");
}
