//! `/v1/metrics`: figures of an app or an instance over time, from Graphite where `[graphite] render_url` names it, else from the last
//! hour that the nodes' dadvisors hold; the same JSON.

use super::extract::Asked;
use super::instances::find;
use super::problem::Refused;
use super::state::Api;
use crate::access::{Caller, Role};
use crate::charts::graphite::Question;
use crate::charts::range::Range;
use crate::charts::{self, Figures, METRICS, Missing, Origin, SERIES, Series, dadvisor, is_metric};
use crate::nodes::DADVISOR;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use common::api_types::Instance;
use common::http::{self, Method, Options, Request, Url};
use common::ids::AppId;
use common::moment::Moment;
use common::printable::printable;
use common::serve::json;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use utoipa::IntoParams;

/// For each question to a node or to Graphite.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of one answer: a day of thousands of series is a few.
const ANSWER: usize = 64 << 20;
/// Nodes asked at a time.
const AT_A_TIME: usize = 16;

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// Every instance of this app that has not ended; this or `instance`.
    app: Option<String>,
    /// One instance, by key, or by id where that is unique; one that ended too.
    instance: Option<String>,
    /// Names, separated by commas, at most 16.
    #[param(example = "cpu.percent,memory.working_set_bytes")]
    metric: String,
    /// Unix seconds, RFC 3339, or a time ago; an hour before `until`.
    #[param(example = "-15m")]
    since: Option<String>,
    /// The same; now.
    until: Option<String>,
}

/// Figures over time.
#[utoipa::path(get, path = "/v1/metrics", tag = "metrics", operation_id = "get_metrics", params(MetricsQuery),
    responses((status = 200, description = "Series of every instance and metric that there are", body = Figures),
        (status = 404, description = "`not_found`: no such app or instance"),
        (status = 409, description = "`ambiguous_id`: several instances have this id; the detail has their keys"), (status = 502, description = "Graphite does not answer")))]
pub async fn figures(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Asked(asked): Asked<MetricsQuery>,
) -> Result<Response, Refused> {
    caller.need(Role::Viewer)?;
    let metrics = metrics(&asked.metric)?;
    let range = Range::of(asked.since.as_deref(), asked.until.as_deref(), Moment::now())
        .map_err(|e| Refused::bad_query(e.to_string()))?;
    let instances = instances(&api, &caller, &asked).await?;
    if instances.len() * metrics.len() > SERIES {
        return Err(Refused::bad_query(format!(
            "{} instances times {} metrics are more than {SERIES} series: ask for fewer metrics, or by instance",
            instances.len(),
            metrics.len()
        )));
    }
    let figures = match &api.config.graphite.render_url {
        Some(base) => from_graphite(&api, base, &instances, &metrics, range).await?,
        None => from_nodes(&api, &instances, &metrics, range).await,
    };
    Ok(json(&figures))
}

fn metrics(text: &str) -> Result<Vec<String>, Refused> {
    let names: BTreeSet<&str> = text.split(',').map(str::trim).collect();
    if let Some(wrong) = names.iter().find(|name| !is_metric(name)) {
        return Err(Refused::bad_query(format!(
            "metric: \"{}\" is no metric's name",
            printable(wrong)
        )));
    }
    if names.len() > METRICS {
        return Err(Refused::bad_query(format!(
            "metric: {} names, at most {METRICS}",
            names.len()
        )));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

async fn instances(
    api: &Api,
    caller: &Caller,
    asked: &MetricsQuery,
) -> Result<Vec<Arc<Instance>>, Refused> {
    let app = match (&asked.app, &asked.instance) {
        (Some(app), None) => AppId::new(app.as_str()),
        (None, Some(name)) => return Ok(vec![find(api, caller, name).await?]),
        _ => return Err(Refused::bad_query("give either app or instance")),
    };
    let list = api.centre.read(|world| {
        world.app(&app).filter(|_| caller.sees(&app))?;
        Some(world.of_app(&app).cloned().collect())
    });
    let shown = printable(app.as_str());
    list.ok_or_else(|| Refused::not_found(format!("no app \"{shown}\"; /v1/apps lists them")))
}

async fn from_graphite(
    api: &Api,
    base: &str,
    instances: &[Arc<Instance>],
    metrics: &[String],
    range: Range,
) -> Result<Figures, Refused> {
    let away = |why: &dyn std::fmt::Display| {
        Refused::new(StatusCode::BAD_GATEWAY, "graphite_unavailable", format!("Graphite: {why}"))
    };
    let series = if instances.is_empty() {
        Vec::new()
    } else {
        let plain: Vec<&Instance> = instances.iter().map(AsRef::as_ref).collect();
        let graphite = &api.config.graphite;
        let question = Question::new(&plain, metrics, &graphite.prefix, graphite.style);
        let body = render(base, question.form(range)).await.map_err(|e| away(&e))?.body;
        question.read(&body, &plain).map_err(|e| away(&e))?
    };
    let told: BTreeSet<_> = series.iter().map(|s| s.instance.clone()).collect();
    let missing = instances.iter().filter(|i| !told.contains(&i.id)).map(|i| Missing {
        instance: i.id.clone(),
        why: "Graphite has no series of it".to_owned(),
    });
    Ok(Figures { source: Origin::Graphite, missing: missing.collect(), series })
}

/// POSTs a form to Graphite's `/render`; an answer other than 2xx is an error.
pub(super) async fn render(base: &str, form: String) -> Result<http::Response, http::Error> {
    let url = Url::parse(&format!("{}/render", base.trim_end_matches('/')))?;
    let request = Request::new(Method::POST).body("application/x-www-form-urlencoded", form);
    let options =
        Options { timeout: PATIENCE * 4, max_body: ANSWER, accept: "*/*", ..Options::default() };
    http::open(&url, &request, &options).await?.whole(ANSWER).await
}

async fn from_nodes(
    api: &Api,
    instances: &[Arc<Instance>],
    metrics: &[String],
    range: Range,
) -> Figures {
    let mut figures = Figures { source: Origin::Dadvisor, series: Vec::new(), missing: Vec::new() };
    let mut told = stream::iter(instances.to_vec())
        .map(|instance| async move {
            let found = of_instance(api, &instance, metrics, range).await;
            (instance, found)
        })
        .buffered(AT_A_TIME);
    while let Some((instance, found)) = told.next().await {
        match found {
            Ok(series) => figures.series.extend(series),
            Err(why) => figures.missing.push(Missing { instance: instance.id.clone(), why }),
        }
    }
    figures
}

/// An instance's series from its node; a metric that it does not have is left out.
async fn of_instance(
    api: &Api,
    instance: &Instance,
    metrics: &[String],
    range: Range,
) -> Result<Vec<charts::Series>, String> {
    let container =
        instance.container.as_deref().ok_or("its node has not told its container yet")?;
    let way = api.ways.to(DADVISOR, instance)?;
    let options = api.ways.options(PATIENCE, Options::default().max_body);
    let base = Url::parse(&way.base).map_err(|e| e.to_string())?;
    let mut series: Vec<Series> = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let url = base.at(&dadvisor::path(container, metric, range));
        match http::get(&url, &options).await {
            Ok(answer) => {
                let read = dadvisor::read(&answer.body, instance, metric, range)?;
                series.extend(Some(read).filter(|s| !s.points.is_empty()));
            }
            // a metric that nothing is kept of
            Err(e) if e.status() == Some(400) => {}
            Err(e) if e.status() == Some(404) => {
                return Err("its node does not know its container yet".to_owned());
            }
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(series)
}
