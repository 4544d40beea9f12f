//! `[dadvisor]`: what is read, how often, and where this daemon is asked. The rest of the host's file is in [`common::config`].

use crate::discover::cgroup_scan::Globs;
use crate::kernel::Families;
use crate::kernel::Roots;
use common::config::{
    self, Api, At, Certificate, Error, Graphite, Node, Source, api, graphite, nearest, node, text,
};
use common::reload::Reloads;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything this daemon is told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who this host is.
    pub node: Node,
    /// Where the centre is; None if there is none.
    pub api: Option<Api>,
    /// Where metrics go.
    pub graphite: Graphite,
    /// What is read.
    pub dadvisor: Dadvisor,
    /// No centre and no Mesos agent are configured: this host sees all there is of its apps, so it writes their totals.
    pub alone: bool,
}

impl Config {
    /// Reads the named file, or the default one where there is one. With the config comes the same as text, for `--check`.
    pub fn load(named: Option<&Path>) -> Result<(Self, String), Error> {
        Self::of(&Source::read(named)?)
    }

    /// The pure part of [`Self::load`].
    pub fn of(source: &Source) -> Result<(Self, String), Error> {
        let mut reader = source.reader()?;
        let node = reader.section::<node::Section>();
        let api = reader.optional::<api::Section>();
        let config = Self {
            alone: api.is_none() && node.mesos_agent.is_none(),
            node,
            api,
            graphite: reader.section::<graphite::Section>(),
            dadvisor: reader.section::<Section>(),
        };
        reader.finish(config)
    }

    /// Where this daemon keeps what must survive it.
    pub fn state_dir(&self) -> PathBuf {
        self.node.state_dir.join("dadvisor")
    }
}

impl Reloads for Config {
    fn load(named: Option<&Path>) -> Result<Self, Error> {
        Self::load(named).map(|(config, _)| config)
    }

    fn listen(&self) -> SocketAddr {
        self.dadvisor.listen
    }

    fn certificate(&self) -> Option<&Certificate> {
        self.node.tls.as_ref()
    }
}

/// `[dadvisor]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dadvisor {
    /// Where the HTTP side listens.
    pub listen: SocketAddr,
    /// From tick to tick: whole seconds, 1 s to 5 min.
    pub interval: Duration,
    /// Where the host's cgroup hierarchies are mounted.
    pub cgroup_root: PathBuf,
    /// Where the host's `/proc` is mounted.
    pub proc_root: PathBuf,
    /// Where the host's `/sys` is mounted.
    pub sys_root: PathBuf,
    /// What is read of each container.
    pub families: BTreeSet<Family>,
    /// Plain cgroups read besides containers.
    pub cgroups: Globs,
    /// Most bytes of memory for the last hour of all containers.
    pub recent_max: u64,
    /// Most series taken from what runs inside one container.
    pub inapp_series_max: usize,
}

impl Dadvisor {
    /// Where the kernel's file systems are.
    pub fn roots(&self) -> Roots {
        Roots {
            cgroup: self.cgroup_root.clone(),
            proc: self.proc_root.clone(),
            sys: self.sys_root.clone(),
        }
    }

    /// What is read of a container's cgroup and namespaces.
    pub fn kernel_families(&self) -> Families {
        let on = |family| self.families.contains(&family);
        Families {
            cpu: on(Family::Cpu),
            memory: on(Family::Memory),
            io: on(Family::Io),
            net: on(Family::Net),
            pids: on(Family::Pids),
            pressure: on(Family::Pressure),
            oom: on(Family::Oom),
            cpu_per_core: on(Family::CpuPerCore),
            tcp_states: on(Family::TcpStates),
        }
    }
}

