//! What kind of machine the tests run on.

use anyhow::{Context, Result};
use rustix::fs::{major, minor, stat};
use std::path::{Path, PathBuf};

/// Whether the memory controller is on cgroup v2.
pub fn cgroup_v2() -> bool {
    let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
    controllers.is_ok_and(|c| c.contains("memory"))
}

/// Whether systemd runs here, so that an engine can leave cgroups to it.
pub fn systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Whether the kernel tells pressure by cgroup: it does on v2 and in the v2 half of a hybrid host.
pub fn pressure() -> bool {
    let by_cgroup = ["/sys/fs/cgroup/cpu.pressure", "/sys/fs/cgroup/unified/cpu.pressure"];
    std::fs::read_to_string("/proc/pressure/cpu").is_ok()
        && by_cgroup.iter().any(|f| Path::new(f).exists())
}

/// The whole disk beneath a path, as a device file.
pub fn disk_of(path: &Path) -> Result<PathBuf> {
    let dev = stat(path)?.st_dev;
    let link = format!("/sys/dev/block/{}:{}", major(dev), minor(dev));
    let device = std::fs::canonicalize(&link)
        .with_context(|| format!("{} is on no disk ({link})", path.display()))?;
    let disk = if device.join("partition").exists() { device.parent() } else { Some(&*device) };
    let name = disk.and_then(Path::file_name).context("no name in /sys/dev/block")?;
    Ok(Path::new("/dev").join(name))
}
