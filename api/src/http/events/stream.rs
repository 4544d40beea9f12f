//! The bus as Server-Sent Events: the bus's frames, until the reader goes, is too slow, may not read any more, or the daemon ends. The
//! server never ends a stream without saying why: `event: closed`.

use super::super::problem::Refused;
use super::super::state::Api;
use super::super::topics::scope;
use super::EventsQuery;
use crate::access::Caller;
use crate::bus::{Frame, Gone, closed};
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use common::ids::Cursor;
use futures_util::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// What an `EventSource` sends when it comes back.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// nginx and its like hold answers back unless told otherwise.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The stream that is asked for.
pub async fn stream(
    api: &Api,
    caller: Caller,
    asked: &EventsQuery,
    headers: &HeaderMap,
) -> Result<Response, Refused> {
    let scope = scope(&caller, asked.topics.as_deref())?;
    let after = after(asked.after.as_deref(), headers)?.unwrap_or_else(|| api.centre.head());
    let frames = api.bus.subscribe(scope, after).await.map_err(|gone| refused(&gone))?;
    let (ended, closing) = (api.access.ended(&caller), api.closing.clone());
    let last = async move {
        tokio::select! {
            ended = ended => closed(ended.code(), ended.detail()),
            () = closing.cancelled() => {
                closed("shutdown", "this qae-api is ending; come back, and go on after your last id")
            }
        }
    };
    let frames = Frames { frames: Box::pin(frames), last: Some(Box::pin(last)) };
    let mut response = Response::new(Body::from_stream(frames));
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    head.insert(UNBUFFERED, HeaderValue::from_static("no"));
    Ok(response)
}

/// Where to go on: what the reader saw last, else what it asks for, else from now.
fn after(asked: Option<&str>, headers: &HeaderMap) -> Result<Option<Cursor>, Refused> {
    let seen = headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty());
    let text = match seen {
        Some(id) => id.to_str().unwrap_or(""),
        None => match asked {
            Some(text) => text,
            None => return Ok(None),
        },
    };
    let wrong = || {
        Refused::new(
            StatusCode::BAD_REQUEST,
            "bad_cursor",
            "not a cursor; it looks like 9f3c2a7d51e04b86:4711",
        )
    };
    Cursor::parse(text).map(Some).ok_or_else(wrong)
}

fn refused(gone: &Gone) -> Refused {
    Refused::new(StatusCode::GONE, gone.code(), gone.to_string())
}

/// `frames`; as soon as `last` is there, that and the end.
struct Frames<S> {
    frames: Pin<Box<S>>,
    last: Option<Pin<Box<dyn Future<Output = Frame> + Send>>>,
}

impl<S: Stream<Item = Frame>> Stream for Frames<S> {
    type Item = Result<Frame, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(last) = &mut self.last else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = last.as_mut().poll(cx) {
            self.last = None;
            return Poll::Ready(Some(Ok(frame)));
        }
        let next = self.frames.as_mut().poll_next(cx);
        if matches!(next, Poll::Ready(None)) {
            self.last = None;
        }
        next.map(|frame| frame.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};

    async fn all(
        frames: impl Stream<Item = Frame>,
        last: impl Future<Output = Frame> + Send + 'static,
    ) -> Vec<Frame> {
        let frames = Frames { frames: Box::pin(frames), last: Some(Box::pin(last)) };
        frames.map(|f| f.unwrap_or_default()).collect().await
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_source_or_with_the_last_word() {
        let (a, z) = (Frame::from_static(b"a"), closed("shutdown", "x"));
        assert_eq!(all(stream::iter([a.clone()]), std::future::pending()).await, vec![a.clone()]);
        assert_eq!(all(stream::repeat(a), std::future::ready(z.clone())).await, vec![z]);
    }

    #[test]
    fn what_the_reader_saw_comes_before_what_it_asked() {
        let mut headers = HeaderMap::new();
        assert_eq!(after(None, &headers).unwrap(), None);
        assert_eq!(after(Some("e:1"), &headers).unwrap().unwrap().seq, 1);
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("e:2"));
        assert_eq!(after(Some("e:1"), &headers).unwrap().unwrap().seq, 2);
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(""));
        assert_eq!(after(Some("e:1"), &headers).unwrap().unwrap().seq, 1);
        assert_eq!(after(Some("e"), &headers).unwrap_err().code(), "bad_cursor");
    }
}
