//! A played log-agent: it keeps logs in memory and speaks docs/live-logs.md as far as the relay relies on it: tickets, `hello`, `lines`,
//! `from`, filters, pauses, gaps for slow viewers, the end of an instance.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use common::api_types::live::{Ask, Filter, Frame, LogFile, Of, PROTOCOL, Told};
use common::ids::InstanceId;
use common::moment::Moment;
use common::serve::Problem;
use common::ticket::{Keys, PublicKeys, Right, Ticket, verify};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A viewer that is further behind jumps to the end.
const BEHIND: usize = 4 << 20;
/// Bytes of one frame.
const STEP: usize = 64 << 10;

/// A file.
#[derive(Debug, Default, Clone)]
struct File {
    text: String,
}

#[derive(Debug, Default)]
struct Logs {
    /// By instance's key and file.
    files: BTreeMap<(String, String), File>,
    ended: Vec<String>,
    forgotten: Vec<String>,
    /// Queries of the streams that were opened.
    asked: Vec<String>,
    /// What viewers said.
    said: Vec<Ask>,
    users: Vec<String>,
}

#[derive(Clone)]
struct Shared {
    logs: Arc<Mutex<Logs>>,
    changed: watch::Sender<u64>,
    keys: Keys,
}

/// The agent.
pub struct LogAgent {
    runtime: Runtime,
    shared: Shared,
    pub address: SocketAddr,
    serving: Option<JoinHandle<()>>,
}

impl LogAgent {
    /// Serves at a port of its own, with the centre's keys as `GET /v1/keys` answers.
    pub fn start(keys: &serde_json::Value) -> Self {
        let keys: PublicKeys = serde_json::from_value(keys.clone()).unwrap();
        let shared = Shared {
            logs: Arc::default(),
            changed: watch::Sender::new(0),
            keys: Keys::new(&keys.keys).unwrap(),
        };
        let runtime = Runtime::new().unwrap();
        let mut agent =
            Self { runtime, shared, address: ([127, 0, 0, 1], 0).into(), serving: None };
        agent.come();
        agent
    }

    /// Serves again, where it served before.
    pub fn come(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v1/logs/{instance}/files", get(files))
            .route("/v1/logs/{instance}/lines", get(lines))
            .route("/v1/logs/{instance}/stream", get(stream))
            .with_state(self.shared.clone());
        self.serving = Some(self.runtime.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        }));
    }

    /// Is gone, with all its connections; what it knows stays.
    pub fn go(&mut self) {
        self.serving.take().unwrap().abort();
        // wakes its streams, which find that it is gone
        self.shared.changed.send_modify(|n| *n = u64::MAX);
        self.shared.changed = watch::Sender::new(0);
    }

    /// Writes to a file.
    pub fn write(&self, key: &str, file: &str, text: &str) {
        let mut logs = self.shared.logs.lock().unwrap();
        logs.files.entry((key.to_owned(), file.to_owned())).or_default().text.push_str(text);
        drop(logs);
        self.shared.changed.send_modify(|n| *n += 1);
    }

    /// The instance has ended.
    pub fn end(&self, key: &str) {
        self.shared.logs.lock().unwrap().ended.push(key.to_owned());
        self.shared.changed.send_modify(|n| *n += 1);
    }

    /// Nothing is known of it any more.
    pub fn forget(&self, key: &str) {
        let mut logs = self.shared.logs.lock().unwrap();
        logs.files.retain(|(of, _), _| of != key);
        logs.forgotten.push(key.to_owned());
    }

    /// What was asked of streams so far.
    pub fn asked(&self) -> Vec<String> {
        self.shared.logs.lock().unwrap().asked.clone()
    }

    /// What viewers said so far.
    pub fn said(&self) -> Vec<Ask> {
        self.shared.logs.lock().unwrap().said.clone()
    }

    /// Whom the tickets named.
    pub fn users(&self) -> Vec<String> {
        self.shared.logs.lock().unwrap().users.clone()
    }
}

