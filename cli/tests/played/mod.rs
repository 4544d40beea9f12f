//! A played centre: real HTTP, made-up answers; and the built `qae` run against it as a script would run it.

use axum::Router;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What the played centre knows, and what it was asked.
#[derive(Debug, Default)]
pub struct Script {
    /// Answers to `GET /v1/events?topics=...`, one per connection: status and body; the last one is repeated.
    pub streams: Vec<(u16, String)>,
    /// What streams of logs tell.
    pub frames: Vec<Vec<Value>>,
    /// Address of a log-agent for tickets, if there is one.
    pub log_agent: Option<String>,
    /// Every request: method, path with query, body.
    pub asked: Vec<(String, String, String)>,
}

/// Who is asking for what.
type Shared = Arc<Mutex<Script>>;

/// The token that is let in.
pub const TOKEN: &str = "qae_played";
/// A name that would clear a terminal.
pub const HOSTILE: &str = "shop/\u{1b}[2Jweb\n";

/// The centre while it is played.
pub struct Played {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    script: Shared,
    dir: tempfile::TempDir,
    _runtime: Runtime,
}

impl Played {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Shared::default();
        let router = router(script.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), TOKEN).unwrap();
        Self { url, script, dir, _runtime: runtime }
    }

    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// The bodies sent to a path.
    pub fn sent(&self, method: &str, path: &str) -> Vec<Value> {
        let script = self.script.lock().unwrap();
        let of = script.asked.iter().filter(|(m, p, _)| m == method && p == path);
        of.map(|(_, _, body)| serde_json::from_str(body).unwrap_or_default()).collect()
    }

    /// Every path asked with this method.
    pub fn paths(&self, method: &str) -> Vec<String> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|(m, ..)| m == method).map(|(_, p, _)| p.clone()).collect()
    }

    /// `qae` with the played centre as its place, not yet run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = qae(line);
        command.env("QAE_URL", &self.url).env("QAE_TOKEN_FILE", self.dir.path().join("token"));
        command
    }

    /// Runs `qae`.
    pub fn run(&self, line: &str) -> Ran {
        Ran::of(&mut self.command(line))
    }
}

/// The built command in an empty environment and directory.
pub fn qae(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qae"));
    command.args(line.split_whitespace()).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// How it ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        Self::after(command.output().unwrap())
    }

    pub fn after(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Stdout as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

fn router(script: Shared) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route("/openapi.json", get(|| json_of(json!({"info": {"version": "9.9.9"}}))))
        .route("/v1/me", get(|| json_of(json!({"name": "played", "role": "admin", "expires": null}))))
        .route("/v1/apps", get(apps))
        .route("/v1/apps/{app}", get(app))
        .route("/v1/instances", get(|| json_of(json!({"items": [instance("a1"), instance("a2")], "next": null}))))
        .route("/v1/nodes", get(|| json_of(json!({"items": [node()], "next": null}))))
        .route("/v1/nodes/{node}", any(forget))
        .route("/v1/clusters", get(clusters))
        .route("/v1/snapshot", get(snapshot))
        .route("/v1/events", get(events))
        .route("/v1/metrics", get(metrics))
        .route("/v1/tokens", any(tokens))
        .route("/v1/tokens/{name}", any(token))
        .route("/v1/tickets", post(tickets))
        .route("/v1/sign-ins", post(|| json_of(json!({"code": "CODE1", "url": "x", "expires": "2026-01-13T10:00:00Z"}))))
        .route("/v1/audit", get(|| json_of(json!({"items": [{"id": 1, "time": "2026-01-13T10:00:00Z",
            "actor": "user:admin", "action": "token_created", "subject": HOSTILE, "cause": ""}], "next": null}))))
        .route("/v1/instances/{instance}", get(one))
        .route("/v1/instances/{instance}/logs/files", get(files))
        .route("/v1/instances/{instance}/logs/stream", get(stream))
        .route("/v1/apps/{app}/logs/stream", get(stream))
        .route("/v1/logs/{instance}/stream", get(stream))
        .fallback(|| async { problem(404, "not_found", "nothing here") })
        .layer(axum::middleware::from_fn_with_state(script.clone(), door))
        .with_state(script)
}

