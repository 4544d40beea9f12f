//! The engine, the containers and the follower that the tests work with.
#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot do")]

use common::docker::{Event, Inventory, Settings, Stats, follow};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The image of every container here.
pub const IMAGE: &str = "qae-test-discovery:1";
/// How fast a change has to be seen.
pub const SOON: Duration = Duration::from_secs(2);

/// The `docker` command at one engine. What it runs is removed when this goes.
pub struct Docker {
    pub host: String,
    pub label: String,
}

impl Docker {
    pub fn at(host: &str, test: &str) -> Self {
        let docker = Self { host: host.to_owned(), label: format!("qae.test=discovery-{test}") };
        // left by a run that was killed
        docker.remove_all();
        docker.make_image();
        docker
    }

    pub fn run(&self, args: &[&str]) -> String {
        let out = Command::new("docker").args(["-H", &self.host]).args(args).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "docker {args:?} at {}: {said}", self.host);
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container, gives its id.
    pub fn start(&self, name: &str, options: &[&str], command: &[&str]) -> String {
        let fixed = ["run", "-d", "--network", "none", "--label", &self.label, "--name", name];
        self.run(&[&fixed, options, &[IMAGE], command].concat())
    }

    /// A cgroup parent in the form this engine's driver takes.
    pub fn parent(&self) -> &'static str {
        match self.run(&["info", "--format", "{{.CgroupDriver}}"]).as_str() {
            "systemd" => "qaetest.slice",
            _ => "/qae-test",
        }
    }

    /// A static busybox, imported: nothing is pulled.
    pub fn make_image(&self) {
        let dir = tempfile::tempdir().unwrap();
        let (root, tar) = (dir.path().join("root"), dir.path().join("image.tar"));
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))
            .expect("busybox-static is installed");
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        let packed = Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&tar)
            .arg(".")
            .status()
            .unwrap();
        assert!(packed.success());
        self.run(&["import", tar.to_str().unwrap(), IMAGE]);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.remove_all();
    }
}

impl Docker {
    fn remove_all(&self) {
        let filter = format!("label={}", self.label);
        let out = Command::new("docker")
            .args(["-H", &self.host, "ps", "-aq", "--filter", &filter])
            .output();
        let ids = out.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
        for id in ids.split_whitespace() {
            let removed = Command::new("docker").args(["-H", &self.host, "rm", "-f", id]).output();
            if !removed.is_ok_and(|o| o.status.success()) {
                eprintln!("container {id} could not be removed");
            }
        }
    }
}

/// The follower under test.
pub struct Follower {
    pub inventory: watch::Receiver<Arc<Inventory>>,
    pub events: mpsc::Receiver<Event>,
    pub stats: Arc<Stats>,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Follower {
    pub fn at(host: &str, resync: Duration, last_good: Option<&Path>) -> Self {
        let (inventory_in, inventory) = watch::channel(Arc::new(Inventory::default()));
        let (events_in, events) = mpsc::channel(100);
        let (stats, stop) = (Arc::new(Stats::default()), CancellationToken::new());
        let settings = Settings {
            socket: host.to_owned(),
            resync,
            timeout: Duration::from_secs(1),
            last_good: last_good.map(Path::to_owned),
            ..Settings::default()
        };
        let task = tokio::spawn(follow(
            settings,
            inventory_in,
            events_in,
            Arc::clone(&stats),
            stop.clone(),
        ));
        Self { inventory, events, stats, stop, task }
    }

    /// Waits until the inventory is so; the time it took counts, not whether it ever comes.
    pub async fn sees(
        &mut self,
        within: Duration,
        what: &str,
        mut is: impl FnMut(&Inventory) -> bool,
    ) {
        let seen = tokio::time::timeout(within, self.inventory.wait_for(|i| is(i)))
            .await
            .map(|r| r.is_ok());
        assert_eq!(
            seen,
            Ok(true),
            "{what} is not seen within {within:?}: {:?}",
            self.inventory.borrow()
        );
    }

    /// The next event that is about this container.
    pub async fn next_about(&mut self, id: &str) -> Event {
        let next = async {
            loop {
                let event = self.events.recv().await.expect("the follower runs");
                let about = match &event {
                    Event::Started { id } | Event::Updated { id } => id,
                    Event::Died { container, .. } | Event::Oom { container } => &container.id,
                };
                if about == id {
                    return event;
                }
            }
        };
        tokio::time::timeout(SOON, next).await.unwrap_or_else(|_| panic!("no event about {id}"))
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl Follower {
    /// Waits for that many lists.
    pub async fn lists(&self, wanted: u64) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.stats.resyncs.load(Relaxed) < wanted {
            assert!(Instant::now() < end, "{:?}", self.stats);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until two lists in a row inspected nothing.
    pub async fn settled(&self) {
        loop {
            let (lists, inspects) =
                (self.stats.resyncs.load(Relaxed), self.stats.inspects.load(Relaxed));
            self.lists(lists + 2).await;
            if self.stats.inspects.load(Relaxed) == inspects {
                return;
            }
        }
    }
}
