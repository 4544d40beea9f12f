//! A centre with nodes, whose clock the test sets.

use crate::centre::TestCentre;
use crate::nodes::entry::Now;
use crate::nodes::sweep::Sweep;
use crate::nodes::{Nodes, ReportError, load};
use crate::reconcile::tests::lab::{at, clusters};
use crate::store::{Store, TestStore};
use common::api_types::{AgentState, DadvisorFacts, Event, EventType, Instance, Report, digest};
use common::ids::NodeName;
use serde_json::json;
use std::time::Duration;

pub(crate) struct Lab {
    pub t: TestCentre,
    pub nodes: Nodes,
    pub sweep: Sweep,
    /// Seconds since the process began.
    pub clock: u64,
}

/// Wall clock at the start of every process, in seconds.
const START: u64 = 1_000_000;

impl Lab {
    pub async fn over(store: &Store) -> Self {
        let t = TestCentre::over(store).await;
        let nodes = Nodes::new(t.centre.clone(), clusters(), &t.tasks);
        load::load(&nodes).await.unwrap();
        let sweep = Sweep::new(nodes.clone());
        Self { t, nodes, sweep, clock: 0 }
    }

    /// The process ends in order, and another one begins.
    pub async fn restart(mut self, test: TestStore) -> (TestStore, Self) {
        self.sweep.write(Duration::ZERO, self.now()).await;
        self.crash(test).await
    }

    /// The process ends without having written what waits.
    pub async fn crash(self, test: TestStore) -> (TestStore, Self) {
        let Self { t, nodes, sweep, .. } = self;
        t.end().await;
        drop((nodes, sweep));
        let test = test.reopen().await;
        let lab = Self::over(&test.store).await;
        (test, lab)
    }

    pub fn now(&self) -> Now {
        Now { mono: Duration::from_secs(self.clock), wall: at(START + self.clock) }
    }

    /// A second passes, and so on, with a look after each.
    pub async fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock += 1;
            self.sweep.look(self.now()).await;
        }
    }

    /// An agent's report; without content if it is to be known.
    pub async fn send(
        &self,
        who: (&str, &str, &str),
        report: &Report,
        whole: bool,
    ) -> Result<(), ReportError> {
        let (node, agent, run) = who;
        let digest = digest::hash(report);
        let report = whole.then(|| report.clone());
        self.nodes.take(&NodeName::new(node), agent, (run, &digest), report, self.now()).await
    }

    /// As an agent does it: the digest first, the whole when asked.
    pub async fn tell(&self, who: (&str, &str, &str), report: &Report) -> bool {
        match self.send(who, report, false).await {
            Ok(()) => false,
            Err(ReportError::DigestUnknown) => {
                self.send(who, report, true).await.unwrap();
                true
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn events(&self) -> Vec<Event> {
        let events = self.t.centre.events_after(0, 10_000).await.unwrap();
        events.iter().map(|e| Event::clone(e)).collect()
    }

    pub async fn kinds(&self) -> Vec<EventType> {
        self.events().await.iter().map(|e| e.kind).collect()
    }

    pub fn instance(&self, key: &str) -> Option<Instance> {
        self.t.centre.read(|world| world.instance(key).map(|i| i.as_ref().clone()))
    }

    pub fn silent(&self, node: &str) -> bool {
        self.nodes.status(&NodeName::new(node)).unwrap().silent
    }

    pub async fn rows(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM agents";
        sqlx::query_scalar(sql).fetch_one(self.t.centre.store().read()).await.unwrap()
    }
}

/// dadvisor of `n1` on machine `aa`.
pub(crate) const N1: (&str, &str, &str) = ("n1", "dadvisor", "aa.1000.x");

/// A log-agent's report in `dc2`, of one app.
pub(crate) fn ships(app: &str, lag_bytes: u64) -> Report {
    let app = json!({"app": app, "lag_bytes": lag_bytes, "bytes": 600, "lines": 60});
    Report {
        facts: json!({"window_seconds": 60, "apps": [app]}),
        ..report(&DadvisorFacts::default())
    }
}

/// dadvisor's report in `dc2`, where Docker is alone.
pub(crate) fn report(facts: &DadvisorFacts) -> Report {
    Report {
        version: "1.2".into(),
        address: "0.0.0.0:7001".into(),
        tls: false,
        dc: "dc2".into(),
        state: AgentState::Running,
        note: String::new(),
        facts: serde_json::to_value(facts).unwrap(),
    }
}