/// Notes what was asked and lets only the token in.
async fn door(
    State(script): State<Shared>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    let asked =
        (parts.method.to_string(), path.clone(), String::from_utf8(bytes.to_vec()).unwrap());
    script.lock().unwrap().asked.push(asked);
    let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let wanted = if path.starts_with("/v1/logs/") {
        "Bearer qtk1.played".to_owned()
    } else {
        format!("Bearer {TOKEN}")
    };
    if path.starts_with("/v1/") && bearer != Some(&wanted) {
        return problem(401, "bad_token", "this token is not known");
    }
    next.run(Request::from_parts(parts, bytes.into())).await
}

async fn json_of(value: Value) -> Response {
    axum::Json(value).into_response()
}

pub fn problem(status: u16, code: &str, detail: &str) -> Response {
    let body = json!({"title": "t", "status": status, "code": code, "detail": detail}).to_string();
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::from_u16(status).unwrap(), kind, body).into_response()
}

fn app_json(id: &str) -> Value {
    json!({"id": id, "labels": {}, "owner": "team", "dcs": [{"dc": "dc1", "cluster": "local", "wanted": null,
        "staging": 0, "running": 2, "healthy": 1, "unhealthy": 0}]})
}

pub fn instance(id: &str) -> Value {
    json!({"key": format!("local/n1/{id}"), "id": id, "app": HOSTILE, "dc": "dc1", "cluster": "local", "node": "n1",
        "state": "running", "health": "healthy", "started_at": "2026-01-13T10:00:00Z"})
}

fn node() -> Value {
    json!({"name": "n1", "dc": "dc1", "agents": [{"name": "dadvisor", "version": "9.9.9", "address": "127.0.0.1:7001",
        "silent": true}], "silent": true, "last_seen": "2026-01-13T10:00:00Z", "instances": 2})
}

pub fn event(seq: u64) -> Value {
    json!({"epoch": "e1", "seq": seq, "time": "2026-01-13T10:00:00Z", "type": "instance_changed",
        "subject": "local/n1/a1", "actor": "node:n1", "cause": HOSTILE, "payload": instance(&format!("a{seq}"))})
}

/// Has no parameters, and says so.
async fn clusters(Query(query): Query<HashMap<String, String>>) -> Response {
    match query.keys().next() {
        Some(key) => problem(400, "bad_query", &format!("{key}: unknown field")),
        None => {
            json_of(json!({"items": [{"name": "local", "state": "following"}], "next": null})).await
        }
    }
}

/// Two pages, whatever the limit.
async fn apps(Query(query): Query<HashMap<String, String>>) -> Response {
    if query.get("q").is_some_and(|q| q == "broken") {
        return problem(503, "store_unavailable", "the store is away");
    }
    let page = match query.get("cursor").map(String::as_str) {
        None => json!({"items": [app_json(HOSTILE)], "next": "6162"}),
        Some("6162") => json!({"items": [app_json("shop/api")], "next": null}),
        Some(_) => return problem(400, "bad_query", "no such cursor"),
    };
    json_of(page).await
}

async fn app(Path(id): Path<String>) -> Response {
    match id.as_str() {
        "shop/api" => json_of(app_json("shop/api")).await,
        _ => problem(404, "not_found", "no such app"),
    }
}

async fn snapshot() -> Response {
    ([("qae-cursor", "e2:1")], axum::Json(json!({"cursor": "e2:1"}))).into_response()
}

