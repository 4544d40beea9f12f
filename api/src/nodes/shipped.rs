//! What log-agents ship, summed over nodes: an app's lines leave from every node that runs it. Pure.

use super::ReportError;
use common::api_types::LogAppFact;
use common::ids::AppId;
use std::collections::BTreeMap;

/// Most apps taken from one node.
const MOST_APPS: usize = 5_000;

/// What one log-agent said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines {
    window_seconds: u64,
    apps: Vec<LogAppFact>,
}

/// An app in one data centre.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shipped {
    /// Bytes that no sink has acknowledged yet.
    pub lag_bytes: u64,
    /// Bytes acknowledged in a thousand seconds, and lines; None where no node knows yet.
    pub rates: Option<(u64, u64)>,
}

impl Lines {
    /// Of a log-agent's facts.
    pub fn new(window_seconds: u64, apps: Vec<LogAppFact>) -> Result<Self, ReportError> {
        if apps.len() > MOST_APPS {
            let why = format!("{} apps: at most {MOST_APPS}", apps.len());
            return Err(ReportError::Report { field: "facts", why });
        }
        Ok(Self { window_seconds, apps })
    }

    /// Adds this node's share.
    pub fn add_to(&self, sums: &mut BTreeMap<AppId, Shipped>) {
        for app in &self.apps {
            let sum = sums.entry(app.app.clone()).or_default();
            sum.lag_bytes = sum.lag_bytes.saturating_add(app.lag_bytes);
            let (Some(bytes), Some(lines)) = (self.rate(app.bytes), self.rate(app.lines)) else {
                continue;
            };
            let (all_bytes, all_lines) = sum.rates.unwrap_or_default();
            sum.rates = Some((all_bytes.saturating_add(bytes), all_lines.saturating_add(lines)));
        }
    }

    /// In a thousand seconds; None without a window, or without a count.
    fn rate(&self, count: Option<u64>) -> Option<u64> {
        count?.saturating_mul(1_000).checked_div(self.window_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LOG_AGENT, judge};
    use super::*;
    use serde_json::{Value, json};

    fn read(facts: Value) -> Result<Lines, ReportError> {
        let report = json!({"version": "1", "address": "h:1", "dc": "dc1", "facts": facts});
        let report = serde_json::from_value(report).unwrap();
        judge::shipping(LOG_AGENT, &report).map(|(lines, _)| lines)
    }

    #[test]
    fn nodes_are_summed_and_what_one_does_not_know_is_left_out() {
        let mut sums = BTreeMap::new();
        for facts in [
            json!({"window_seconds": 60, "apps": [
                {"app": "web", "lag_bytes": 7, "bytes": 600, "lines": 3},
                {"app": "new", "lag_bytes": 1}]}),
            json!({"window_seconds": 50, "apps": [{"app": "web", "lag_bytes": 3, "bytes": 100, "lines": 0}]}),
            // it has just begun
            json!({"window_seconds": 0, "apps": [{"app": "web", "lag_bytes": 1, "bytes": 9, "lines": 9}]}),
            Value::Null,
            // an agent of the version before
            json!({"sink": null, "instances": []}),
        ] {
            read(facts).unwrap().add_to(&mut sums);
        }
        let web = Shipped { lag_bytes: 11, rates: Some((12_000, 50)) };
        let new = Shipped { lag_bytes: 1, rates: None };
        assert_eq!(sums, BTreeMap::from([(AppId::new("web"), web), (AppId::new("new"), new)]));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_and_the_largest_numbers_are_not() {
        let many: Vec<_> = (0..=MOST_APPS).map(|n| json!({"app": n.to_string()})).collect();
        for (facts, said) in
            [(json!({"apps": many}), "at most 5000"), (json!({"apps": 3}), "facts")]
        {
            let refused = read(facts).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        let most = json!({"app": "a", "lag_bytes": u64::MAX, "bytes": u64::MAX, "lines": u64::MAX});
        let lines = read(json!({"window_seconds": 1, "apps": [most.clone(), most]})).unwrap();
        let mut sums = BTreeMap::new();
        lines.add_to(&mut sums);
        let all = Shipped { lag_bytes: u64::MAX, rates: Some((u64::MAX, u64::MAX)) };
        assert_eq!(sums[&AppId::new("a")], all);
    }
}