macro_rules! families {
    ($($variant:ident $name:literal $doc:literal,)+) => {
        /// A group of figures that is read or not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family {
            $(#[doc = $doc] $variant,)+
        }

        impl Family {
            /// Every family.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in the config file.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

families! {
    Cpu "cpu" "CPU time, throttling, quota.",
    Memory "memory" "Memory and swap.",
    Io "io" "Block devices.",
    Net "net" "Interfaces, sockets, TCP counters.",
    Pids "pids" "Processes and threads.",
    Pressure "pressure" "Pressure stall information.",
    Oom "oom" "Kills by the out-of-memory killer.",
    CpuPerCore "cpu_per_core" "CPU time by core, opt in (v1 only).",
    TcpStates "tcp_states" "TCP sockets by state, opt in: the kernel walks its whole socket table for each namespace.",
    DiskUsage "disk_usage" "Size of writable layers and log volumes, opt in: walks directories.",
}

impl Family {
    /// The family of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name() == name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `[dadvisor]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    #[serde(with = "text::listen")]
    listen: SocketAddr,
    #[serde(with = "text::duration")]
    interval: Duration,
    cgroup_root: PathBuf,
    proc_root: PathBuf,
    sys_root: PathBuf,
    families: Vec<String>,
    cgroups: Vec<String>,
    #[serde(with = "text::size")]
    recent_max: u64,
    inapp_series_max: u32,
}

impl Default for Section {
    fn default() -> Self {
        let families = ["cpu", "memory", "io", "net", "pids", "pressure", "oom"];
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7001)),
            interval: Duration::from_secs(10),
            cgroup_root: "/sys/fs/cgroup".into(),
            proc_root: "/proc".into(),
            sys_root: "/sys".into(),
            families: families.map(str::to_owned).to_vec(),
            cgroups: Vec::new(),
            recent_max: 8 << 20,
            inapp_series_max: 200,
        }
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// Most of [`Dadvisor::inapp_series_max`]: a bound on what one app can make this daemon keep.
const MOST_SERIES: u32 = 10_000;

impl config::Section for Section {
    const NAME: &'static str = "dadvisor";
    type Checked = Dadvisor;

    fn check(&mut self, at: &mut At<'_>) -> Dadvisor {
        if !(SHORTEST..=LONGEST).contains(&self.interval) || self.interval.subsec_nanos() != 0 {
            at.fault("interval", "must be whole seconds, \"1s\" to \"5m\"");
        }
        let roots = [
            ("cgroup_root", &self.cgroup_root),
            ("proc_root", &self.proc_root),
            ("sys_root", &self.sys_root),
        ];
        for (key, path) in roots {
            if !path.is_absolute() {
                at.fault(key, "must be an absolute path");
            }
        }
        if !(1..=MOST_SERIES).contains(&self.inapp_series_max) {
            at.fault("inapp_series_max", format!("must be 1 to {MOST_SERIES}"));
        }
        Dadvisor {
            listen: self.listen,
            interval: self.interval,
            cgroup_root: self.cgroup_root.clone(),
            proc_root: self.proc_root.clone(),
            sys_root: self.sys_root.clone(),
            families: families(&self.families, at),
            cgroups: cgroups(&self.cgroups, at),
            recent_max: self.recent_max,
            inapp_series_max: usize::try_from(self.inapp_series_max).unwrap_or(usize::MAX),
        }
    }
}

/// The patterns that are sound; each that is not is a fault of its own.
fn cgroups(typed: &[String], at: &mut At<'_>) -> Globs {
    let mut out = Globs::default();
    for pattern in typed {
        if pattern.starts_with('/') {
            at.fault(
                "cgroups",
                format!(
                    "\"{pattern}\": leave out the leading /, paths count from the hierarchy's root"
                ),
            );
        } else if let Err(e) = out.add(pattern) {
            at.fault(
                "cgroups",
                format!("{e}; a glob such as \"system.slice/*.service\" is wanted"),
            );
        }
    }
    out
}

fn families(typed: &[String], at: &mut At<'_>) -> BTreeSet<Family> {
    let mut out = BTreeSet::new();
    let names = || Family::ALL.iter().map(|f| f.name());
    for name in typed {
        if let Some(family) = Family::named(name) {
            out.insert(family);
            continue;
        }
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
        };
        at.fault("families", format!("no family \"{}\"; {hint}", name.escape_debug()));
    }
    out
}

#[cfg(test)]
mod tests;
