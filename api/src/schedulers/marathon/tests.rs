//! Followers of a played Marathon, in this process. What a built `qae-api` does with every fault is in `tests/tests/marathon`.

use super::status::Phase;
use super::*;
use crate::centre::Settings;
use crate::config::Config;
use crate::reconcile::Clusters;
use crate::store::Store;
use common::api_types::InstanceState;
use common::container::Health;
use e2e::marathon::{Fault, Marathon, Version};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;

/// A centre that follows.
struct Lab {
    centre: Centre,
    marathons: Marathons,
    stop: CancellationToken,
    _dir: TempDir,
}

impl Lab {
    async fn new(clusters: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("qae.toml");
        std::fs::write(&file, clusters).unwrap();
        let (config, _) = Config::load(Some(&file)).unwrap();
        let url = format!("sqlite:{}/db", dir.path().display());
        let store = Store::open(&url).await.unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let settings = Settings::default();
        let centre = Centre::open(store, settings, &tasks, stop.clone()).await.unwrap();
        let clusters = Clusters::new(&config.clusters);
        let nodes = Nodes::open(centre.clone(), clusters, &tasks, stop.clone()).await.unwrap();
        let marathons = Marathons::start(&config.clusters, &centre, &nodes, &tasks, &stop);
        Self { centre, marathons, stop, _dir: dir }
    }

    /// Task ids with their states and health.
    fn tasks(&self) -> BTreeMap<String, (InstanceState, Health)> {
        self.centre.read(|world| {
            world.instances().map(|i| (i.id.to_string(), (i.state, i.health))).collect()
        })
    }

    async fn until(&self, what: &str, wanted: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if wanted(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?} {:?}", self.tasks(), self.marathons.status());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const HEALTHY: (InstanceState, Health) = (InstanceState::Running, Health::Healthy);

#[tokio::test(flavor = "multi_thread")]
async fn every_version_is_followed() {
    for version in [Version::V0_8, Version::V0_10, Version::V1_3, Version::V1_4, Version::V1_9] {
        let marathon = Marathon::start(version).unwrap();
        let tasks = marathon.run_app("/shop/web", 2).unwrap();
        let lab = Lab::new(&marathon.config("m")).await;
        lab.until("listed", |lab| lab.tasks().values().filter(|t| **t == HEALTHY).count() == 2)
            .await;
        let status = lab.marathons.status().remove(0);
        assert_eq!((status.phase, status.apps, status.tasks), (Phase::Following, 1, 2));
        assert_eq!(status.streaming, version != Version::V0_8, "{version:?}");
        if version == Version::V0_8 {
            continue;
        }
        marathon.kill(&tasks[0]).unwrap();
        lab.until("killed", |lab| !lab.tasks().contains_key(&tasks[0])).await;
        let next = marathon.launch("/shop/web").unwrap();
        marathon.started(&next).unwrap();
        lab.until("started", |lab| {
            lab.tasks().get(&next) == Some(&(InstanceState::Running, Health::Unknown))
        })
        .await;
        marathon.check(&next, true).unwrap();
        lab.until("healthy", |lab| lab.tasks().get(&next) == Some(&HEALTHY)).await;
        marathon.delete("/shop/web").unwrap();
        lab.until("deleted", |lab| {
            lab.tasks().is_empty() && lab.centre.read(|world| world.apps().next().is_none())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_follows_the_leader_and_nobody_else() {
    let marathon = Marathon::with_servers(Version::V1_9, 2).unwrap();
    marathon.require("qae", "s3cret");
    marathon.run_app("/a", 1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "s3cret\n").unwrap();
    // only the standby is configured
    marathon.lead(1);
    let config = Marathon::config_of("m", &format!("\"http://{}\"", marathon.address(0)));
    let config = format!("{config}user = \"qae\"\npassword_file = {:?}\n", file.display());
    let lab = Lab::new(&config).await;
    lab.until("streaming", |lab| lab.marathons.status()[0].streaming).await;
    let foreign = Marathon::start(Version::V1_9).unwrap();
    marathon.fault(Fault::Redirect(
        "/v2/events".into(),
        format!("http://{}/v2/events", foreign.address(0)),
    ));
    marathon.close_streams();
    lab.until("refused", |lab| {
        lab.marathons.followers[0]
            .counts
            .redirects_refused
            .load(std::sync::atomic::Ordering::Relaxed)
            > 0
    })
    .await;
    lab.until("listed all the same", |lab| {
        let status = lab.marathons.status().remove(0);
        status.phase == Phase::Following && status.detail.contains("neither in `url`")
    })
    .await;
    assert!(foreign.asked().is_empty(), "{:?}", foreign.asked());
    let mut out = Exposition::default();
    lab.marathons.expose(&mut out);
    let text = String::from_utf8(out.finish()).unwrap();
    assert!(text.contains("qae_marathon_streaming{cluster=\"m\"} 0"), "{text}");
}
