//! `qae apps`, `app`, `instances`, `nodes`.

use super::{note, paint, print, print_json, typed};
use crate::args::{Instances, Shape};
use crate::client::query::{Query, encoded};
use crate::client::{Client, document};
use crate::error::Error;
use crate::render::{apps, instances, nodes};
use common::api_types::{App, Instance};
use common::moment::Moment;
use serde::Deserialize;
use serde_json::json;

const APPS: &str = "/v1/apps";
const INSTANCES: &str = "/v1/instances";
const NODES: &str = "/v1/nodes";

pub async fn apps(client: &mut Client, filter: Option<&str>, shape: Shape) -> Result<(), Error> {
    let items = client.all(APPS, &Query::new().maybe("q", filter), usize::MAX).await?;
    if shape.json {
        return print_json(&document(items));
    }
    let list: Vec<App> = typed(client, APPS, &items)?;
    if list.is_empty() {
        note(filter.map_or("no apps", |_| "no such apps"));
        return Ok(());
    }
    print(&apps::list(&list, paint()))
}

pub async fn app(client: &mut Client, id: &str, shape: Shape) -> Result<(), Error> {
    let path = format!("{APPS}/{}", encoded(id));
    let value = client.value(&path).await?;
    let items = client.all(INSTANCES, &Query::new().with("app", id), usize::MAX).await?;
    if shape.json {
        return print_json(&json!({ "app": value, "instances": items }));
    }
    let app = App::deserialize(&value).map_err(|e| client.foreign(&path, &e.to_string()))?;
    let list: Vec<Instance> = typed(client, INSTANCES, &items)?;
    print(&apps::one(&app, &list, Moment::now(), paint()))
}

pub async fn instances(client: &mut Client, asked: &Instances) -> Result<(), Error> {
    let query = Query::new()
        .maybe("app", asked.app.as_deref())
        .maybe("node", asked.node.as_deref())
        .with("state", asked.state.name());
    let items = client.all(INSTANCES, &query, usize::MAX).await?;
    if asked.shape.json {
        return print_json(&document(items));
    }
    let list: Vec<Instance> = typed(client, INSTANCES, &items)?;
    if list.is_empty() {
        note("no such instances");
        return Ok(());
    }
    print(&instances::list(&list, Moment::now(), paint()))
}

pub async fn nodes(client: &mut Client, shape: Shape) -> Result<(), Error> {
    let items = client.all(NODES, &Query::new(), usize::MAX).await?;
    if shape.json {
        return print_json(&document(items));
    }
    let list = typed(client, NODES, &items)?;
    if list.is_empty() {
        note("no nodes: no agent has reported yet");
        return Ok(());
    }
    print(&nodes::list(&list, Moment::now(), paint()))
}

pub async fn forget(client: &mut Client, node: &str) -> Result<(), Error> {
    client.delete(&format!("{NODES}/{}", encoded(node))).await?;
    note(&format!("node {node} is forgotten"));
    Ok(())
}
