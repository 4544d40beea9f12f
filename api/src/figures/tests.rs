use super::*;
use crate::centre::{TestCentre, eventually, put};
use crate::change::Change;
use crate::reconcile::Clusters;
use crate::store::test_stores;
use crate::testing::{app, instance};
use common::api_types::{Entity, EventType, InstanceState, Wanted};
use common::container::Health;
use common::metric::Style;
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use tokio_util::task::TaskTracker;

fn wanted(dc: &str, cluster: &str, wanted: Option<u32>) -> Wanted {
    Wanted { dc: dc.into(), cluster: cluster.into(), wanted }
}

fn changes() -> Vec<Change> {
    let mut web = app("shop/web");
    web.dcs = vec![wanted("dc1", "c", Some(3)), wanted("dc1", "local", None)];
    let mut idle = app("idle");
    idle.dcs = vec![wanted("dc2", "local", None)];
    let with = |key: &str, state, health| {
        let mut made = instance(key, "shop/web", Some("n"));
        made.state = state;
        made.health = health;
        Change::Put(Entity::Instance(Box::new(made)))
    };
    vec![
        Change::Put(Entity::App(web)),
        Change::Put(Entity::App(idle)),
        with("c/1", InstanceState::Running, Health::Healthy),
        with("c/2", InstanceState::Running, Health::Unhealthy),
        with("c/3", InstanceState::Staging, Health::Unknown),
        with("c/4", InstanceState::Unreachable, Health::Unknown),
    ]
}

fn kill(kills: u64) -> Change {
    Change::Note {
        kind: EventType::OomKilled,
        subject: "c/1".into(),
        payload: json!({"app": "shop/web", "dc": "dc1", "kills": kills}),
    }
}

fn graphite(carbon: Vec<String>) -> Graphite {
    Graphite {
        carbon,
        protocol: carbon::Protocol::Plaintext,
        prefix: "qae".into(),
        style: Style::Path,
        spool_max: 1 << 20,
        replay_window: Duration::ZERO,
        drain_rate: 1_000,
        render_url: None,
    }
}

async fn nodes(centre: &Centre) -> Nodes {
    let (clusters, tasks, stop) =
        (Clusters::new(&[]), TaskTracker::new(), CancellationToken::new());
    // its own work is not wanted
    stop.cancel();
    Nodes::open(centre.clone(), clusters, &tasks, stop).await.unwrap()
}

fn lines(batch: &Batch) -> Vec<String> {
    String::from_utf8(batch.lines.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_app_has_its_counts_and_kills_survive_a_restart() {
    for test in test_stores().await {
        let t = TestCentre::over(&test.store).await;
        let nodes = nodes(&t.centre).await;
        put(&t.centre, changes()).await;
        put(&t.centre, vec![kill(1), kill(4)]).await;
        let dir = tempfile::tempdir().unwrap();
        let figures = Figures::open(
            t.centre.clone(),
            nodes,
            &graphite(vec!["127.0.0.1:9".into()]),
            dir.path(),
        );
        let figures = figures.unwrap().unwrap();
        let mut kept = Kept::new();
        figures.count_kills(&mut kept).await.unwrap();
        let mut batch = Batch::default();
        batch.restart(60);
        let apps = t.centre.read(counted);
        let shipped = |lag_bytes, rates| Shipped { lag_bytes, rates };
        let shipped = BTreeMap::from([(
            "dc1".to_owned(),
            BTreeMap::from([
                (AppId::new("shop/web"), shipped(7, Some((12_500, 50)))),
                (AppId::new("nobody/knows"), shipped(1, None)),
            ]),
        )]);
        print(&mut batch, &figures.namers, &apps, kept.loaded.as_ref(), &shipped);
        let wanted = "\
            qae.dc2.app.idle.all.instances.running 0 60\n\
            qae.dc2.app.idle.all.instances.healthy 0 60\n\
            qae.dc2.app.idle.all.instances.unhealthy 0 60\n\
            qae.dc2.app.idle.all.instances.staging 0 60\n\
            qae.dc2.app.idle.all.oom_kills_total 0 60\n\
            qae.dc1.app.shop_web.all.instances.running 2 60\n\
            qae.dc1.app.shop_web.all.instances.healthy 1 60\n\
            qae.dc1.app.shop_web.all.instances.unhealthy 1 60\n\
            qae.dc1.app.shop_web.all.instances.staging 1 60\n\
            qae.dc1.app.shop_web.all.instances.wanted 3 60\n\
            qae.dc1.app.shop_web.all.oom_kills_total 5 60\n\
            qae.dc1.app.shop_web.all.log.lag_bytes 7 60\n\
            qae.dc1.app.shop_web.all.log.bytes_per_second 12.5 60\n\
            qae.dc1.app.shop_web.all.log.lines_per_second 0.05 60";
        assert_eq!(lines(&batch).join("\n"), wanted, "{}", test.name);

        // another process goes on where this one was
        put(&t.centre, vec![kill(1)]).await;
        let mut later = Kept::new();
        figures.count_kills(&mut later).await.unwrap();
        let totals: Vec<_> = later.loaded.as_ref().unwrap().all().map(|(_, _, n)| n).collect();
        assert_eq!(totals, [6]);
        // with the app its total goes
        let gone = t.centre.read(|w| w.app(&common::ids::AppId::new("shop/web")).cloned()).unwrap();
        put(&t.centre, vec![Change::Forget(Entity::App(gone.as_ref().clone())), kill(1)]).await;
        figures.count_kills(&mut later).await.unwrap();
        assert_eq!(later.loaded.unwrap().all().count(), 0);
        t.end().await;
    }
}

#[tokio::test]
async fn figures_reach_graphite() {
    let test = test_stores().await.remove(0);
    let t = TestCentre::over(&test.store).await;
    let nodes = nodes(&t.centre).await;
    put(&t.centre, changes()).await;
    let carbon = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = carbon.local_addr().unwrap().to_string();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for connection in carbon.incoming().map_while(Result::ok) {
            for line in BufReader::new(connection).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let figures = Figures::open(t.centre.clone(), nodes, &graphite(vec![address]), dir.path());
    let figures = figures.unwrap().unwrap();
    let stop = CancellationToken::new();
    let sending = tokio::spawn({
        let (carbon, stop) = (figures.carbon.clone(), stop.clone());
        async move { carbon.run(stop).await }
    });
    figures.write(&mut Kept::new(), 60).await;
    let got = std::cell::RefCell::new(Vec::new());
    eventually(|| {
        got.borrow_mut().extend(told.try_iter());
        got.borrow().len() >= 11
    })
    .await;
    let got = got.into_inner();
    assert!(got.contains(&"qae.dc1.app.shop_web.all.instances.running 2 60".to_owned()));
    assert_eq!(figures.counts().points.load(Ordering::Relaxed), 11);
    stop.cancel();
    sending.await.unwrap();
    t.end().await;
}

#[test]
fn no_graphite_no_figures_and_marks_are_whole_tens() {
    let at = |ms: u64| next_mark(UNIX_EPOCH + Duration::from_millis(ms));
    assert_eq!(at(12_500), (20, Duration::from_millis(7_500)));
    assert_eq!(at(20_000), (30, Duration::from_secs(10)));
}
