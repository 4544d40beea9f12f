//! A real server with real files, asked by a real client.

mod hostile;
mod speed;
mod watching;

use super::*;
use crate::live::testing::{DEADLINE, Lab};
use common::api_types::live::{Frame, PROTOCOL, PROTOCOL_TICKET, Told};
use common::http::{Options, Request, Response as Answer, Url, send};
use common::moment::Moment;
use common::serve::Counts as DoorCounts;
use common::ticket::{Keys, Right, SigningKey, Ticket, sign};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error as WsError, Message, client::IntoClientRequest};
use tokio_tungstenite::{WebSocketStream, client_async};

struct Server {
    lab: Lab,
    live: Live,
    address: SocketAddr,
    key: SigningKey,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    async fn with(limits: Limits) -> Self {
        let (lab, stop) = (Lab::new(), CancellationToken::new());
        let key = SigningKey::from_seed(&[7; 32]);
        let keys = Keyring::fixed(Keys::new(&[key.public()]).unwrap());
        let origins = vec!["https://qae.example".to_owned()];
        let settings = LiveSettings { node: NodeName::new("h1"), origins, limits };
        let live = Live::new(settings, lab.files.clone(), keys, &stop);
        let listener = serve::bind("127.0.0.1:0".parse().unwrap(), Duration::ZERO).await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(DoorCounts::default());
        tokio::spawn(serve::serve(
            listener,
            live.router(),
            Live::door(&limits),
            counts,
            stop.clone(),
        ));
        Self { lab, live, address, key, stop }
    }

    fn ticket_of(&self, change: impl FnOnce(&mut Ticket)) -> String {
        let now = Moment::now();
        let mut ticket = Ticket {
            id: "t1".into(),
            user: "ann".into(),
            instances: vec!["c/h1/one".into()],
            files: "**".into(),
            rights: vec![Right::Read, Right::Download],
            issued: now,
            expires: now.after(Duration::from_secs(600)),
        };
        change(&mut ticket);
        sign(&ticket, &self.key)
    }

    fn ticket(&self) -> String {
        self.ticket_of(|_| {})
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let url = Url::parse(&format!("http://{}{path}", self.address)).unwrap();
        let mut request = Request::get();
        for (name, value) in headers {
            request = request.header(
                common::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                common::http::HeaderValue::from_str(value).unwrap(),
            );
        }
        send(&url, &request, &Options { max_body: 64 << 20, ..Options::default() }).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[("authorization", &format!("Bearer {}", self.ticket()))]).await
    }

    async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.said());
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    async fn watch_with(&self, query: &str, headers: &[(&str, &str)]) -> Result<Watcher, WsError> {
        let url = format!("ws://{}/v1/logs/one/stream?{query}", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (socket, _) = client_async(request, socket).await?;
        Ok(Watcher { socket })
    }

    /// As a browser does.
    async fn watch(&self, query: &str) -> Watcher {
        let protocols = format!("{PROTOCOL}, {PROTOCOL_TICKET}{}", self.ticket());
        self.watch_with(query, &[("sec-websocket-protocol", &protocols)]).await.unwrap()
    }
}

struct Watcher {
    socket: WebSocketStream<TcpStream>,
}

impl Watcher {
    /// The next frame; None at the end.
    async fn frame(&mut self) -> Option<Told> {
        loop {
            match timeout(DEADLINE, self.socket.next()).await.expect("a frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    /// Lines until one is this.
    async fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut all = Vec::new();
        while all.last().is_none_or(|line| line != last) {
            let told = self.frame().await.unwrap_or_else(|| panic!("it ended: {all:?}"));
            if let Frame::Lines { lines, .. } = told.frame {
                all.extend(lines);
            }
        }
        all
    }

    /// Why it ends.
    async fn end(&mut self) -> Option<String> {
        while let Some(told) = self.frame().await {
            if let Frame::End { why, .. } = told.frame {
                return Some(why);
            }
        }
        None
    }
}

/// The status with which an upgrade was refused, and the code.
fn refused(result: Result<Watcher, WsError>) -> (u16, String) {
    match result {
        Err(WsError::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            (response.status().as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => (101, String::new()),
    }
}

fn code(answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

/// Waits until something is so.
async fn eventually(what: &str, is: impl Fn() -> bool) {
    let waited = timeout(DEADLINE, async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{what}: not in time"));
}
