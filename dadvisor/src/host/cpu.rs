//! `/proc/stat`: processor time by mode, processes running and blocked.
//!
//! Percentages are of one core (250 = two and a half), like a container's. `cpu.percent` is time spent working for this node: user,
//! nice, system, irq, softirq. Time stolen by the hypervisor is not in it; it has a figure of its own. Guest time is inside user and
//! nice already. `iowait` may fall (the kernel says so): then it has no rate for that tick.

use super::source::{Before, Error, needed};
use super::{Emit, Roots};
use common::metric::{Name, Value};
use procfs_core::{ExplicitSystemInfo, FromBufReadSI, KernelStats};

/// `USER_HZ`: what the kernel shows to user space on every architecture this product is built for.
const TICKS_PER_SECOND: u64 = 100;

/// Names of [`Cpu::modes`].
const MODES: [&str; 8] = ["user", "nice", "system", "irq", "softirq", "steal", "iowait", "idle"];

/// The first five of [`MODES`] are work done here.
const WORKING: usize = 5;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cpu {
    /// Ticks, in the order of [`MODES`]; a mode this kernel does not know is absent.
    modes: [Option<u64>; 8],
    /// Processors online.
    cores: usize,
    running: Option<u32>,
    blocked: Option<u32>,
    forks: u64,
}

impl Cpu {
    fn working(&self) -> u64 {
        self.modes[..WORKING].iter().flatten().fold(0, |sum: u64, ticks| sum.saturating_add(*ticks))
    }
}

pub(super) fn read(roots: &Roots) -> Result<Option<Cpu>, Error> {
    needed(roots.proc.join("stat"), parse)
}

pub(super) fn parse(text: &str) -> Result<Cpu, String> {
    let system = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: TICKS_PER_SECOND,
        page_size: 0,
        is_little_endian: true,
    };
    let stat = KernelStats::from_buf_read(text.as_bytes(), &system)
        .map_err(|_| "a line is missing or has a wrong number".to_owned())?;
    let t = &stat.total;
    Ok(Cpu {
        modes: [
            Some(t.user),
            Some(t.nice),
            Some(t.system),
            t.irq,
            t.softirq,
            t.steal,
            t.iowait,
            Some(t.idle),
        ],
        cores: stat.cpu_time.len(),
        running: stat.procs_running,
        blocked: stat.procs_blocked,
        forks: stat.processes,
    })
}

pub(super) fn emit(now: &Cpu, before: Option<&Before<'_, Cpu>>, emit: &mut Emit<'_>) {
    #[expect(clippy::cast_precision_loss, reason = "100 is exact")]
    let percent = |rate: f64| Value::Float(rate / TICKS_PER_SECOND as f64 * 100.0);
    if let Some(before) = before {
        if let Some(rate) = before.rate(before.was.working(), now.working()) {
            emit(Name::from("cpu.percent"), percent(rate));
        }
        for (mode, (was, now)) in MODES.into_iter().zip(before.was.modes.into_iter().zip(now.modes))
        {
            let rate = was.zip(now).and_then(|(was, now)| before.rate(was, now));
            if let Some(rate) = rate {
                emit(Name("cpu.", mode, "_percent"), percent(rate));
            }
        }
    }
    let nanos = now.working().saturating_mul(1_000_000_000 / TICKS_PER_SECOND);
    emit(Name::from("cpu.usage_seconds_total"), Value::Nanos(nanos));
    if now.cores > 0 {
        emit(Name::from("cpu.cores"), Value::Int(now.cores as u64));
    }
    for (name, count) in [("processes.running", now.running), ("processes.blocked", now.blocked)] {
        if let Some(count) = count {
            emit(Name::from(name), Value::Int(u64::from(count)));
        }
    }
    emit(Name::from("processes.forks_total"), Value::Int(now.forks));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "cpu  100 10 50 800 40 1 2 3 7 0\ncpu0 50 5 25 400 20 0 1 1 0 0\n\
        cpu1 50 5 25 400 20 1 1 2 0 0\nintr 1 2 3\nctxt 964454\nbtime 1795569893\nprocesses 27283\n\
        procs_running 3\nprocs_blocked 1\nsoftirq 1 0\n";

    fn figures(now: &Cpu, before: Option<&Before<'_, Cpu>>) -> Vec<(String, f64)> {
        let mut out = Vec::new();
        emit(now, before, &mut |name, value| out.push((name.to_string(), value.as_f64())));
        out
    }

    #[test]
    fn steal_and_guest_are_not_work() {
        let cpu = parse(STAT).unwrap();
        assert_eq!(cpu.working(), 163);
        assert_eq!(cpu.cores, 2);
        assert!(figures(&cpu, None).contains(&("cpu.usage_seconds_total".to_owned(), 1.63)));
        assert!(figures(&cpu, None).iter().all(|(name, _)| !name.ends_with("percent")));
    }

    #[test]
    fn a_mode_that_fell_has_no_rate_and_the_others_have() {
        let was = parse(STAT).unwrap();
        let mut now = was.clone();
        now.modes[0] = Some(600);
        now.modes[6] = Some(39);
        let figures = figures(&now, Some(&Before { was: &was, seconds: 2.0 }));
        assert!(figures.contains(&("cpu.percent".to_owned(), 250.0)));
        assert!(figures.contains(&("cpu.user_percent".to_owned(), 250.0)));
        assert!(figures.contains(&("cpu.idle_percent".to_owned(), 0.0)));
        assert!(figures.iter().all(|(name, _)| name != "cpu.iowait_percent"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(cpu[ 0-9]{0,30}\n|ctxt \\PC{0,5}\n|\\PC{0,20}){0,6}") {
            drop(parse(&text));
        }
    }
}
