//! `/v1/audit`: who changed what about access. For admins.

use super::extract::Asked;
use super::list::{DEFAULT_LIMIT, MOST};
use super::problem::Refused;
use super::state::Api;
use super::when::moment;
use crate::access::audit::{Entry, Filter, list as entries};
use crate::access::{Caller, Role};
use axum::extract::State;
use axum::response::Response;
use common::api_types::Page;
use common::moment::Moment;
use common::serve::json;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Parameters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only what this one did.
    #[param(example = "user:admin")]
    actor: Option<String>,
    /// Only this.
    #[param(example = "token_created")]
    action: Option<String>,
    /// Only what was done to this.
    subject: Option<String>,
    /// Not before this; RFC 3339, Unix seconds, or a time ago.
    #[param(example = "-7d")]
    since: Option<String>,
    /// Before this.
    until: Option<String>,
    /// Rows on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

/// The audit log, the latest first; rows are kept for 90 days.
#[utoipa::path(get, path = "/v1/audit", tag = "access", operation_id = "list_audit", params(AuditQuery),
    responses((status = 200, description = "A page of rows", body = Page<Entry>)))]
pub async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<AuditQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Admin)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(Refused::bad_query(format!("limit: must be 1 to {MOST}")));
    }
    let now = Moment::now();
    let time = |name, text: Option<String>| text.map(|text| moment(name, &text, now)).transpose();
    let filter = Filter {
        actor: asked.actor,
        action: asked.action,
        subject: asked.subject,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        before_id: asked.cursor.as_deref().map(place).transpose()?,
    };
    let limit = usize::from(limit);
    // one more than asked for tells whether there is another page
    let mut items = entries(api.centre.store().read(), &filter, limit + 1).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|row| row.id.to_string());
    Ok(json(&Page { items, next }))
}

fn place(cursor: &str) -> Result<i64, Refused> {
    let digits = (1..=18).contains(&cursor.len()) && cursor.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| cursor.parse().ok()).flatten();
    let detail = "cursor: not one of this list; give back `next` of the page before as it came";
    number.ok_or_else(|| Refused::bad_query(detail))
}
