//! Tokens, tickets, the audit log. Pure. The shapes are read leniently: a centre of another version may say more.

use super::{Cell, Ink, Paint, Table, words};
use common::moment::Moment;
use serde::Deserialize;

/// A token without its secret.
#[derive(Debug, Clone, Deserialize)]
pub struct Token {
    /// Unique.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// Globs of the apps it may see.
    #[serde(default)]
    pub apps: Vec<String>,
    /// The node whose agents hold it.
    #[serde(default)]
    pub node: Option<String>,
    /// Topics it may read; None: any.
    #[serde(default)]
    pub topics: Option<Vec<String>>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Moment>,
    /// When it ends; None: never.
    #[serde(default)]
    pub expires: Option<Moment>,
    /// When it was last used, give or take.
    #[serde(default)]
    pub last_used: Option<Moment>,
}

/// One line per token.
pub fn tokens(tokens: &[Token], now: Moment, paint: Paint) -> String {
    let mut table = Table::new(["NAME", "ROLE", "APPS", "NODE", "AGE", "USED", "EXPIRES"]);
    for t in tokens {
        table.line([
            Cell::new(&t.name),
            Cell::new(&t.role).ink(if t.role == "admin" { Ink::Care } else { Ink::Plain }),
            Cell::new(t.apps.join(" ")),
            Cell::maybe(t.node.as_deref()),
            Cell::figure(words::maybe_ago(t.created, now)),
            Cell::figure(words::maybe_ago(t.last_used, now)),
            expires(t.expires, now),
        ]);
    }
    table.print(paint)
}

/// One token, a line per fact.
pub fn token(token: &Token, now: Moment, paint: Paint) -> String {
    let topics = token.topics.as_ref().map_or_else(|| "any".to_owned(), |t| t.join(" "));
    let time = |at: Option<Moment>, none: &str| at.map_or_else(|| none.to_owned(), words::clock);
    let facts = [
        ("name", token.name.clone()),
        ("role", token.role.clone()),
        ("apps", token.apps.join(" ")),
        ("node", token.node.clone().unwrap_or_default()),
        ("topics", topics),
        ("created", time(token.created, "")),
        (
            "expires",
            match token.expires {
                Some(end) if end <= now => format!("{} (over)", words::clock(end)),
                end => time(end, "never"),
            },
        ),
        ("used", time(token.last_used, "never")),
    ];
    let shown = facts.iter().filter(|(_, value)| !value.is_empty());
    shown.map(|(name, value)| format!("{name:<9}{}\n", paint.ink(value, Ink::Plain))).collect()
}

fn expires(at: Option<Moment>, now: Moment) -> Cell {
    match at {
        None => Cell::new("never"),
        Some(at) if at <= now => Cell::new("over").ink(Ink::Bad),
        Some(at) => Cell::new(format!("in {}", words::ago(now, at))),
    }
}

/// One row of the audit log.
#[derive(Debug, Clone, Deserialize)]
pub struct Change {
    /// When.
    pub time: Moment,
    /// Who.
    pub actor: String,
    /// Did what.
    pub action: String,
    /// With what.
    #[serde(default)]
    pub subject: String,
    /// Why.
    #[serde(default)]
    pub cause: String,
    /// From where.
    #[serde(default)]
    pub address: Option<String>,
}

/// One line per change.
pub fn audit(changes: &[Change], paint: Paint) -> String {
    let mut table = Table::new(["TIME", "ACTOR", "ACTION", "SUBJECT", "FROM", "CAUSE"]);
    for c in changes {
        table.line([
            Cell::new(words::clock(c.time)).ink(Ink::Dim),
            Cell::new(&c.actor),
            Cell::new(&c.action),
            Cell::new(&c.subject),
            Cell::maybe(c.address.as_deref()),
            Cell::new(&c.cause),
        ]);
    }
    table.print(paint)
}

/// What a ticket opens.
#[derive(Debug, Clone, Deserialize)]
pub struct Ticket {
    /// The ticket itself.
    pub ticket: String,
    /// When it ends.
    pub expires: Moment,
    /// The instances, each with its way in.
    #[serde(default)]
    pub instances: Vec<Door>,
}

/// The way into one instance's logs.
#[derive(Debug, Clone, Deserialize)]
pub struct Door {
    /// The instance's id.
    pub instance: String,
    /// Its key.
    #[serde(default)]
    pub key: String,
    /// Where it runs.
    #[serde(default)]
    pub node: Option<String>,
    /// That node's log-agent, for programs; None: none is known.
    #[serde(default)]
    pub address: Option<String>,
    /// A link for a person.
    #[serde(default)]
    pub url: Option<String>,
    /// Why there is no way in, or why it may not work.
    #[serde(default)]
    pub why: Option<String>,
}

