//! A moment as people and scripts give it in a query: RFC 3339, Unix seconds, or a time ago. Pure.

use super::problem::Refused;
use common::moment::Moment;

/// `2026-01-13T15:20:20Z`, `1768317620`, `-15m`. `name` is the parameter's, for the refusal.
pub fn moment(name: &str, text: &str, now: Moment) -> Result<Moment, Refused> {
    let wrong = || {
        Refused::bad_query(format!(
            "{name}: not a time; write 2026-01-13T15:20:20Z, Unix seconds, or -15m"
        ))
    };
    if let Some(ago) = text.strip_prefix('-') {
        return humantime::parse_duration(ago).map(|ago| now.before(ago)).map_err(|_| wrong());
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seconds: u64 = text.parse().map_err(|_| wrong())?;
        return Ok(Moment::from_unix_ms(seconds.saturating_mul(1_000)));
    }
    // a + that stands for itself reads as a blank in a query
    Moment::parse(&text.replace(' ', "+")).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_three_ways() {
        let now = Moment::parse("2026-01-13T15:20:20Z").unwrap();
        let read = |text| moment("since", text, now).map(|m| m.to_string());
        assert_eq!(read("-15m").unwrap(), "2026-01-13T15:05:20.000Z");
        assert_eq!(read("1768317620").unwrap(), "2026-01-13T15:20:20.000Z");
        assert_eq!(read("2026-01-13T16:20:20 01:00").unwrap(), "2026-01-13T15:20:20.000Z");
        for wrong in ["", "-", "yesterday", "-5", "99999999999999999999", "2026-01-13"] {
            assert_eq!(read(wrong).unwrap_err().code(), "bad_query", "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,40}|-[0-9a-z ]{0,20}") {
            drop(moment("since", &text, Moment::LAST));
        }
    }
}
