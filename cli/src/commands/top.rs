//! `qae top`: CPU and memory of instances, live or once.

use super::{paint, print, print_json, typed};
use crate::args::{self, Sort};
use crate::client::Client;
use crate::client::query::Query;
use crate::error::Error;
use crate::render::top::{METRICS, Metrics, Row, order, rows, summary, table};
use crate::render::{Ink, Paint};
use common::api_types::Instance;
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use dadvisor::top::render::{Line, Tone};
use dadvisor::top::screen::{self, Screen};
use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const INSTANCES: &str = "/v1/instances";
/// From one look to the next.
const LOOK: Duration = Duration::from_secs(2);
/// Apps asked for at a time.
const AT_ONCE: usize = 8;
/// How old a figure may be: longer than a step of Graphite's and its delay.
const AGE: &str = "-5m";
const HELP: &str = "q quit  c cpu  m memory  a name  arrows scroll";

pub async fn run(client: &mut Client, asked: &args::Top) -> Result<(), Error> {
    if asked.json {
        let of = instances(client, asked.app.as_deref()).await?;
        return print_json(&figures(client, &of).await?);
    }
    if asked.once || !io::stdout().is_terminal() {
        let seen = Seen::look(client, asked.app.as_deref()).await?;
        let mut rows = seen.rows;
        order(&mut rows, asked.sort);
        let head = common::printable::printable(&seen.summary).into_owned();
        return print(&format!("{head}\n\n{}", table(&rows, paint())));
    }
    // what does not answer at the start is an error; later it is shown
    let seen = Seen::look(client, asked.app.as_deref()).await?;
    live(client, asked, seen).await
}

async fn instances(client: &mut Client, app: Option<&str>) -> Result<Vec<Instance>, Error> {
    let items = client.all(INSTANCES, &Query::new().maybe("app", app), usize::MAX).await?;
    typed(client, INSTANCES, &items)
}

/// The series of all their apps, as one answer.
async fn figures(client: &Client, of: &[Instance]) -> Result<Value, Error> {
    let apps: BTreeSet<&str> = of.iter().map(|i| i.app.as_str()).collect();
    let ask = |app: &str| {
        let query =
            Query::new().with("app", app).with("metric", &METRICS.join(",")).with("since", AGE);
        let (app, path) = (app.to_owned(), format!("/v1/metrics{query}"));
        async move { (app, client.fetch(&path).await) }
    };
    let mut answers = stream::iter(apps).map(ask).buffer_unordered(AT_ONCE);
    let (mut series, mut missing, mut source) = (Vec::new(), Vec::new(), Value::Null);
    while let Some((app, answer)) = answers.next().await {
        let mut answer = match answer {
            Ok(answer) => answer,
            // mostly an app that went between the two questions
            Err(Error::Refused { status: 404, detail, .. }) => {
                missing.push(json!({ "instance": app, "why": detail }));
                continue;
            }
            Err(error) => return Err(error),
        };
        let mut take = |key: &str, into: &mut Vec<Value>| {
            if let Some(found) = answer.get_mut(key).and_then(Value::as_array_mut) {
                into.append(found);
            }
        };
        take("series", &mut series);
        take("missing", &mut missing);
        source = answer["source"].take();
    }
    Ok(json!({ "source": source, "series": series, "missing": missing }))
}

/// What was last seen.
struct Seen {
    rows: Vec<Row>,
    summary: String,
}

impl Seen {
    async fn look(client: &mut Client, app: Option<&str>) -> Result<Self, Error> {
        let of = instances(client, app).await?;
        let answer = figures(client, &of).await?;
        let metrics = Metrics::deserialize(&answer);
        let metrics = metrics.map_err(|e| client.foreign("/v1/metrics", &e.to_string()))?;
        let rows = rows(&of, &metrics);
        Ok(Self { summary: summary(&rows, &metrics), rows })
    }
}