async fn events(
    State(script): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let streams = headers.get(header::ACCEPT).is_some_and(|v| v == "text/event-stream");
    if !streams {
        let limit = query.get("limit").and_then(|l| l.parse().ok()).unwrap_or(100);
        let newest_first: Vec<_> = (1..=3).rev().map(event).take(limit).collect();
        return json_of(json!({"items": newest_first, "next": null})).await;
    }
    let mut script = script.lock().unwrap();
    let (status, body) = match script.streams.len() {
        0 => (200, String::new()),
        1 => script.streams[0].clone(),
        _ => script.streams.remove(0),
    };
    if status != 200 {
        return problem(status, "cursor_too_old", &body);
    }
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

async fn metrics(Query(query): Query<HashMap<String, String>>) -> Response {
    let app = query["app"].clone();
    let series = |instance: &str, metric: &str, value: f64| json!({"app": app, "instance": instance, "metric": metric, "points": [[1, 0.0], [2, value], [3, null]]});
    json_of(json!({"source": "dadvisor", "series": [series("a1", "cpu.percent", 12.5), series("a2", "cpu.percent", 90.0),
        series("a2", "memory.working_set_bytes", 1024.0)], "missing": []}))
    .await
}

async fn tokens(request: Request) -> Response {
    if request.method() == "POST" {
        return json_of(json!({"token": "qae_secret", "name": "ci"})).await;
    }
    json_of(json!({"items": [{"name": "ci", "role": "viewer", "apps": ["**"]}], "next": null}))
        .await
}

async fn token(Path(name): Path<String>, request: Request) -> Response {
    match (name.as_str(), request.method().as_str()) {
        ("ci", "DELETE") => StatusCode::NO_CONTENT.into_response(),
        ("ci", _) => json_of(json!({"name": "ci", "role": "viewer", "apps": ["**"]})).await,
        _ => problem(404, "not_found", "no token of this name"),
    }
}

async fn forget(Path(name): Path<String>, request: Request) -> Response {
    match (name.as_str(), request.method().as_str()) {
        ("old/1", "DELETE") => StatusCode::NO_CONTENT.into_response(),
        _ => problem(409, "node_reports", "an agent of it still reports"),
    }
}

async fn tickets(State(script): State<Shared>, body: axum::Json<Value>) -> Response {
    let known = body["app"] == "shop/api" || body["instance"] == "a1";
    if !known {
        return problem(404, "not_found", "no such app");
    }
    let agent = script.lock().unwrap().log_agent.clone();
    let door = |id: &str| json!({"instance": id, "key": format!("local/n1/{id}"), "node": "n1", "address": agent, "ticket": "x", "url": null, "why": null});
    let doors = if body["app"].is_null() { vec![door("a1")] } else { vec![door("a1"), door("a2")] };
    json_of(json!({"ticket": "qtk1.played", "expires": "2026-01-13T10:00:00Z", "instances": doors}))
        .await
}

async fn one(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "a1" | "local/n1/a1" => json_of(instance("a1")).await,
        _ => problem(404, "not_found", "no such instance"),
    }
}

async fn files() -> Response {
    let file = json!({"source": "ff", "file": "app.log", "generation": 0, "size": 2048, "state": "live",
        "modified": "2026-01-13T10:00:00Z", "ended": false});
    json_of(json!({"items": [file], "next": null})).await
}

/// Lines as a log-agent or the centre tells them.
pub fn lines(instance: Option<&str>, lines: &[&str]) -> Value {
    let mut frame = json!({"type": "lines", "source": "ff", "file": "app.log", "generation": 0, "offset": 0, "next": 10,
        "time": "2026-01-13T10:00:00Z", "lines": lines});
    if let Some(instance) = instance {
        frame["instance"] = instance.into();
    }
    frame
}

/// The script's frames, one list per connection; the last one is repeated.
async fn stream(State(script): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let mut script = script.lock().unwrap();
    let frames = match script.frames.len() {
        0 => return problem(429, "too_many_streams", "come back later"),
        1 => script.frames[0].clone(),
        _ => script.frames.remove(0),
    };
    upgrade.protocols(["qae.logs.1"]).on_upgrade(async move |mut socket| {
        for frame in frames {
            socket.send(Message::text(frame.to_string())).await.unwrap();
        }
        socket.send(Message::Close(None)).await.ok();
        while let Some(Ok(_)) = socket.recv().await {}
    })
}
