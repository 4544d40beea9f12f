//! Events, one line each. Pure.

use super::instances::{exit, state};
use super::{Ink, Paint, nodes, words};
use common::api_types::{AppSpec, Effect, Entity, Event, EventType, Instance, LOST, LogGap, Node};
use common::container::Health;
use dadvisor::top::human;
use serde::Deserialize as _;

/// Time, type, what it is about, what came of it, who did it. Without a newline.
pub fn line(event: &Event, paint: Paint) -> String {
    let (about, what, ink) = told(event);
    // as wide as the longest type, so that what follows is aligned from line to line
    let kind = format!("{:<16}", event.kind.name());
    let mut out = format!(
        "{}  {}  {}",
        paint.ink(&words::clock(event.time), Ink::Dim),
        paint.ink(&kind, ink),
        paint.ink(&about, Ink::Plain)
    );
    if !what.is_empty() {
        out.push_str(&format!("  {}", paint.ink(&what, ink)));
    }
    let by = match event.cause.as_str() {
        "" => format!("({})", event.actor),
        cause => format!("({}: {cause})", event.actor),
    };
    format!("{out}  {}", paint.ink(&by, Ink::Dim))
}

/// What an event is about, what came of it, and how that is to be taken.
fn told(event: &Event) -> (String, String, Ink) {
    let effect = event.effect();
    match (event.kind, &effect) {
        (_, Some(Effect::Put(Entity::Instance(i)))) => changed(event.kind, i),
        (_, Some(Effect::Forget(Entity::Instance(i)))) => gone(i),
        (_, Some(Effect::Put(Entity::App(app)))) => (app.id.to_string(), wanted(app), Ink::Plain),
        (_, Some(Effect::Forget(Entity::App(app)))) => {
            (app.id.to_string(), "deleted".into(), Ink::Care)
        }
        (_, Some(Effect::Forget(Entity::Node(node)))) => {
            (node.name.to_string(), "deleted".into(), Ink::Care)
        }
        (_, Some(Effect::Put(Entity::Node(node)))) => {
            (node.name.to_string(), agents(node), calm(node))
        }
        (EventType::OomKilled, _) => {
            (noted(event), "a process was killed for want of memory".into(), Ink::Bad)
        }
        (EventType::LogGap, _) => (noted(event), lost(event), Ink::Bad),
        _ => (event.subject.clone(), String::new(), Ink::Plain),
    }
}

/// The instance that a note is about.
fn noted(event: &Event) -> String {
    serde_json::from_value::<Instance>(event.payload.clone())
        .map_or_else(|_| event.subject.clone(), |i| named(&i))
}

/// What of an instance's logs nobody will ever ship.
fn lost(event: &Event) -> String {
    let Some(Ok(gap)) = event.payload.get(LOST).map(LogGap::deserialize) else {
        return "lines of its logs are lost".into();
    };
    let reasons: Vec<_> = gap.reasons.keys().map(String::as_str).collect();
    let (bytes, reasons) = (human::bytes(gap.bytes as f64), reasons.join(", "));
    let more =
        if gap.gaps > 1 { format!(" in {} gaps, the last", gap.gaps) } else { String::new() };
    let file = if gap.account.file.is_empty() { "its logs" } else { &gap.account.file };
    format!("{bytes} bytes lost{more} in {file} ({reasons})")
}

fn named(instance: &Instance) -> String {
    format!("{} {}", instance.app, instance.id)
}

fn on(instance: &Instance) -> String {
    instance.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"))
}

fn changed(kind: EventType, instance: &Instance) -> (String, String, Ink) {
    let (word, ink) = state(instance.state, instance.health);
    if kind == EventType::HealthChanged {
        let word = match instance.health {
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
            Health::Unknown => "health unknown",
        };
        return (named(instance), format!("{word}{}", on(instance)), ink);
    }
    let again = match instance.restarts {
        0 => String::new(),
        n => format!(", {}", words::count(usize::try_from(n).unwrap_or(usize::MAX), "restart")),
    };
    // how the run before ended is what a restart is about
    let before = match &instance.exit {
        Some(end) if instance.restarts > 0 => format!(", last exit {}", exit(end)),
        _ => String::new(),
    };
    (named(instance), format!("{word}{}{again}{before}", on(instance)), ink)
}

fn gone(instance: &Instance) -> (String, String, Ink) {
    let end = instance.exit.as_ref().map(exit).filter(|text| !text.is_empty());
    let bad = instance.exit.as_ref().is_some_and(|e| e.oom || e.code.is_some_and(|c| c != 0));
    let how = end.map_or_else(String::new, |end| format!(", exit {end}"));
    (
        named(instance),
        format!("ended{}{how}", on(instance)),
        if bad { Ink::Bad } else { Ink::Plain },
    )
}

fn wanted(app: &AppSpec) -> String {
    let one = |w: &common::api_types::Wanted| match w.wanted {
        Some(n) => format!("{}/{} wants {n}", w.dc, w.cluster),
        None => format!("in {}/{}", w.dc, w.cluster),
    };
    app.dcs.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn agents(node: &Node) -> String {
    let one = |a: &common::api_types::Agent| {
        let note = if a.note.is_empty() { String::new() } else { format!(" ({})", a.note) };
        format!("{} {} {}{note}", a.name, a.version, nodes::state(a).0)
    };
    node.agents.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn calm(node: &Node) -> Ink {
    if node.agents.iter().any(|a| a.silent) { Ink::Bad } else { Ink::Plain }
}

#[cfg(test)]
mod tests;
