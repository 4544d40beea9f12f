//! One thing the daemon counts about itself, in the words of `/metrics`.

/// A counter that only rises, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name, without `_total`: `ticks_missed`.
    pub name: &'static str,
    /// Family or cause, where there are several: the label `kind`. Empty where there is only one.
    pub kind: &'static str,
    /// The count.
    pub count: u64,
}

impl Count {
    /// A counter of which there is only one.
    pub const fn one(name: &'static str, count: u64) -> Self {
        Self::of(name, "", count)
    }

    /// One of several of the same name.
    pub const fn of(name: &'static str, kind: &'static str, count: u64) -> Self {
        Self { name, kind, count }
    }
}
