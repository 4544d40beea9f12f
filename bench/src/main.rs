//! `make bench`: every figure that docs/benchmarks.md claims, measured in one run. Needs root; `bench/bench.sh` prepares the rest.

mod centre;
mod churn;
mod containers;
mod cost;
mod daemon;
mod floor;
mod logs;
mod marathon;
mod process;
mod simulated;
mod start;
mod table;

use clap::{Parser, Subcommand};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of this process so far.
fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

#[derive(Parser)]
#[command(about = "Measures what docs/benchmarks.md claims; run as root")]
struct Args {
    /// The built daemon.
    #[arg(long, default_value = "target/release/dadvisor")]
    binary: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Cost of a pass per cgroup over the floor, at 10 to 3,000 cgroups; allocations.
    Cost,
    /// Growth over 10,000 starts and stops.
    Churn,
    /// Size of the binary, time to the first metric.
    Start,
    /// The whole daemon on many real Docker containers, into a real carbon.
    Containers {
        /// How many.
        #[arg(long, default_value_t = 500)]
        count: usize,
        /// Ticks of 10 s each figure is measured over.
        #[arg(long, default_value_t = 6)]
        ticks: u32,
        /// Carbon's plaintext address.
        #[arg(long)]
        carbon: String,
    },
    /// The centre with thousands of followers and of reporting nodes.
    Centre {
        /// The built `qae-api`.
        #[arg(long, default_value = "target/release/qae-api")]
        api: PathBuf,
        /// Followers of the bus.
        #[arg(long, default_value_t = 5_000)]
        followers: usize,
        /// Nodes.
        #[arg(long, default_value_t = 2_000)]
        nodes: usize,
    },
    /// The centre with a large Marathon: lists, and a thousand events a second.
    Marathon {
        /// The built `qae-api`.
        #[arg(long, default_value = "target/release/qae-api")]
        api: PathBuf,
        /// Apps.
        #[arg(long, default_value_t = 500)]
        apps: u32,
        /// Tasks of each.
        #[arg(long, default_value_t = 20)]
        tasks: u32,
    },
    /// log-agent beside rsyslog: throughput, rotation, latency, idle files, abuse, backlog.
    Logs {
        /// The built `log-agent`.
        #[arg(long, default_value = "target/release/log-agent")]
        agent: PathBuf,
        /// MB of the one large file.
        #[arg(long, default_value_t = 2_000)]
        file: u64,
        /// MB written while Flume is away.
        #[arg(long, default_value_t = 10_000)]
        backlog: u64,
        /// Only this table: `file`, `rotation`, `latency`, `idle`, `abuse`, `viewers`, `flume`, `backlog`.
        #[arg(long)]
        only: Option<String>,
        /// Seconds of steady load; three times as long under kills.
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    common::files::raise()?;
    let (title, table) = match args.what {
        What::Cost => ("Cost of a pass per cgroup (median of 21 rounds, one run)", cost::run()?),
        What::Churn => ("Starts and stops", churn::run()?),
        What::Start => ("Size and start", start::run(&args.binary)?),
        What::Containers { count, ticks, carbon } => (
            "Idle Docker containers, 10 s tick",
            containers::run(count, ticks, &carbon, &args.binary)?,
        ),
        What::Centre { api, followers, nodes } => {
            ("The centre", centre::run(&api, followers, nodes)?)
        }
        What::Marathon { api, apps, tasks } => {
            ("The centre and a large Marathon", marathon::run(&api, apps, tasks)?)
        }
        What::Logs { agent, file, backlog, only, seconds } => {
            let size = logs::Size { file: file * 1_000_000, backlog: backlog * 1_000_000, seconds };
            return logs::run(&agent, &size, only.as_deref());
        }
    };
    println!("### {title}\n\n{table}");
    Ok(())
}
