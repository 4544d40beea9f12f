//! The answers, over a real socket, from a board filled by hand.

use super::view::{ContainerView, NodeView, Page, RecentView};
use super::*;
use crate::board::{Entry, PassStats};
use crate::sample::{DeviceRow, Field, RowName, Sample};
use common::config::Source;
use common::container::{Container, Health};
use common::http::{Error, Options, Url, get};
use common::ids::{AppId, InstanceId};
use common::metric::Value;
use common::serve::{Limits, Problem, bind, serve};
use std::path::Path;
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// A container and two ticks of it.
fn entry(app: &str, instance: &str, id: &str) -> Entry {
    let container = Container {
        name: format!("{app}-{instance}"),
        health: Health::Healthy,
        pid: Some(7),
        started_at_ms: Some(1_795_600_800_123),
        image: "shop:1".to_owned(),
        image_id: "sha256:1".to_owned(),
        ..Container::new(
            id,
            common::container::Source::Docker,
            AppId::new(app),
            InstanceId::new(instance),
        )
    };
    let mut entry = Entry::new(Arc::new(container), common::metric::Series::default());
    entry.inside.push(("tomcat.threads".to_owned(), Value::Int(8)));
    let mut before = Sample::default();
    before.figures.set(Field::CpuUsage, 1_000_000_000);
    let mut now = before.clone();
    now.figures.set(Field::CpuUsage, 6_000_000_000);
    now.figures.set(Field::MemoryUsage, 1 << 20);
    now.rows.devices.push(DeviceRow { name: RowName::new("sda"), counters: [1, 2, 3, 4] });
    entry.recent.push(1_795_600_800, None, &before.figures, 1 << 20);
    entry.recent.push(1_795_600_810, Some(Duration::from_secs(10)), &now.figures, 1 << 20);
    (entry.timestamp, entry.sample, entry.previous) = (1_795_600_810, now, before);
    entry.elapsed = Some(Duration::from_secs(10));
    entry.network = "own".to_owned();
    entry.cgroup = format!("docker/{id}");
    entry
}

struct Server {
    base: Url,
    board: Arc<Board>,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    async fn start() -> Self {
        let source = Source::of(Path::new("x"), "[node]\nname = \"host-17\"\n");
        let config = Config::of(&source).unwrap().0;
        let board = Arc::new(Board::default());
        let entries =
            [("shop/web", "one", "abc1"), ("shop/web", "two", "abd2"), ("video", "two", "xyz3")];
        board.set_entries(entries.map(|(a, i, id)| Arc::new(Mutex::new(entry(a, i, id)))).to_vec());
        board.set_node(vec![
            ("load.1m".to_owned(), 0.25),
            ("io.sda.reads_total".to_owned(), 5.0),
            ("io.reads_total".to_owned(), 5.0),
            ("memory.percent".to_owned(), f64::NAN),
        ]);
        let settings = carbon::Settings::new(Vec::new(), "/nowhere".into());
        let carbon = carbon::Carbon::open(settings).unwrap();
        let neighbours = move || Neighbours {
            carbon: carbon.status(),
            docker: Some(docker::Engine::Up { version: "28.2.2".to_owned() }),
            docker_counts: vec![("events", 9)],
            center: Some(center::Status {
                counts: vec![("report_errors", "connect", 3), ("gone", "", 1)],
                ..center::Status::default()
            }),
            counts: vec![Count::of("inapp_errors", "timeout", 2)],
        };
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let face = Face::new(&config, board.clone(), Arc::default(), counts.clone(), neighbours);
        let listener = bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
        let base = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let router = router(Arc::new(face));
        tokio::spawn(serve(listener, router, Limits::default(), counts, stop.clone()));
        Self { base, board, stop }
    }

    async fn text(&self, path: &str) -> String {
        let options = Options { accept: "*/*", ..Options::default() };
        let answer = get(&self.base.at(path), &options).await.unwrap();
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        serde_json::from_str(&self.text(path).await).unwrap()
    }

