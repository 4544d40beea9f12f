//! `/v1/render`: Graphite's render API for whoever has a token, confined to the apps that the token may see.

use super::charts::render;
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use crate::charts::target::confine;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// Most parameters, targets included.
const PARAMETERS: usize = 500;
/// What is handed on besides targets; `format` is checked, everything else only shapes the answer.
const KNOWN: &[&str] = &[
    "areaMode",
    "bgcolor",
    "colorList",
    "fgcolor",
    "fontSize",
    "format",
    "from",
    "graphOnly",
    "height",
    "hideAxes",
    "hideGrid",
    "hideLegend",
    "lineMode",
    "lineWidth",
    "maxDataPoints",
    "noNullPoints",
    "title",
    "tz",
    "until",
    "vtitle",
    "width",
    "xFilesFactor",
    "yMax",
    "yMin",
];
const FORMATS: &[&str] = &["json", "csv", "raw", "png", "svg"];

/// The form of a POST; other parameters of Graphite that shape the answer are taken too.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; what comes is read pair by pair")]
struct Form {
    /// A Graphite target; may repeat.
    #[schema(example = "qae.dc1.app.shop_web.inst.*.cpu.percent")]
    target: String,
    /// `json`, `csv`, `raw`, `png` or `svg`.
    format: Option<String>,
    /// Graphite's time.
    from: Option<String>,
    /// Graphite's time.
    until: Option<String>,
}

/// A chart or its figures; parameters are Graphite's.
#[utoipa::path(get, path = "/v1/render", tag = "metrics", operation_id = "render",
    params(("target" = String, Query, description = "A Graphite target; may repeat", example = "qae.dc1.app.shop_web.inst.*.cpu.percent"),
        ("format" = Option<String>, Query, description = "json, csv, raw, png or svg; json"),
        ("from" = Option<String>, Query, description = "Graphite's time; a day ago", example = "-1h"),
        ("until" = Option<String>, Query, description = "Graphite's time; now")),
    responses((status = 200, description = "Graphite's answer", content_type = "application/json"),
        (status = 404, description = "No Graphite is configured"), (status = 502, description = "Graphite does not answer")))]
pub async fn get(
    State(api): State<Arc<Api>>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    answer(&api, &caller, query.unwrap_or_default().as_bytes()).await
}

/// The same with the parameters as a form, for many or long targets.
#[utoipa::path(post, path = "/v1/render", tag = "metrics", operation_id = "render_form",
    request_body(content = Form, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Graphite's answer", content_type = "application/json"),
        (status = 404, description = "No Graphite is configured"), (status = 502, description = "Graphite does not answer")))]
pub async fn post(
    State(api): State<Arc<Api>>,
    caller: Caller,
    body: Bytes,
) -> Result<Response, Refused> {
    answer(&api, &caller, &body).await
}

async fn answer(api: &Api, caller: &Caller, form: &[u8]) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let Some(base) = &api.config.graphite.render_url else {
        return Err(Refused::new(
            StatusCode::NOT_FOUND,
            "no_graphite",
            "no Graphite is configured here ([graphite] render_url); /v1/metrics answers without one",
        ));
    };
    let allowed = api.centre.read(|world| allowed(caller, world));
    let form = confined(form, &api.config.graphite.prefix, allowed.as_deref())?;
    let answer = render(base, form).await.map_err(|e| refusal(&e))?;
    let kind = answer.content_type.as_deref().unwrap_or("application/octet-stream");
    let kind =
        HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // an svg is a document: it must not run here as one
    let guard = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, guard)], answer.body)
        .into_response())
}

/// Graphite components of the apps a caller sees; None for all of them.
fn allowed(caller: &Caller, world: &crate::world::World) -> Option<Vec<String>> {
    if caller.apps.is_all() {
        return None;
    }
    Some(world.apps().filter(|app| caller.sees(&app.id)).map(|app| app.id.component()).collect())
}

/// The form for Graphite: known parameters only, a format that is no program's memory (`pickle`), targets confined.
fn confined(form: &[u8], prefix: &str, allowed: Option<&[String]>) -> Result<String, Refused> {
    let mut out = form_urlencoded::Serializer::new(String::new());
    let (mut targets, mut format) = (0, "json".to_owned());
    for (at, (key, value)) in form_urlencoded::parse(form).enumerate() {
        if at >= PARAMETERS {
            return Err(Refused::bad_query(format!("more than {PARAMETERS} parameters")));
        }
        match key.as_ref() {
            "target" => {
                targets += 1;
                match allowed {
                    None => out.append_pair("target", &value),
                    Some(apps) => {
                        let target = confine(&value, prefix, apps)
                            .map_err(|e| Refused::bad_query(format!("target: {e}")))?;
                        out.append_pair("target", &target)
                    }
                };
            }
            "format" if FORMATS.contains(&value.as_ref()) => format = value.into_owned(),
            "format" => {
                return Err(Refused::bad_query(format!("format: one of {}", FORMATS.join(", "))));
            }
            known if KNOWN.contains(&known) => {
                out.append_pair(known, &value);
            }
            _ => return Err(Refused::bad_query(format!("there are target, {}", KNOWN.join(", ")))),
        }
    }
    if targets == 0 {
        return Err(Refused::bad_query("a target is missing"));
    }
    Ok(out.append_pair("format", &format).append_pair("noCache", "1").finish())
}

fn refusal(e: &common::http::Error) -> Refused {
    match e.status() {
        // it names what is wrong with the question; a 500 is a page of HTML
        Some(400) => Refused::bad_query(e.to_string()),
        Some(status) => Refused::new(
            StatusCode::BAD_GATEWAY,
            "graphite_refused",
            format!(
                "Graphite answered {status}: a function has wrong arguments, or Graphite is in trouble"
            ),
        ),
        None => {
            Refused::new(StatusCode::BAD_GATEWAY, "graphite_unavailable", format!("Graphite: {e}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parameters_and_confined_targets_go_on() {
        let apps = ["shop_web".to_owned()];
        let form = b"target=qae.*.app.*.inst.*.cpu.percent&from=-1h&format=csv";
        let mine = confined(form, "qae", Some(&apps)).unwrap();
        assert_eq!(
            mine,
            "target=qae.*.app.shop_web.inst.*.cpu.percent&from=-1h&format=csv&noCache=1"
        );
        let all = confined(b"target=carbon.*", "qae", None).unwrap();
        assert_eq!(all, "target=carbon.*&format=json&noCache=1");
        for wrong in [
            &b"from=-1h"[..],
            b"target=carbon.*",
            b"target=qae.d.app.shop_web.all.x&format=pickle",
            b"target=qae.d.app.shop_web.all.x&jsonp=alert",
            b"target=qae.d.app.shop_web.all.x&template=x",
        ] {
            assert!(confined(wrong, "qae", Some(&apps)).is_err(), "{wrong:?}");
        }
    }
}
