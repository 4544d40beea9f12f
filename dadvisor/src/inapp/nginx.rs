//! nginx `stub_status` to figures. Pure.

use super::figures::Figures;
use common::metric::Value;

/// Reads a page:
///
/// ```text
/// Active connections: 291
/// server accepts handled requests
///  16630948 16630948 31070465
/// Reading: 6 Writing: 179 Waiting: 106
/// ```
pub(super) fn parse(text: &str, out: &mut Figures) -> Result<(), String> {
    let figures = page(text).ok_or("the page is not nginx stub_status")?;
    const NAMES: [&str; 7] = [
        "nginx.active",
        "nginx.accepts_total",
        "nginx.handled_total",
        "nginx.requests_total",
        "nginx.reading",
        "nginx.writing",
        "nginx.waiting",
    ];
    for (name, figure) in NAMES.into_iter().zip(figures) {
        out.push(name, Value::Int(figure));
    }
    Ok(())
}

fn page(text: &str) -> Option<[u64; 7]> {
    let (_, rest) = text.split_once("Active connections:")?;
    let mut words = rest.split_ascii_whitespace();
    let active = words.next()?.parse().ok()?;
    // a few servers that imitate nginx have more columns; the first three are the same
    let mut numbers = words.skip_while(|word| word.parse::<u64>().is_err());
    let accepts = numbers.next()?.parse().ok()?;
    let handled = numbers.next()?.parse().ok()?;
    let requests = numbers.next()?.parse().ok()?;
    let state = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split_ascii_whitespace().next()?.parse().ok()
    };
    Some([
        active,
        accepts,
        handled,
        requests,
        state("Reading:")?,
        state("Writing:")?,
        state("Waiting:")?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_four_lines() {
        let text = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \n\
                    Reading: 6 Writing: 179 Waiting: 106 \n";
        assert_eq!(page(text), Some([291, 16_630_948, 16_630_947, 31_070_465, 6, 179, 106]));
        let tengine = "Active connections: 1 \nserver accepts handled requests request_time\n 1140 1140 1140 75806\n\
                       Reading: 0 Writing: 1 Waiting: 0 \n";
        assert_eq!(page(tengine), Some([1, 1140, 1140, 1140, 0, 1, 0]));
        assert_eq!(page("<html>404</html>"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(Active connections:|server accepts|Reading:|Writing:|[0-9]{1,22}| |\n|\\PC){0,30}") {
            prop_assert!(page(&text).is_none_or(|page| page.len() == 7));
        }
    }
}
