//! `qae token`, `ticket`, `sign-in`, `audit`.

use super::{note, paint, print, print_json, typed};
use crate::args::{Audit, Create, Role, Shape, Ticket, TokenJob};
use crate::client::query::{Query, encoded};
use crate::client::{Client, document};
use crate::error::Error;
use crate::render::access;
use common::moment::Moment;
use common::printable::printable;
use serde::Deserialize;
use serde_json::{Value, json};

const TOKENS: &str = "/v1/tokens";
const TICKETS: &str = "/v1/tickets";
const AUDIT: &str = "/v1/audit";
const SIGN_INS: &str = "/v1/sign-ins";

pub async fn token(client: &mut Client, job: TokenJob) -> Result<(), Error> {
    match job {
        TokenJob::Create(asked) => create(client, &asked).await,
        TokenJob::List { shape } => {
            let items = client.all(TOKENS, &Query::new(), usize::MAX).await?;
            if shape.json {
                return print_json(&document(items));
            }
            let list = typed(client, TOKENS, &items)?;
            print(&access::tokens(&list, Moment::now(), paint()))
        }
        TokenJob::Show { name, shape } => {
            let path = one(&name);
            let value = client.value(&path).await?;
            if shape.json {
                return print_json(&value);
            }
            let token = access::Token::deserialize(&value);
            let token = token.map_err(|e| client.foreign(&path, &e.to_string()))?;
            print(&access::token(&token, Moment::now(), paint()))
        }
        TokenJob::Delete { name } => {
            client.delete(&one(&name)).await?;
            note(&format!("token {name} is deleted"));
            Ok(())
        }
    }
}

fn one(name: &str) -> String {
    format!("{TOKENS}/{}", encoded(name))
}

/// The secret alone on stdout, so that `qae token create ci >token` is a token file.
async fn create(client: &mut Client, asked: &Create) -> Result<(), Error> {
    let made: Value = client.post(TOKENS, &wanted(asked)).await?;
    if asked.shape.json {
        return print_json(&made);
    }
    let Some(secret) = made.get("token").and_then(Value::as_str) else {
        return Err(client.foreign(TOKENS, "no `token`"));
    };
    note(&format!("token {}: kept nowhere else, it is shown this once", asked.name));
    print(&format!("{}\n", printable(secret)))
}

/// What was left out is left to the centre.
fn wanted(asked: &Create) -> Value {
    let role = if asked.node.is_some() { "node" } else { asked.role.name() };
    let mut body = json!({ "name": asked.name, "role": role });
    if let Some(node) = &asked.node {
        body["node"] = json!(node);
    }
    if !asked.apps.is_empty() {
        body["apps"] = json!(asked.apps);
    }
    if let Some(life) = asked.expires {
        body["expires_in"] = json!(humantime::format_duration(life).to_string());
    }
    body
}

/// Asks for a ticket for an app, or, if there is no such app, for an instance.
pub async fn ticket_for(client: &mut Client, target: &str, rest: Value) -> Result<Value, Error> {
    let with = |key: &str| {
        let mut body = rest.clone();
        body[key] = json!(target);
        body
    };
    match client.post(TICKETS, &with("app")).await {
        Err(Error::Refused { status: 404, .. }) => {
            let answer = client.post(TICKETS, &with("instance")).await;
            answer.map_err(|error| match error {
                Error::Refused { status: 404, code, .. } => {
                    let detail = format!("no app and no instance \"{target}\"; `qae apps` and `qae instances` list them");
                    Error::Refused { status: 404, code, detail }
                }
                other => other,
            })
        }
        other => other,
    }
}

pub async fn ticket(client: &mut Client, asked: &Ticket) -> Result<(), Error> {
    let rights: &[&str] = if asked.read_only { &["read"] } else { &["read", "download"] };
    let life = humantime::format_duration(asked.expires).to_string();
    let rest = json!({ "file": asked.file, "rights": rights, "expires_in": life });
    let made = ticket_for(client, &asked.target, rest).await?;
    if asked.shape.json {
        return print_json(&made);
    }
    let ticket = access::Ticket::deserialize(&made);
    let ticket = ticket.map_err(|e| client.foreign(TICKETS, &e.to_string()))?;
    print(&access::ticket(&ticket, Moment::now(), paint()))
}

pub async fn sign_in(client: &mut Client, shape: Shape) -> Result<(), Error> {
    let made: Value = client.post(SIGN_INS, &json!({})).await?;
    if shape.json {
        return print_json(&made);
    }
    let Some(link) = link(client, &made) else {
        return Err(client.foreign(SIGN_INS, "no `code`"));
    };
    note("this link signs one browser in, once, within a few minutes");
    print(&format!("{link}\n"))
}

/// The link of a sign-in: the code behind this client's own address of the centre, which is one that works from here.
fn link(client: &Client, made: &Value) -> Option<String> {
    let code = made.get("code").and_then(Value::as_str)?;
    Some(format!("{}#signin={}", client.centre.url.at("/"), encoded(code)))
}

/// A fresh one-time link to the page.
pub async fn sign_in_link(client: &mut Client) -> Result<String, Error> {
    let made: Value = client.post(SIGN_INS, &json!({})).await?;
    link(client, &made).ok_or_else(|| client.foreign(SIGN_INS, "no `code`"))
}

/// Makes a token for a node's agents anew, whatever there was of its name.
pub async fn node_token(client: &mut Client, name: &str, node: &str) -> Result<String, Error> {
    let asked = Create {
        name: name.to_owned(),
        role: Role::default(),
        apps: Vec::new(),
        node: Some(node.to_owned()),
        expires: None,
        shape: Shape::default(),
    };
    match client.delete(&one(name)).await {
        Ok(()) | Err(Error::Refused { status: 404, .. }) => {}
        Err(error) => return Err(error),
    }
    let made: Value = client.post(TOKENS, &wanted(&asked)).await?;
    let secret = made.get("token").and_then(Value::as_str);
    secret.map(str::to_owned).ok_or_else(|| client.foreign(TOKENS, "no `token`"))
}

pub async fn audit(client: &mut Client, asked: &Audit) -> Result<(), Error> {
    let items = client.all(AUDIT, &Query::new(), asked.limit).await?;
    if asked.shape.json {
        return print_json(&document(items));
    }
    let list: Vec<access::Change> = typed(client, AUDIT, &items)?;
    if list.is_empty() {
        note("nothing has been changed");
        return Ok(());
    }
    print(&access::audit(&list, paint()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_was_asked_is_sent() {
        let mut asked = Create {
            name: "ci".into(),
            role: Role::Operator,
            apps: vec!["shop/**".into()],
            node: None,
            expires: Some(Duration::from_secs(86_400)),
            shape: Shape::default(),
        };
        assert_eq!(
            wanted(&asked),
            json!({"name": "ci", "role": "operator", "apps": ["shop/**"], "expires_in": "1day"})
        );
        asked = Create { apps: vec![], node: Some("n1".into()), expires: None, ..asked };
        assert_eq!(wanted(&asked), json!({"name": "ci", "role": "node", "node": "n1"}));
    }
}