/// The ticket, if it is good for this instance.
#[allow(clippy::result_large_err, reason = "a played server is in no hurry")]
fn let_in(shared: &Shared, headers: &HeaderMap, key: &str) -> Result<Ticket, Response> {
    let text = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let ticket =
        verify(text.trim_start_matches("Bearer "), &shared.keys, Moment::now()).map_err(|e| {
            Problem::new(StatusCode::UNAUTHORIZED, e.code(), e.to_string()).into_response()
        })?;
    let forgotten = shared.logs.lock().unwrap().forgotten.contains(&key.to_owned());
    if forgotten || !ticket.allows(key, "any", Right::Read) {
        return Err(Problem::not_found("no such instance").into_response());
    }
    shared.logs.lock().unwrap().users.push(ticket.user.clone());
    Ok(ticket)
}

fn source(file: &str) -> String {
    file.bytes().map(|b| format!("{b:02x}")).collect()
}

fn of(file: &str) -> Of {
    Of { source: source(file), file: file.to_owned(), generation: 0 }
}

async fn files(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = let_in(&shared, &headers, &key) {
        return refused;
    }
    let logs = shared.logs.lock().unwrap();
    let one = |((_, name), file): (&(String, String), &File)| LogFile {
        source: source(name),
        file: name.clone(),
        generation: 0,
        size: file.text.len() as u64,
        state: "live".into(),
        modified: None,
        ended: logs.ended.contains(&key),
    };
    let items: Vec<LogFile> =
        logs.files.iter().filter(|((of, _), _)| *of == key).map(one).collect();
    common::serve::json(&json!({"items": items, "next": null}))
}

type Asked = HashMap<String, String>;

/// The last lines before a place, at most three an answer, so that whoever wants more has to ask again.
async fn lines(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = let_in(&shared, &headers, &key) {
        return refused;
    }
    let logs = shared.logs.lock().unwrap();
    let found =
        logs.files.iter().find(|((of, name), _)| *of == key && source(name) == asked["source"]);
    let Some(((_, name), file)) = found else {
        return Problem::not_found("no such file").into_response();
    };
    let before: usize = asked["before"].parse().unwrap();
    let text = &file.text[..before];
    let wanted: usize = asked["lines"].parse().unwrap();
    let kept: Vec<&str> = text.split_inclusive('\n').rev().take(wanted.min(3)).collect();
    let offset = before - kept.iter().map(|line| line.len()).sum::<usize>();
    let lines: Vec<String> =
        kept.iter().rev().map(|line| line.trim_end_matches('\n').to_owned()).collect();
    let frame = lines_frame(name, offset, before, lines);
    common::serve::json(
        &json!({"offset": offset, "next": before, "items": [Told { instance: None, frame }]}),
    )
}

fn lines_frame(file: &str, offset: usize, next: usize, lines: Vec<String>) -> Frame {
    Frame::Lines {
        of: of(file),
        offset: offset as u64,
        next: next as u64,
        time: Moment::now(),
        lines,
        replaced: Vec::new(),
        continues: false,
        open: false,
    }
}

async fn stream(
    State(shared): State<Shared>,
    Path(key): Path<String>,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let ticket = match let_in(&shared, &headers, &key) {
        Ok(ticket) => ticket,
        Err(refused) => return refused,
    };
    let query = query.unwrap_or_default();
    shared.logs.lock().unwrap().asked.push(query.clone());
    upgrade
        .protocols([PROTOCOL])
        .on_upgrade(move |socket| Viewer::new(shared, key, &query, ticket).run(socket))
}

struct Viewer {
    shared: Shared,
    key: String,
    lines: usize,
    /// Where each file is to go on, by source.
    from: HashMap<String, usize>,
    /// Where each file is, by name.
    at: BTreeMap<String, usize>,
    filter: Filter,
    file: String,
    paused: bool,
    expires: Moment,
}