async fn live(client: &mut Client, asked: &args::Top, mut seen: Seen) -> Result<(), Error> {
    let screen = Screen::take().map_err(Error::file("draw on", "the terminal"))?;
    let mut events = screen::events();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut view, mut trouble) = (View { sort: asked.sort, offset: 0 }, None);
    loop {
        let (width, height) = screen.size();
        let lines = picture(&mut seen, &mut view, trouble.as_deref(), width, height);
        screen.draw(&lines).map_err(Error::file("draw on", "the terminal"))?;
        tokio::select! {
            _ = looks.tick() => match Seen::look(client, asked.app.as_deref()).await {
                Ok(fresh) => (seen, trouble) = (fresh, None),
                Err(error) => trouble = Some(error.to_string().replace('\n', "; ")),
            },
            event = events.recv() => match event {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if view.press(key.code, key.modifiers, height) {
                        return Ok(());
                    }
                }
                Some(_) => {}
                None => return Err(Error::Missing("the terminal is gone".to_owned())),
            },
        }
    }
}

/// What the person looks at.
#[derive(Debug, PartialEq)]
struct View {
    sort: Sort,
    offset: usize,
}

impl View {
    /// Takes a key; true ends the view.
    fn press(&mut self, code: KeyCode, with: KeyModifiers, page: usize) -> bool {
        match code {
            KeyCode::Char('q') => return true,
            KeyCode::Char('c') if with.contains(KeyModifiers::CONTROL) => return true,
            KeyCode::Char('c') => self.sort = Sort::Cpu,
            KeyCode::Char('m') => self.sort = Sort::Memory,
            KeyCode::Char('a') => self.sort = Sort::Name,
            KeyCode::Up => self.offset = self.offset.saturating_sub(1),
            KeyCode::Down => self.offset = self.offset.saturating_add(1),
            KeyCode::PageUp => self.offset = self.offset.saturating_sub(page),
            KeyCode::PageDown => self.offset = self.offset.saturating_add(page),
            KeyCode::Home => self.offset = 0,
            _ => {}
        }
        false
    }
}

/// A whole screen: the summary, a blank, the table, the bottom line.
fn picture(
    seen: &mut Seen,
    view: &mut View,
    trouble: Option<&str>,
    width: usize,
    height: usize,
) -> Vec<Line> {
    let safe = |text: &str| common::printable::printable(text).into_owned();
    order(&mut seen.rows, view.sort);
    let page = height.saturating_sub(4);
    view.offset = view.offset.min(seen.rows.len().saturating_sub(page));
    let shown = &seen.rows[view.offset..seen.rows.len().min(view.offset + page)];
    let mut lines = vec![
        Line::new(&safe(&seen.summary), width, Tone::Plain),
        Line::new("", width, Tone::Plain),
    ];
    let tones = std::iter::once(Tone::Heading)
        .chain(shown.iter().map(|row| if row.ink == Ink::Bad { Tone::Alarm } else { Tone::Plain }));
    let text = table(shown, Paint(false));
    lines.extend(text.lines().zip(tones).map(|(line, tone)| Line::new(line, width, tone)));
    lines.resize(height.saturating_sub(1), Line::new("", width, Tone::Plain));
    lines.push(match trouble {
        Some(why) => Line::new(&safe(why), width, Tone::Alarm),
        None => Line::new(HELP, width, Tone::Dim),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(n: usize) -> Seen {
        let row =
            |i: usize| Row { app: format!("app{i}"), instance: "a\u{1b}".into(), ..Row::default() };
        Seen { rows: (0..n).map(row).collect(), summary: "all\u{1b}".into() }
    }

    #[test]
    fn a_picture_fills_the_screen_and_nothing_acts() {
        for (n, height) in [(0, 24), (3, 10), (100, 10), (5, 1), (5, 0)] {
            let mut view = View { sort: Sort::Name, offset: 50 };
            let lines = picture(&mut seen(n), &mut view, Some("no\u{1b} answer"), 30, height);
            assert_eq!(lines.len(), height.max(1), "{n} {height}");
            assert!(lines.iter().all(|l| !l.text.contains(common::printable::acts)));
            assert!(view.offset <= n);
        }
    }

    #[test]
    fn keys() {
        let mut view = View { sort: Sort::Cpu, offset: 0 };
        let press = |view: &mut View, code| view.press(code, KeyModifiers::NONE, 10);
        assert!(!press(&mut view, KeyCode::Char('m')) && !press(&mut view, KeyCode::PageDown));
        assert_eq!(view, View { sort: Sort::Memory, offset: 10 });
        assert!(press(&mut view, KeyCode::Char('q')));
        assert!(view.press(KeyCode::Char('c'), KeyModifiers::CONTROL, 1));
    }
}
