//! The played centre.

use crate::api_types::{AppSpec, Report, Snapshot, digest};
use crate::center::{Center, Pace, Settings, Status};
use crate::config::api::Api;
use crate::http::Url;
use crate::ids::{AppId, Cursor, NodeName};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) const LONGEST: Duration = Duration::from_secs(20);

/// What a request is answered with instead.
#[derive(Clone)]
pub(super) enum Instead {
    Status(u16, &'static str),
    Hang,
}

#[derive(Default)]
pub(super) struct Played {
    pub instead: Option<Instead>,
    /// Digest and body of each report taken.
    pub reports: Vec<(String, String)>,
    pub known: Option<String>,
    pub apps: Vec<AppSpec>,
    pub seq: u64,
    /// Instead of the snapshot's digest.
    pub digest: Option<String>,
    pub snapshots: u64,
    /// `after` of every stream opened.
    pub after: Vec<String>,
    /// Cursors before this are gone.
    pub oldest: u64,
    pub streams: Vec<mpsc::UnboundedSender<Bytes>>,
}

type Play = Arc<Mutex<Played>>;

pub(super) fn app(id: &str, owner: &str) -> AppSpec {
    AppSpec {
        id: AppId::new(id),
        labels: Default::default(),
        owner: Some(owner.into()),
        dcs: Vec::new(),
    }
}

impl Played {
    fn snapshot(&self) -> Snapshot {
        let mut found = digest::Digest::default();
        for app in &self.apps {
            found.put(crate::api_types::Kind::App, app.id.as_str(), app);
        }
        Snapshot {
            cursor: Cursor { epoch: "e1".into(), seq: self.seq },
            digest: self.digest.clone().unwrap_or_else(|| found.value()),
            topics: vec!["apps".into()],
            apps: self.apps.clone(),
            instances: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// To every stream that is open.
    pub fn say(&mut self, text: &str) {
        let text = Bytes::copy_from_slice(text.as_bytes());
        self.streams.retain(|stream| stream.send(text.clone()).is_ok());
    }

    pub fn beat(&mut self) {
        let at = format!("e1:{}", self.seq);
        self.say(&format!("id: {at}\nevent: heartbeat\ndata: {{\"cursor\":\"{at}\"}}\n\n"));
    }

    /// An app changes, and the readers hear of it.
    pub fn change(&mut self, app: AppSpec) {
        let text = self.change_unheard(app);
        self.say(&text);
    }

    /// The same, but nobody hears of it.
    pub fn change_unheard(&mut self, app: AppSpec) -> String {
        self.seq += 1;
        let event = serde_json::json!({"epoch": "e1", "seq": self.seq, "time": "2026-01-01T00:00:00.000Z",
            "type": "app_changed", "subject": app.id, "actor": "api", "payload": app});
        self.apps.retain(|known| known.id != app.id);
        self.apps.push(app);
        self.apps.sort_by(|a, b| a.id.cmp(&b.id));
        format!("id: e1:{}\nevent: app_changed\ndata: {event}\n\n", self.seq)
    }
}

fn problem(status: u16, code: &str) -> Response {
    let body = serde_json::json!({"title": "x", "status": status, "code": code, "detail": "said the play"});
    (StatusCode::from_u16(status).unwrap(), body.to_string()).into_response()
}

async fn instead(play: &Play, headers: &HeaderMap) -> Option<Response> {
    let instead = play.lock().unwrap().instead.clone();
    match instead {
        Some(Instead::Hang) => std::future::pending().await,
        Some(Instead::Status(status, code)) => Some(problem(status, code)),
        None if headers.get("authorization").is_none_or(|v| v != "Bearer qae_x") => {
            Some(problem(401, "token_unknown"))
        }
        None => None,
    }
}

async fn report(State(play): State<Play>, headers: HeaderMap, body: String) -> Response {
    if let Some(answer) = instead(&play, &headers).await {
        return answer;
    }
    let digest = headers["qae-digest"].to_str().unwrap().to_owned();
    assert!(headers["qae-run"].to_str().unwrap().split('.').count() == 3);
    let mut play = play.lock().unwrap();
    if body.is_empty() && play.known.as_ref() != Some(&digest) {
        return problem(409, "digest_unknown");
    }
    if !body.is_empty() {
        let report: Report = serde_json::from_str(&body).unwrap();
        assert_eq!(digest, crate::api_types::digest::hash(&report));
    }
    play.known = Some(digest.clone());
    play.reports.push((digest, body));
    r#"{"cursor":"e1:1","every_seconds":0}"#.into_response()
}

async fn snapshot(State(play): State<Play>, headers: HeaderMap) -> Response {
    if let Some(answer) = instead(&play, &headers).await {
        return answer;
    }
    let mut play = play.lock().unwrap();
    let snapshot = play.snapshot();
    let tag = format!("\"{}\"", snapshot.digest);
    if headers.get("if-none-match").is_some_and(|v| v == tag.as_str()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    play.snapshots += 1;
    let json = serde_json::to_vec(&snapshot).unwrap();
    // a centre may pack it or not: every other time
    if play.snapshots % 2 == 0 || headers.get("accept-encoding").is_none_or(|v| v != "gzip") {
        return json.into_response();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&json).unwrap();
    ([("content-encoding", "gzip")], gzip.finish().unwrap()).into_response()
}

async fn events(
    State(play): State<Play>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(answer) = instead(&play, &headers).await {
        return answer;
    }
    assert_eq!(query["topics"], "apps");
    let mut play = play.lock().unwrap();
    play.after.push(query["after"].clone());
    let after = Cursor::parse(&query["after"]).unwrap();
    if after.epoch != "e1" || after.seq < play.oldest {
        return problem(410, "cursor_too_old");
    }
    let (to, from) = mpsc::unbounded_channel();
    to.send(Bytes::from_static(b"retry: 1\n\n")).unwrap();
    play.streams.push(to);
    if after.seq >= play.seq {
        play.beat();
    }
    let pieces = stream::unfold(from, |mut from| async {
        let piece = from.recv().await?;
        Some((Ok::<_, Infallible>(piece), from))
    });
    Body::from_stream(pieces).into_response()
}

/// A played centre and a client of it.
pub(super) struct Stage {
    pub dir: tempfile::TempDir,
    pub address: SocketAddr,
    play: Play,
    pub center: Center,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    server: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
}

pub(super) fn pace() -> Pace {
    Pace {
        every: Duration::from_millis(20),
        gather: Duration::from_millis(5),
        timeout: Duration::from_millis(300),
        silence: Duration::from_secs(10),
        compare: Duration::from_secs(100),
        save: Duration::from_millis(5),
        patience: 0.02,
    }
}

pub(super) fn client(
    address: SocketAddr,
    dir: PathBuf,
    pace: Pace,
) -> (Center, TaskTracker, CancellationToken) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let url = Url::parse(&format!("http://{address}")).unwrap();
    let api = Api { url, token_file: dir.join("token"), ca_file: None };
    let node = NodeName::new("host 1");
    let settings = Settings { api, node, agent: "dadvisor", state_dir: dir, pace };
    (Center::start(settings, &tasks, &stop).unwrap(), tasks, stop)
}

impl Stage {
    pub async fn new(pace: Pace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "qae_x\n").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let play = Play::default();
        play.lock().unwrap().seq = 1;
        let server = Some(serve(listener, play.clone()));
        let (center, tasks, stop) = client(address, dir.path().to_owned(), pace);
        Self { dir, address, play, center, tasks, stop, server }
    }

    pub fn play(&self) -> MutexGuard<'_, Played> {
        self.play.lock().unwrap()
    }

    /// The centre is gone, its address refuses.
    pub async fn away(&mut self) {
        self.play().streams.clear();
        let server = self.server.take().unwrap();
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
    }

    pub async fn back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = Some(serve(listener, self.play.clone()));
    }

    pub async fn until(&self, what: &str, is: impl Fn(&mut Played, &Status) -> bool) {
        let end = tokio::time::Instant::now() + LONGEST;
        while !is(&mut self.play(), &self.center.status()) {
            let status = self.center.status();
            assert!(tokio::time::Instant::now() < end, "{what}: {status:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(LONGEST, self.tasks.wait()).await.unwrap();
    }
}

pub(super) fn count(status: &Status, name: &str, kind: &str) -> u64 {
    status.counts.iter().find(|c| (c.0, c.1) == (name, kind)).unwrap().2
}

fn serve(listener: TcpListener, play: Play) -> tokio::task::JoinHandle<std::io::Result<()>> {
    let router = Router::new()
        .route("/v1/nodes/{node}/agents/{agent}", put(report))
        .route("/v1/snapshot", get(snapshot))
        .route("/v1/events", get(events))
        .with_state(play);
    tokio::spawn(async move { axum::serve(listener, router).await })
}
