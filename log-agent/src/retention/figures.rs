//! What retention did, for `/metrics` and the report.

/// Counters since the start, and what is so now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Files removed since they were older than `keep`.
    pub removed_by_age: u64,
    /// Files removed since their volume was above its quota.
    pub removed_by_quota: u64,
    /// Of these, not acknowledged: each is a gap, too.
    pub removed_lost: u64,
    /// Files removed with the volume of an ended instance.
    pub removed_with_volume: u64,
    /// Volumes of ended instances removed, all beneath `volumes_root`.
    pub volumes_removed: u64,
    /// Bytes on the disk that all of these had.
    pub bytes_freed: u64,
    /// Removals that failed.
    pub failures: u64,
    /// Volumes above their quota now, where nothing more may be removed.
    pub over_quota: u64,
    /// Their bytes above it.
    pub over_bytes: u64,
    /// Ended instances' volumes that are older than `keep` and not acknowledged to their end: they wait.
    pub waiting: u64,
    /// Volumes that hold more than is looked at.
    pub partial: u64,
}

impl Figures {
    /// Every number with its name, for `/metrics`; what ends in `_total` only grows.
    pub fn all(&self) -> [(&'static str, u64); 11] {
        [
            ("removed_by_age_total", self.removed_by_age),
            ("removed_by_quota_total", self.removed_by_quota),
            ("removed_lost_total", self.removed_lost),
            ("removed_with_volume_total", self.removed_with_volume),
            ("volumes_removed_total", self.volumes_removed),
            ("bytes_freed_total", self.bytes_freed),
            ("failures_total", self.failures),
            ("over_quota", self.over_quota),
            ("over_quota_bytes", self.over_bytes),
            ("waiting", self.waiting),
            ("partial", self.partial),
        ]
    }
}
