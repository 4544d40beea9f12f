//! Times and counts in words. Pure.

use common::moment::Moment;
use dadvisor::top::human;

/// How long ago, in the two largest units: `12m05s`; a time to come is `0s`.
pub fn ago(then: Moment, now: Moment) -> String {
    human::time(now.since(then).as_secs())
}

/// The same where the time may be unknown.
pub fn maybe_ago(then: Option<Moment>, now: Moment) -> String {
    then.map_or_else(String::new, |then| ago(then, now))
}

/// `2026-01-13 15:20:20Z`.
pub fn clock(at: Moment) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or(("", &text));
    let seconds = time.split_once('.').map_or(time, |(seconds, _)| seconds);
    format!("{date} {seconds}Z")
}

/// `1 node`, `2 nodes`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let then = Moment::parse("2026-01-13T15:20:20.917Z").unwrap();
        let now = Moment::parse("2026-01-13T15:32:25Z").unwrap();
        assert_eq!(ago(then, now), "12m04s");
        assert_eq!(ago(now, then), "0s");
        assert_eq!(clock(then), "2026-01-13 15:20:20Z");
        assert_eq!((count(1, "node"), count(0, "app")), ("1 node".into(), "0 apps".into()));
    }
}
