//! `dadvisor top`: the containers of a running dadvisor, one line each, live or once.
//!
//! It asks over HTTP, in the same process too: the node every second, the containers only when there was a new tick.

pub mod client;
pub mod header;
pub mod human;
pub mod keys;
pub mod render;
pub mod row;
pub mod screen;

use crate::args;
use crate::config::Config;
use crate::http::view::NodeView;
use client::{Client, Error};
use crossterm::event::Event;
use keys::{HELP, Pressed, View};
use render::{Line, Tone, cut};
use row::Row;
use screen::Screen;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// From one look to the next.
const LOOK: Duration = Duration::from_secs(1);
/// Width of the table where there is no terminal to cut it for.
const UNCUT: usize = 10_000;

/// As the command line asks.
pub async fn run(
    config: &Config,
    asked: &args::Top,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let client = Client::new(asked.url.as_deref(), config)?;
    if asked.json {
        let items = client.everything().await?;
        return printed(&format!("{}\n", serde_json::json!({ "items": items })));
    }
    if asked.once || !io::stdout().is_terminal() {
        return once(&client, asked).await;
    }
    let view = View { sort: asked.sort, ..View::default() };
    // an address where nobody answers is an error; one that stops answering later is shown
    client.node().await?;
    live(client, view, stop).await
}

async fn once(client: &Client, asked: &args::Top) -> anyhow::Result<()> {
    let node = client.node().await?;
    let mut rows: Vec<_> = client.lines().await?.iter().map(Row::of).collect();
    row::order(&mut rows, asked.sort, false);
    let terminal = io::stdout().is_terminal().then(crossterm::terminal::size);
    let width = terminal.and_then(Result::ok).map_or(UNCUT, |(columns, _)| usize::from(columns));
    let mut lines = header::header(&node, rows.len(), SystemTime::now(), width);
    lines.push(Line::new("", width, Tone::Plain));
    lines.extend(render::table(&rows, width, rows.len(), 0));
    printed(&lines.into_iter().map(|line| line.text + "\n").collect::<String>())
}

/// A reader that closed the pipe early (`| head`) has what it wanted.
fn printed(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// What was last heard.
#[derive(Debug, Default)]
struct Heard {
    node: Option<NodeView>,
    rows: Vec<Row>,
    trouble: Option<String>,
}

impl Heard {
    /// Looks again; the containers only if there was a new tick.
    async fn look(&mut self, client: &Client) {
        let fresh = async {
            let node = client.node().await?;
            let before = self.node.as_ref().map(|n| (&n.timestamp, n.pass.passes));
            if before != Some((&node.timestamp, node.pass.passes)) {
                self.rows = client.lines().await?.iter().map(Row::of).collect();
            }
            self.node = Some(node);
            Ok::<_, Error>(())
        };
        self.trouble = fresh.await.err().map(|e| e.to_string().replace('\n', "; "));
    }
}

/// The live view, until `q`, Ctrl-C or the stop.
pub async fn live(client: Client, mut view: View, stop: CancellationToken) -> anyhow::Result<()> {
    let screen = Screen::take()?;
    let mut events = screen::events();
    let mut heard = Heard::default();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (width, height) = screen.size();
        let picture = picture(&heard, &mut view, width, height, SystemTime::now());
        screen.draw(&picture.lines)?;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = looks.tick() => heard.look(&client).await,
            event = events.recv() => match event {
                Some(Event::Key(key)) => {
                    if view.press(key, picture.matching, picture.page) == Pressed::Quit {
                        return Ok(());
                    }
                }
                Some(_) => {}
                None => anyhow::bail!("the terminal is gone"),
            },
        }
    }
}

/// A whole screen.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    lines: Vec<Line>,
    /// Lines of the table that there are.
    matching: usize,
    /// And that fit.
    page: usize,
}

fn picture(
    heard: &Heard,
    view: &mut View,
    width: usize,
    height: usize,
    now: SystemTime,
) -> Picture {
    let mut rows: Vec<_> =
        heard.rows.iter().filter(|row| row.matches(&view.filter)).cloned().collect();
    row::order(&mut rows, view.sort, view.reverse);
    let mut lines = heard.node.as_ref().map_or_else(
        || vec![Line::new("asking dadvisor ...", width, Tone::Dim)],
        |node| header::header(node, heard.rows.len(), now, width),
    );
    lines.push(Line::new("", width, Tone::Plain));
    // the heading and the bottom line
    let page = height.saturating_sub(lines.len() + 2);
    view.keep_within(rows.len(), page);
    lines.extend(render::table(&rows, width, page, view.offset));
    lines.truncate(height.saturating_sub(1));
    lines.resize(height.saturating_sub(1), Line::new("", width, Tone::Plain));
    lines.push(bottom(heard, view, rows.len(), width));
    Picture { lines, matching: rows.len(), page }
}

fn bottom(heard: &Heard, view: &View, matching: usize, width: usize) -> Line {
    if view.typing {
        return Line::new(
            &format!("filter: {}_  (Enter keeps it, Esc clears it)", view.filter),
            width,
            Tone::Plain,
        );
    }
    if let Some(trouble) = &heard.trouble {
        return Line::new(trouble, width, Tone::Alarm);
    }
    if view.filter.is_empty() {
        return Line::new(HELP, width, Tone::Dim);
    }
    let shown =
        format!("{matching} of {} match \"{}\", Esc clears  ", heard.rows.len(), view.filter);
    Line::new(&cut(&(shown + HELP), width), width, Tone::Dim)
}

#[cfg(test)]
mod tests;