impl Door {
    /// Why there are no lines of this instance, in words.
    pub fn shut(&self) -> String {
        let node = self.node.as_deref().unwrap_or("(not placed yet)");
        match self.why.as_deref() {
            Some(why) if !why.starts_with("no log-agent") => why.to_owned(),
            _ => format!("no log-agent on node {node}"),
        }
    }
}

/// The ticket, then where it opens something, then the links, whole.
pub fn ticket(ticket: &Ticket, now: Moment, paint: Paint) -> String {
    let mut table = Table::new(["INSTANCE", "NODE", "LOG-AGENT", "NOTE"]);
    let mut links = String::new();
    for door in &ticket.instances {
        let note = match (&door.address, &door.why) {
            (None, _) => door.shut(),
            (Some(_), why) => why.clone().unwrap_or_default(),
        };
        table.line([
            Cell::new(&door.instance),
            Cell::maybe(door.node.as_deref()),
            Cell::maybe(door.address.as_deref()),
            Cell::new(note).ink(Ink::Care),
        ]);
        if let Some(url) = &door.url {
            links.push_str(&format!("{}\n", paint.ink(url, Ink::Plain)));
        }
    }
    let ends = format!("valid for {}", words::ago(now, ticket.expires));
    let doors = if table.is_empty() { "no instances\n".to_owned() } else { table.print(paint) };
    let links = if links.is_empty() { links } else { format!("\nfor a browser:\n{links}") };
    let (own, ends) = (paint.ink(&ticket.ticket, Ink::Plain), paint.ink(&ends, Ink::Dim));
    format!("{own}\n{ends}\n\n{doors}{links}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Moment {
        Moment::parse("2026-01-13T12:00:00Z").unwrap()
    }

    #[test]
    fn tokens_tell_when_they_end() {
        let list: Vec<Token> = serde_json::from_value(json!([
            {"name": "admin", "role": "admin", "apps": ["**"], "created": "2026-01-13T11:00:00Z"},
            {"name": "ci", "role": "viewer", "apps": ["shop/*", "b"], "node": null, "more": 1,
             "expires": "2026-01-13T12:00:30Z", "last_used": "2026-01-13T11:59:59Z"},
            {"name": "old\u{1b}", "role": "node", "node": "n1", "expires": "2026-01-13T11:00:00Z"},
        ]))
        .unwrap();
        let printed = tokens(&list, now(), Paint(false));
        let lines: Vec<_> = printed.lines().collect();
        assert_eq!(lines[1], "admin      admin   **        -     1h00m     -  never");
        assert_eq!(lines[2], "ci         viewer  shop/* b  -         -    1s  in 30s");
        assert_eq!(lines[3], "old\\u{1b}  node    -         n1        -     -  over");
        let one = token(&list[2], now(), Paint(false));
        assert!(one.starts_with("name     old\\u{1b}\nrole     node\nnode     n1\n"), "{one}");
        assert!(one.contains("expires  2026-01-13 11:00:00Z (over)\nused     never\n"), "{one}");
    }

    #[test]
    fn a_ticket_says_where_it_opens_nothing() {
        let given: Ticket = serde_json::from_value(json!({
            "ticket": "qtk1.a.b.c", "expires": "2026-01-13T12:10:00Z",
            "instances": [
                {"instance": "a1", "key": "k", "node": "n1", "address": null, "url": null, "why": "no log-agent reports from it"},
                {"instance": "a2", "key": "l", "node": "n2", "address": "http://n2:7002", "url": "http://n2:7002/#ticket=x",
                 "why": "it is silent"}]}))
        .unwrap();
        let printed = ticket(&given, now(), Paint(false));
        assert!(printed.starts_with("qtk1.a.b.c\nvalid for 10m00s\n\n"), "{printed}");
        assert!(
            printed.contains("a1        n1    -               no log-agent on node n1\n"),
            "{printed}"
        );
        assert!(printed.contains("a2        n2    http://n2:7002  it is silent\n"), "{printed}");
        assert!(printed.ends_with("\nfor a browser:\nhttp://n2:7002/#ticket=x\n"), "{printed}");
    }

    #[test]
    fn the_audit_log() {
        let changes: Vec<Change> = serde_json::from_value(json!([
            {"time": "2026-01-13T11:00:00Z", "actor": "user:admin", "action": "token_created", "subject": "ci"}]))
        .unwrap();
        let printed = audit(&changes, Paint(false));
        assert!(
            printed
                .ends_with("2026-01-13 11:00:00Z  user:admin  token_created  ci       -     -\n"),
            "{printed}"
        );
    }
}
