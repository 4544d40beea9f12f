//! What a process costs, from `/proc`.

use anyhow::{Context, Result};

/// CPU seconds used so far by a process and its threads (user and system).
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/schedstat");
    // nanoseconds on CPU of the main thread only: sum over the tasks
    let mut nanos = 0u64;
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).with_context(|| path.clone())? {
        let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split_whitespace().next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    Ok(nanos as f64 / 1e9)
}

/// Resident bytes.
pub fn resident(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

/// The most bytes that were ever resident.
pub fn peak(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, key: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).context(path)?;
    let kib =
        text.lines().find_map(|l| l.strip_prefix(key)).and_then(|v| v.split_whitespace().next());
    Ok(kib.and_then(|v| v.parse::<u64>().ok()).unwrap_or(0) * 1024)
}

/// The process whose command line begins with `name`, if there is one.
pub fn find(name: &str) -> Option<u32> {
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let comm = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        (comm.trim() == name).then_some(pid)
    })
}
