//! SIGKILL at any moment of writing: no event is lost, doubled or half there, and every follower ends in the same state.

use crate::history;
use anyhow::{Context, Result, ensure};
use e2e::agent::{Agent, container};
use e2e::centre::{Home, Settings};
use e2e::wait::eventually;
use rustix::process::{Pid, Signal, kill_process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const ROUNDS: u32 = 8;
const AGENTS: u32 = 4;

/// Reports changing lists at an address that comes and goes, until told to end; then the last list until it is taken.
fn busy(agent: &Agent, offset: u32, address: &Mutex<String>, end: &AtomicBool) -> u32 {
    let mut taken = 0;
    for turn in 0.. {
        let last = end.load(Ordering::Relaxed);
        let first = offset + turn % 7;
        let list: Vec<_> = (first..first + 5).map(|n| container("shop/web", n)).collect();
        let at = address.lock().map(|a| a.clone()).unwrap_or_default();
        let good = agent.try_report(&at, &list, &[]).is_ok_and(|answer| answer.status == 200);
        taken += u32::from(good);
        if last && good {
            break;
        }
        if !good {
            // nobody listens: the other end of the connection tells at once, so a pause keeps this from spinning
            thread::sleep(Duration::from_millis(20));
        }
    }
    taken
}

#[test]
fn at_any_write() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let mut centre = home.start()?;
    let address = Arc::new(Mutex::new(centre.address.clone()));
    let end = Arc::new(AtomicBool::new(false));
    let agents: Vec<_> =
        (0..AGENTS).map(|n| Agent::new(&centre, &format!("n{n}"))).collect::<Result<_>>()?;
    let threads: Vec<_> = (0u32..)
        .zip(agents)
        .map(|(n, agent)| {
            let (address, end) = (Arc::clone(&address), Arc::clone(&end));
            thread::spawn(move || busy(&agent, n * 1_000, &address, &end))
        })
        .collect();

    let mut head = 0;
    for round in 0..ROUNDS {
        // after so many further events: at another moment of the writing each time
        let goal = head + 20 + u64::from(round) * 7;
        head = eventually(history::SOON, "events", || {
            let cursor = centre.json("/v1/snapshot?topics=apps")?["cursor"].clone();
            let seq =
                cursor.as_str().and_then(|c| c.split(':').nth(1)).context("no cursor")?.parse()?;
            ensure!(seq >= goal, "{seq} of {goal}");
            Ok(seq)
        })?;
        centre.kill()?;
        centre = home.start()?;
        if let Ok(mut address) = address.lock() {
            address.clone_from(&centre.address);
        }
        let events = history::all(&centre)?;
        ensure!(
            events.len() as u64 >= head,
            "{} events after the kill, {head} before",
            events.len()
        );
        history::check(&events).with_context(|| format!("after kill {round}"))?;
    }
    end.store(true, Ordering::Relaxed);
    let taken: Vec<u32> = threads.into_iter().filter_map(|t| t.join().ok()).collect();
    ensure!(taken.len() == AGENTS as usize && taken.iter().all(|t| *t > 0), "{taken:?}");

    let events = history::all(&centre)?;
    history::check(&events)?;
    let listed = history::listed(&centre)?;
    ensure!(listed.len() == 5 * AGENTS as usize, "{listed:?}");
    ensure!(history::living(&events) == listed, "a follower has something else");
    println!("{ROUNDS} kills, {} events, reports taken {taken:?}", events.len());
    Ok(())
}

/// A reader that resumes where it was, over kills, sees every event once.
#[test]
fn a_reader_resumes_over_a_kill() -> Result<()> {
    let home = Home::new(&Settings::default())?;
    let mut centre = home.start()?;
    let agent = Agent::new(&centre, "n1")?;
    let mut cursor = format!("{}:0", history::epoch(&centre)?);
    let mut seen = Vec::new();
    for round in 0..3u32 {
        let sse = centre.follow("all", &cursor)?;
        agent.report(&centre, &[container("shop/web", round)])?;
        let wanted = format!("local/n1/{round:012x}");
        loop {
            let frame = sse.next(history::SOON)?.context("the stream ended")?;
            if frame.kind == "heartbeat" {
                continue;
            }
            cursor.clone_from(&frame.id);
            let last = frame.data["subject"] == wanted.as_str();
            seen.push(frame.data);
            if last {
                break;
            }
        }
        let pid = Pid::from_raw(i32::try_from(centre.pid())?).context("no pid")?;
        kill_process(pid, Signal::KILL)?;
        ensure!(sse.next(history::SOON)?.is_none_or(|f| f.kind != "instance_changed"));
        centre.kill()?;
        centre = home.start()?;
    }
    let all = history::all(&centre)?;
    ensure!(all.len() >= seen.len());
    for (seq, event) in (1u64..).zip(&seen) {
        ensure!(event["seq"] == seq, "{event} in place {seq}");
    }
    Ok(())
}
