//! Which topics a reader asks for and may have.

use super::problem::Refused;
use crate::access::Caller;
use crate::scope::Scope;
use axum::http::StatusCode;
use common::api_types::Topic;

/// Most topics of one reader.
const MOST: usize = 100;

/// The scope asked for by parameter `topics`; without it, all that the token may read.
pub fn scope(caller: &Caller, asked: Option<&str>) -> Result<Scope, Refused> {
    let topics = match (asked, &caller.topics) {
        (Some(text), _) => Topic::parse_list(text)
            .map_err(|e| Refused::new(StatusCode::BAD_REQUEST, "bad_topic", e.to_string()))?,
        (None, Some(allowed)) => allowed.clone(),
        (None, None) => vec![Topic::All],
    };
    if topics.len() > MOST {
        return Err(Refused::bad_query(format!("topics: at most {MOST}; take wider ones")));
    }
    for topic in &topics {
        caller.may_read(topic)?;
    }
    Ok(Scope::new(&topics, &caller.apps))
}
