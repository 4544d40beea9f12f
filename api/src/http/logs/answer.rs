//! The three ways a stream is answered: WebSocket, a frame a line, text.

use super::super::problem::Refused;
use super::super::state::Api;
use crate::relay::{Piece, Stream, text::text};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, UPGRADE};
use axum::http::request::Parts;
use axum::response::Response;
use common::api_types::live::{Ask, Frame, PROTOCOL};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Between two pings, and how long a viewer may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENT: Duration = Duration::from_secs(60);
/// Largest frame of a viewer, and how many it may send at once; one more each second.
const ASK: usize = 48 << 10;
const ASKS: u32 = 20;
/// For the good-bye.
const GOODBYE: Duration = Duration::from_secs(2);

/// How the answer is wanted.
pub enum Way {
    /// WebSocket.
    Socket(WebSocketUpgrade),
    /// A frame a line.
    Ndjson,
    /// For terminals.
    Text,
}

impl FromRequestParts<Arc<Api>> for Way {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Refused> {
        if parts.headers.contains_key(UPGRADE) {
            let upgrade = WebSocketUpgrade::from_request_parts(parts, api).await;
            return upgrade
                .map(Self::Socket)
                .map_err(|e| Refused::new(StatusCode::BAD_REQUEST, "bad_request", e.body_text()));
        }
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let frames = accept.is_some_and(|accept| accept.contains("application/x-ndjson"));
        Ok(if frames { Self::Ndjson } else { Self::Text })
    }
}

impl Way {
    /// Whether it is a WebSocket.
    pub fn is_socket(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// The stream as an answer.
    pub fn answer(self, stream: Stream, raw: bool) -> Response {
        match self {
            Self::Socket(upgrade) => upgrade
                .protocols([PROTOCOL])
                .max_message_size(ASK)
                .max_frame_size(ASK)
                .on_upgrade(move |socket| talk(socket, stream)),
            Self::Ndjson => {
                let line = |piece: &Piece| format!("{}\n", piece.text);
                super::body(pieces(stream, line), "application/x-ndjson")
            }
            Self::Text => {
                let plain = move |piece: &Piece| text(&piece.text, raw);
                super::body(pieces(stream, plain), "text/plain; charset=utf-8")
            }
        }
    }
}

fn pieces(stream: Stream, form: impl Fn(&Piece) -> String + Send + 'static) -> Body {
    Body::from_stream(futures_util::stream::unfold((stream, form), |(mut stream, form)| async {
        loop {
            let piece = stream.next().await?;
            let text = form(&piece);
            if !text.is_empty() {
                return Some((Ok::<_, Infallible>(text), (stream, form)));
            }
        }
    }))
}

/// Until the stream or the viewer ends.
async fn talk(mut socket: WebSocket, mut stream: Stream) {
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut asks = Asks { left: ASKS, since: Instant::now() };
    let goodbye = loop {
        tokio::select! {
            piece = stream.next() => {
                let Some(piece) = piece else { break "" };
                if socket.send(Message::text(piece.text.as_str())).await.is_err() {
                    return;
                }
            }
            said = socket.recv() => {
                let Some(Ok(message)) = said else { return };
                heard = Instant::now();
                let text = match message {
                    Message::Text(text) => text,
                    Message::Binary(_) => break "text frames only",
                    Message::Close(_) => return,
                    Message::Ping(_) | Message::Pong(_) => continue,
                };
                if !asks.one_more() {
                    break "too many frames at once";
                }
                let answer = match serde_json::from_str::<Ask>(&text) {
                    Ok(ask) => stream.hear(ask),
                    Err(e) => Some(Frame::Refused { code: "bad_frame".to_owned(), detail: e.to_string() }),
                };
                if let Some(frame) = answer {
                    if socket.send(Message::text(Piece::of(frame).text)).await.is_err() {
                        return;
                    }
                }
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENT || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
            }
        }
    };
    let code = if goodbye.is_empty() { close_code::NORMAL } else { close_code::POLICY };
    let frame = CloseFrame { code, reason: goodbye.into() };
    // whoever is gone already needs no good-bye
    drop(timeout(GOODBYE, socket.send(Message::Close(Some(frame)))).await);
}

/// How much a viewer may still say.
struct Asks {
    left: u32,
    since: Instant,
}

impl Asks {
    fn one_more(&mut self) -> bool {
        let passed = u32::try_from(self.since.elapsed().as_secs()).unwrap_or(u32::MAX);
        if passed > 0 {
            self.left = self.left.saturating_add(passed).min(ASKS);
            self.since = Instant::now();
        }
        self.left = self.left.saturating_sub(1);
        self.left > 0
    }
}
