//! `qae events`: the timeline, and its continuation as it happens.
//!
//! Following never leaves a silent gap: it goes on from the last event seen after every break, and says so when the centre has let go
//! of events in between (410), together with where it goes on.

mod filter;
mod following;

use super::{note, paint, print, print_json, typed};
use crate::args;
use crate::client::query::Query;
use crate::client::{Client, document};
use crate::error::Error;
use crate::render::events::line;
use common::api_types::Event;
use common::backoff::{Backoff, random};
use common::center::sse::Parser;
use filter::Filter;
use following::{Following, LARGEST, Step};
use serde_json::Value;
use std::time::Duration;

const EVENTS: &str = "/v1/events";
/// Events shown unless asked otherwise.
const BACK: usize = 50;
/// Likewise before those that are followed.
const FOLLOW_BACK: usize = 10;
/// Likewise where a beginning was named.
const SINCE_BACK: usize = 100_000;
/// Two heartbeats missed, and a little: the stream is dead, whatever the connection says.
const SILENCE: Duration = Duration::from_secs(35);

pub async fn run(client: &mut Client, asked: &args::Events) -> Result<(), Error> {
    let filter = Filter::of(asked).map_err(Error::Usage)?;
    let back = match (asked.limit, &asked.since) {
        (Some(limit), _) => limit,
        (None, Some(_)) => SINCE_BACK,
        (None, None) if asked.follow => FOLLOW_BACK,
        (None, None) => BACK,
    };
    if !asked.follow {
        let items = client.all(EVENTS, &filter.query(), back).await?;
        return if asked.json { print_json(&document(items)) } else { show(client, items) };
    }
    // the place to follow from comes first, so that nothing happens between the list and the stream
    let newest = client.all(EVENTS, &Query::new(), 1).await?;
    let head: Vec<Event> = typed(client, EVENTS, &newest)?;
    let head = head.first().map(Event::cursor);
    if let Some(head) = &head {
        let mut items =
            if back == 0 { Vec::new() } else { client.all(EVENTS, &filter.query(), back).await? };
        // newer ones come by the stream
        items.retain(|e| e.get("seq").and_then(Value::as_u64).is_none_or(|seq| seq <= head.seq));
        items.reverse();
        for item in items {
            show_one(client, &item, asked.json)?;
        }
    }
    follow(client, Following::new(filter, head), asked.json).await
}

/// Oldest first: the newest stands where a person looks.
fn show(client: &Client, mut items: Vec<Value>) -> Result<(), Error> {
    items.reverse();
    let list: Vec<Event> = typed(client, EVENTS, &items)?;
    if list.is_empty() {
        note("no such events");
        return Ok(());
    }
    let paint = paint();
    print(&list.iter().map(|event| line(event, paint) + "\n").collect::<String>())
}

fn show_one(client: &Client, item: &Value, as_json: bool) -> Result<(), Error> {
    if as_json {
        return print_json(item);
    }
    let list: Vec<Event> = typed(client, EVENTS, std::slice::from_ref(item))?;
    list.iter().try_for_each(|event| print(&format!("{}\n", line(event, paint()))))
}

/// Until Ctrl-C, or until the centre refuses.
async fn follow(client: &mut Client, mut following: Following, as_json: bool) -> Result<(), Error> {
    let mut backoff = Backoff::default();
    let mut away = false;
    let mut connected_once = false;
    loop {
        let broken = match client.open(&following.path(), "text/event-stream").await {
            Ok(stream) => {
                if away {
                    note("the centre is back");
                }
                (away, connected_once) = (false, true);
                backoff.worked();
                read(client, stream, &mut following, as_json).await?
            }
            Err(Error::Refused { status: 410, detail, .. }) => {
                let cursor = snapshot_cursor(client).await?;
                note(&format!("events are missing here: {detail}; going on from {cursor}"));
                following.go_on_from(cursor);
                continue;
            }
            // what the centre refuses it will refuse again; an address where nobody ever answered is probably wrong
            Err(error @ Error::Refused { status: 400..=499, .. }) => return Err(error),
            Err(error) if !connected_once => return Err(error),
            Err(error) => error.to_string(),
        };
        if !away {
            note(&format!("{broken}; going on as soon as the centre answers"));
            away = true;
        }
        let pause = backoff.failed(random()).max(following.retry());
        tokio::time::sleep(pause).await;
    }
}

/// Reads the stream to its end; why it ended.
async fn read(
    client: &Client,
    mut stream: common::http::Streaming,
    following: &mut Following,
    as_json: bool,
) -> Result<String, Error> {
    let mut parser = Parser::new(LARGEST);
    loop {
        let piece = match stream.chunk_within(SILENCE).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok("the stream ended".to_owned()),
            Err(error) => return Ok(error.to_string()),
        };
        parser.push(&piece);
        while let Some(item) = parser.next() {
            match following.take(&item) {
                Step::Show(shown) if as_json => print_json(&shown.1)?,
                Step::Show(shown) => print(&format!("{}\n", line(&shown.0, paint())))?,
                Step::Nothing => {}
                Step::Closed(why) => return Ok(why),
                Step::Foreign(why) => return Err(client.foreign(EVENTS, &why)),
            }
        }
    }
}

/// Where the present state is.
async fn snapshot_cursor(client: &mut Client) -> Result<String, Error> {
    const SNAPSHOT: &str = "/v1/snapshot?topics=apps";
    let answer = client.ask(common::http::Method::GET, SNAPSHOT, None).await?;
    let cursor = answer.header("qae-cursor").map(str::to_owned);
    let in_body = || {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        body.get("cursor")?.as_str().map(str::to_owned)
    };
    cursor.or_else(in_body).ok_or_else(|| client.foreign(SNAPSHOT, "no `cursor`"))
}