    /// Status and `code` of a refusal.
    async fn refused(&self, path: &str) -> (u16, String) {
        match get(&self.base.at(path), &Options::default()).await {
            Err(Error::Status { status, body, .. }) => {
                let problem: Problem = serde_json::from_str(&body).unwrap();
                (status, problem.code)
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn containers_are_listed_page_by_page() {
    let server = Server::start().await;
    let first: Page<ContainerView> = server.json("/v1/containers?limit=2").await;
    let ids: Vec<_> = first.items.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["abc1", "abd2"]);
    // the last one seen goes away; its place stays
    server.board.set_entries(vec![Arc::new(Mutex::new(entry("video", "two", "xyz3")))]);
    let path = format!("/v1/containers?limit=2&cursor={}", first.next.unwrap());
    let second: Page<ContainerView> = server.json(&path).await;
    assert_eq!((second.items[0].id.as_str(), second.items.len(), second.next), ("xyz3", 1, None));
    let cut: Page<ContainerView> = server.json("/v1/containers?metrics=cpu.percent,nothing").await;
    assert_eq!(cut.items[0].metrics.keys().collect::<Vec<_>>(), ["cpu.percent"]);
    for bad in ["limit=0", "limit=1001", "limit=x", "page=2"] {
        assert_eq!(
            server.refused(&format!("/v1/containers?{bad}")).await,
            (400, "bad_request".into())
        );
    }
    assert_eq!(server.refused("/v1/containers?cursor=!").await, (400, "bad_cursor".into()));
}

#[tokio::test]
async fn one_container_has_all_its_figures() {
    let server = Server::start().await;
    let one: ContainerView = server.json("/v1/containers/one").await;
    assert_eq!(
        (one.app.as_str(), one.node.as_str(), one.dc.as_str()),
        ("shop/web", "host-17", "dc1")
    );
    assert_eq!(one.started_at.as_deref(), Some("2026-11-25T10:00:00.123Z"));
    assert_eq!(one.timestamp.as_deref(), Some("2026-11-25T10:00:10.000Z"));
    assert_eq!(one.metrics["cpu.percent"].as_f64(), Some(50.0));
    assert_eq!(one.metrics["memory.usage_bytes"].as_u64(), Some(1 << 20));
    assert_eq!(one.metrics["io.sda.writes_total"].as_u64(), Some(4));
    assert_eq!(server.refused("/v1/containers/two").await, (409, "ambiguous".into()));
    assert_eq!(server.refused("/v1/containers/zzz").await, (404, "no_such_container".into()));
    assert_eq!(server.refused("/v1/container").await, (404, "not_found".into()));
}

#[tokio::test]
async fn the_last_hour_of_a_metric() {
    let server = Server::start().await;
    let recent: RecentView = server.json("/v1/containers/abc1/recent?metric=cpu.percent").await;
    assert_eq!(recent.points, [(1_795_600_810, 50.0)]);
    let since = "/v1/containers/abc1/recent?metric=cpu.usage_seconds_total&since=";
    let all: RecentView = server.json(&format!("{since}1795600800")).await;
    assert_eq!(all.points, [(1_795_600_800, 1.0), (1_795_600_810, 6.0)]);
    let later: RecentView = server.json(&format!("{since}2026-11-25T10:00:01Z")).await;
    assert_eq!(later.points, [(1_795_600_810, 6.0)]);
    let of = |query: &str| format!("/v1/containers/abc1/recent?{query}");
    assert_eq!(server.refused(&of("")).await, (400, "bad_request".into()));
    assert_eq!(server.refused(&of("metric=cpu.percnt")).await, (400, "unknown_metric".into()));
    assert_eq!(
        server.refused(&of("metric=cpu.percent&since=x")).await,
        (400, "bad_request".into())
    );
}

#[tokio::test]
async fn the_node_and_its_neighbours() {
    let server = Server::start().await;
    let node: NodeView = server.json("/v1/node").await;
    assert_eq!((node.name.as_str(), node.interval_seconds), ("host-17", 10));
    assert_eq!(
        (node.docker.state.as_str(), node.docker.version.as_deref()),
        ("up", Some("28.2.2"))
    );
    assert_eq!(node.carbon["state"], "off");
    assert_eq!(
        node.metrics.keys().collect::<Vec<_>>(),
        ["io.reads_total", "io.sda.reads_total", "load.1m"]
    );
}

#[tokio::test]
async fn everything_as_prometheus_text() {
    let server = Server::start().await;
    let text = server.text("/metrics").await;
    for line in [
        "# TYPE qae_container_cpu_percent gauge",
        "qae_container_cpu_percent{dc=\"dc1\",app=\"shop/web\",instance=\"one\",container=\"abc1\"} 50",
        "qae_container_io_device_writes_total{dc=\"dc1\",app=\"shop/web\",instance=\"one\",container=\"abc1\",device=\"sda\"} 4",
        "qae_node_load_1m{dc=\"dc1\",node=\"host-17\"} 0.25",
        "qae_node_io_device_reads_total{dc=\"dc1\",node=\"host-17\",device=\"sda\"} 5",
        "dadvisor_carbon_state{state=\"off\"} 1",
        "dadvisor_carbon_waiting_points 0",
        "dadvisor_carbon_failures_total 0",
        "qae_container_inside{dc=\"dc1\",app=\"video\",instance=\"two\",container=\"xyz3\",metric=\"tomcat.threads\"} 8",
        "dadvisor_docker_up 1",
        "dadvisor_docker_events_total 9",
        "dadvisor_http_connections_total 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\nin\n{text}");
    }
    let types = text.lines().filter(|l| l.starts_with("# TYPE qae_container_cpu_percent ")).count();
    assert_eq!(types, 1);
}

#[tokio::test]
async fn health_follows_the_pulse_and_readiness_the_first_pass() {
    let server = Server::start().await;
    assert_eq!(server.text("/healthz").await, "ok\n");
    assert_eq!(server.refused("/readyz").await, (503, "not_ready".into()));
    server.board.set_stats(PassStats { passes: 1, ..PassStats::default() });
    assert_eq!(server.text("/readyz").await, "ok\n");
}
