//! Two hundred viewers of one file at once: each is told every line, once, in order.

use crate::scene::Scene;
use anyhow::{Context, Result, ensure};
use common::api_types::live::{Frame, PROTOCOL, Told};
use common::http::{Options, Socket, Url, bearer};
use e2e::wait::eventually;
use std::time::Duration;

const VIEWERS: usize = 200;
const LINES: usize = 3_000;
const SOON: Duration = Duration::from_secs(60);
/// 300 lines a second, once it is told to.
const SCRIPT: &str = "cd /qae/logs; echo begin >app.log; until [ -e /tmp/go ]; do sleep 0.1; done; \
    awk 'BEGIN { for (n = 1; n <= 3000; n++) { print n >>\"app.log\"; if (n % 6 == 0) { fflush(\"app.log\"); system(\"usleep 20000\") } } }'; \
    sleep 100000";

/// Hears until the last line: how many lines came.
async fn watch(mut socket: Socket) -> Result<usize> {
    let mut seen = 0;
    while seen < LINES {
        let text = socket.next(SOON).await?.context("the stream ended")?;
        match serde_json::from_str::<Told>(&text)?.frame {
            Frame::Lines { lines, .. } => {
                for line in lines {
                    ensure!(line == (seen + 1).to_string(), "{line} after {seen}");
                    seen += 1;
                }
            }
            Frame::Hello { .. } => {}
            other => anyhow::bail!("{other:?} after {seen}"),
        }
    }
    Ok(seen)
}

#[test]
fn two_hundred_viewers_are_told_every_line() -> Result<()> {
    let scene = Scene::new("crowd", "")?;
    let agent = scene.home.start()?;
    let container = scene.run(SCRIPT)?;
    let (address, ticket, instance) = eventually(SOON, "a ticket", || scene.ticket())?;
    let url = format!("http://{address}/v1/logs/{instance}/stream?file=app.log&lines=0");
    let url = Url::parse(&url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut viewers = Vec::new();
        for _ in 0..VIEWERS {
            let mut socket =
                Socket::open(&url, PROTOCOL, bearer(&ticket), &Options::default()).await?;
            // it begins behind what is there
            let hello = socket.next(SOON).await?.context("no hello")?;
            ensure!(hello.contains("\"hello\""), "not greeted: {hello}");
            viewers.push(tokio::spawn(watch(socket)));
        }
        scene.docker.exec(&container, "touch /tmp/go")?;
        for viewer in viewers {
            ensure!(viewer.await?? == LINES, "a viewer missed lines");
        }
        Ok(())
    })?;
    scene.docker.cli(["rm", "-f", "-v", &container.id])?;
    ensure!(agent.stop()?.success(), "it did not end well");
    Ok(())
}