impl Viewer {
    fn new(shared: Shared, key: String, query: &str, ticket: Ticket) -> Self {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let one = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let from = pairs.iter().filter(|(name, _)| name == "from").map(|(_, place)| {
            let parts: Vec<&str> = place.split('.').collect();
            (parts[0].to_owned(), parts[2].parse().unwrap())
        });
        Self {
            file: one("file").unwrap_or_else(|| "**".to_owned()).replace("%2A", "*"),
            lines: one("lines").unwrap().parse().unwrap(),
            from: from.collect(),
            filter: Filter { grep: one("grep").unwrap_or_default(), invert: false, case: true },
            shared,
            key,
            at: BTreeMap::new(),
            paused: false,
            expires: ticket.expires,
        }
    }

    async fn run(mut self, mut socket: WebSocket) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            let seen = *changed.borrow_and_update();
            if seen == u64::MAX {
                return;
            }
            for told in self.due() {
                let text = serde_json::to_string(&told).unwrap();
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
            if self.over() {
                let detail = "it has ended".to_owned();
                let frame = Frame::End { why: "instance_ended".into(), detail };
                let text = serde_json::to_string(&Told { instance: None, frame }).unwrap();
                socket.send(Message::text(text)).await.ok();
                return;
            }
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(Duration::from_millis(20)), if self.behind() => {}
                said = socket.recv() => {
                    let Some(Ok(message)) = said else { return };
                    if let Message::Text(text) = message {
                        self.hear(serde_json::from_str(&text).unwrap());
                    }
                }
            }
        }
    }

    fn hear(&mut self, ask: Ask) {
        match ask.clone() {
            Ask::Pause {} => self.paused = true,
            Ask::Resume { .. } => self.paused = false,
            Ask::Filter { grep, invert, case, .. } => self.filter = Filter { grep, invert, case },
            Ask::Ticket { .. } => {}
        }
        self.shared.logs.lock().unwrap().said.push(ask);
    }

    fn mine(&self) -> Vec<(String, String)> {
        let logs = self.shared.logs.lock().unwrap();
        let fits = |of: &str, name: &str| of == self.key && common::ticket::fits(&self.file, name);
        let mine = logs.files.iter().filter(|((of, name), _)| fits(of, name));
        mine.map(|((_, name), file)| (name.clone(), file.text.clone())).collect()
    }

    fn behind(&self) -> bool {
        !self.paused
            && self.mine().iter().any(|(name, text)| self.at.get(name) != Some(&text.len()))
    }

    fn over(&self) -> bool {
        self.shared.logs.lock().unwrap().ended.contains(&self.key) && !self.behind()
    }

    /// What is to be told now.
    fn due(&mut self) -> Vec<Told> {
        let mut due = Vec::new();
        if self.paused {
            return due;
        }
        for (name, text) in self.mine() {
            let told = |frame| Told { instance: None, frame };
            if !self.at.contains_key(&name) {
                let back = || {
                    let kept = text.split_inclusive('\n').rev().take(self.lines);
                    text.len() - kept.map(str::len).sum::<usize>()
                };
                let at = self.from.get(&source(&name)).copied().unwrap_or_else(back);
                self.at.insert(name.clone(), at);
                let frame = Frame::Hello {
                    of: of(&name),
                    size: text.len() as u64,
                    offset: at as u64,
                    expires: self.expires,
                };
                due.push(Told { instance: Some(InstanceId::new(&self.key)), frame });
            }
            let at = self.at.get_mut(&name).unwrap();
            if text.len() - *at > BEHIND {
                due.push(told(Frame::Gap {
                    of: of(&name),
                    from: *at as u64,
                    to: text.len() as u64,
                    bytes: (text.len() - *at) as u64,
                    lines: Some(text[*at..].matches('\n').count() as u64),
                    why: "slow".into(),
                }));
                *at = text.len();
            }
            let mut end = text.len().min(*at + STEP);
            end = text[..end].rfind('\n').map_or(*at, |lf| lf + 1).max(*at);
            if end > *at {
                let fits = |line: &&str| line.contains(&self.filter.grep);
                let lines = text[*at..end].lines().filter(fits).map(str::to_owned).collect();
                due.push(told(lines_frame(&name, *at, end, lines)));
                *at = end;
            }
        }
        due
    }
}
