//! Log lines that will never be shipped: what a log-agent tells of them, and what the bus tells on. Pure.
//!
//! An agent keeps an account for each instance and tells all of it every time; the centre tells what is more than it told before. So a
//! report may be repeated or missed without a loss being told twice or never.

use crate::ids::{AppId, InstanceId};
use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most accounts in a report: those with the latest losses.
pub const MOST_LOSSES: usize = 1_000;
/// Where an event `log_gap` has its [`LogGap`], beside the fields of the instance.
pub const LOST: &str = "lost";

/// Gaps, and the bytes in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lost {
    /// Gaps.
    pub gaps: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Lost {
    /// Both together.
    pub fn and(self, more: Self) -> Self {
        Self {
            gaps: self.gaps.saturating_add(more.gaps),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }
}

/// The account of an instance: what of its log files was lost to shipping since `since`. It only grows; one that begins anew has another
/// `since`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLossFact {
    /// The app.
    pub app: AppId,
    /// The instance.
    pub instance: InstanceId,
    /// The first loss of this account.
    pub since: Moment,
    /// The last one.
    pub at: Moment,
    /// The file of the last one, as names are shown.
    #[serde(default)]
    pub file: String,
    /// By reason: `quota`, `truncated`, `too_many_deleted`, `deleted_bytes`, `closed`, `volume_gone`, `stopped`.
    pub reasons: BTreeMap<String, Lost>,
}

/// What an event `log_gap` says of a loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogGap {
    /// What was lost that no event before told of, by reason.
    pub reasons: BTreeMap<String, Lost>,
    /// All reasons together.
    pub gaps: u64,
    /// Likewise.
    pub bytes: u64,
    /// The account after that.
    pub account: LogLossFact,
}

impl LogLossFact {
    /// What is in this account and in none of `told`, which are earlier states of it, or of another account; None if that is nothing.
    pub fn beyond<'a>(&self, told: impl IntoIterator<Item = &'a Self>) -> Option<LogGap> {
        let told: Vec<_> = told.into_iter().filter(|told| told.since == self.since).collect();
        let untold = |(reason, now): (&String, &Lost)| {
            let before = told.iter().filter_map(|told| told.reasons.get(reason));
            let before = before.max_by_key(|lost| lost.gaps).copied().unwrap_or_default();
            let more = Lost {
                gaps: now.gaps.saturating_sub(before.gaps),
                bytes: now.bytes.saturating_sub(before.bytes),
            };
            (more.gaps > 0).then(|| (reason.clone(), more))
        };
        let reasons: BTreeMap<_, _> = self.reasons.iter().filter_map(untold).collect();
        let all = reasons.values().fold(Lost::default(), |all, more| all.and(*more));
        let (gaps, bytes) = (all.gaps, all.bytes);
        (gaps > 0).then(|| LogGap { reasons, gaps, bytes, account: self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(since: u64, reasons: &[(&str, u64, u64)]) -> LogLossFact {
        let reasons = reasons.iter().map(|(reason, gaps, bytes)| {
            ((*reason).to_owned(), Lost { gaps: *gaps, bytes: *bytes })
        });
        LogLossFact {
            app: AppId::new("web"),
            instance: InstanceId::new("a"),
            since: Moment::from_unix_ms(since),
            at: Moment::from_unix_ms(since + 1),
            file: "app.log.1".into(),
            reasons: reasons.collect(),
        }
    }

    #[test]
    fn what_was_told_is_told_no_more() {
        let first = account(5, &[("quota", 1, 100)]);
        let second = account(5, &[("quota", 3, 250), ("truncated", 1, 7)]);
        let all = first.beyond([]).unwrap();
        assert_eq!((all.gaps, all.bytes, &all.account), (1, 100, &first));
        assert_eq!(first.beyond([&first]), None);
        let more = second.beyond([&first]).unwrap();
        assert_eq!((more.gaps, more.bytes), (3, 157));
        assert_eq!(more.reasons["quota"], Lost { gaps: 2, bytes: 150 });
        assert_eq!(second.beyond([&second, &first]), None);
        assert_eq!(first.beyond([&second]), None, "a late report of an earlier state");
        // an account that began anew is all news
        assert_eq!(account(6, &[("quota", 1, 9)]).beyond([&second]).unwrap().bytes, 9);
    }

    proptest! {
        /// Whatever reports are missed, repeated or come late, and however often what was told last is forgotten but for its event: the sum
        /// of what is told is the account.
        #[test]
        fn every_loss_is_told_once(steps in prop::collection::vec((0..3_u8, 0..2_usize, 1..100_u64), 1..40)) {
            let mut now = account(1, &[]);
            let (mut prior, mut event): (Option<LogLossFact>, Option<LogLossFact>) = (None, None);
            let mut told = Lost::default();
            for (step, reason, bytes) in steps.into_iter().chain([(1, 0, 1)]) {
                match step {
                    0 => {
                        let lost = now.reasons.entry(["quota", "closed"][reason].into()).or_default();
                        *lost = lost.and(Lost { gaps: 1, bytes });
                    }
                    1 => {
                        if let Some(gap) = now.beyond(prior.iter().chain(&event)) {
                            told = told.and(Lost { gaps: gap.gaps, bytes: gap.bytes });
                            event = Some(gap.account);
                        }
                        prior = Some(now.clone());
                    }
                    _ => prior = None,
                }
            }
            let all = now.reasons.values().fold(Lost::default(), |all, lost| all.and(*lost));
            prop_assert_eq!(told, all);
        }
    }
}
