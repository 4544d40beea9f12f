//! Prometheus text (version 0.0.4; OpenMetrics' extras are tolerated) to figures. Pure.
//!
//! `http_requests_total{method="GET",code="200"} 5` becomes `app.http_requests_total.code_200.method_GET`: labels in the order of
//! their names, so that an exporter that shuffles them keeps its series. Buckets and quantiles are left out unless asked for; `_sum`
//! and `_count` stay. Timestamps are ignored: the point belongs to the tick that read it.

use super::figures::{Figures, number};
use common::ids::component;

/// Reads a page. An error if nothing in it is a sample, though there is text.
pub(super) fn parse(text: &str, buckets: bool, out: &mut Figures) -> Result<(), String> {
    let mut samples = 0_u64;
    // all lines of one family stand together, behind its TYPE
    let mut summary = "";
    let malformed_before = out.dropped.malformed;
    for line in text.lines() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            if let Some((family, kind)) = typed(comment) {
                summary = if kind == "summary" { family } else { "" };
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let Some(sample) = sample(line) else {
            out.dropped.malformed += 1;
            continue;
        };
        samples += 1;
        let has = |label| sample.labels.iter().any(|(name, _)| *name == label);
        let bucket = sample.name.ends_with("_bucket") && has("le");
        let quantile = sample.name == summary && has("quantile");
        if (bucket || quantile) && !buckets {
            out.dropped.buckets += 1;
            continue;
        }
        match number(sample.value) {
            Some(value) => out.push(sample.path(), value),
            None => out.dropped.malformed += 1,
        }
    }
    if samples == 0 && out.dropped.malformed > malformed_before {
        return Err("the page is not Prometheus text".to_owned());
    }
    Ok(())
}

struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: &'a str,
}

impl Sample<'_> {
    /// `app.<name>.<label>_<value>...`
    fn path(&self) -> String {
        let mut path = format!("app.{}", component(self.name));
        for (label, value) in &self.labels {
            // an empty label is an absent one
            if !value.is_empty() {
                path.push('.');
                path.push_str(&component(&format!("{label}_{value}")));
            }
        }
        path
    }
}

/// `TYPE <family> <kind>`
fn typed(comment: &str) -> Option<(&str, &str)> {
    let mut words = comment.split_ascii_whitespace();
    (words.next()? == "TYPE").then_some(())?;
    Some((words.next()?, words.next()?))
}

/// `name{label="value",...} value [timestamp] [# exemplar]`
fn sample(line: &str) -> Option<Sample<'_>> {
    let named = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b':';
    let end = line.bytes().position(|b| !named(b)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    let rest = rest.trim_start();
    let (mut labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    labels.sort_unstable();
    let value = rest.split_ascii_whitespace().next()?;
    Some(Sample { name, labels, value })
}

/// Everything up to the closing brace, and the rest of the line.
fn labels(mut rest: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let (value, after) = quoted(after)?;
        labels.push((name.trim(), value));
        rest = after;
    }
}

/// A value up to its closing quote, with `\\`, `\"` and `\n` resolved, and the rest.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::metric::Value;
    use proptest::prelude::*;

    /// From a Go service and a Java one, cut down.
    const PAGE: &str = r#"# HELP go_gc_duration_seconds A summary of the pause duration of garbage collection cycles.
# TYPE go_gc_duration_seconds summary
go_gc_duration_seconds{quantile="0"} 2.3e-05
go_gc_duration_seconds{quantile="1"} 0.000731
go_gc_duration_seconds_sum 0.00215
go_gc_duration_seconds_count 14
# TYPE go_goroutines gauge
go_goroutines 12
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.1"} 5
http_request_duration_seconds_bucket{le="+Inf"} 7
http_request_duration_seconds_sum 1.75
http_request_duration_seconds_count 7
# TYPE http_requests_total counter
http_requests_total{method="GET",code="200",path="/a/{id}\"x\\y\n"} 1027 1395066363000
http_requests_total{method="GET",code="500",empty=""} 3
jvm_memory_bytes_used{area="heap",} 2.4576E7
process_max_fds NaN
rpc:rate5m +Inf
broken{ 5
# EOF
"#;

    fn figures(page: &str, buckets: bool, cap: usize) -> Figures {
        let mut figures = Figures::new(cap);
        parse(page, buckets, &mut figures).unwrap();
        figures
    }

    #[test]
    fn a_page_becomes_paths() {
        let got = figures(PAGE, false, 200);
        let find = |name: &str| got.list.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        assert_eq!(find("app.go_goroutines"), Some(Value::Int(12)));
        assert_eq!(find("app.go_gc_duration_seconds_sum"), Some(Value::Nanos(2_150_000)));
        assert_eq!(find("app.http_request_duration_seconds_count"), Some(Value::Int(7)));
        assert_eq!(find("app.jvm_memory_bytes_used.area_heap"), Some(Value::Int(24_576_000)));
        assert_eq!(find("app.http_requests_total.code_500.method_GET"), Some(Value::Int(3)));
        let odd = got.list.iter().find(|(_, v)| *v == Value::Int(1027)).unwrap();
        assert!(
            odd.0.starts_with("app.http_requests_total.code_200.method_GET.path__a__id__x_y_-")
        );
        assert_eq!(got.dropped.buckets, 4);
        assert_eq!(got.dropped.non_finite, 2);
        assert_eq!(got.dropped.malformed, 1);
        assert_eq!(got.list.len(), 8);
    }

    #[test]
    fn buckets_on_request() {
        let got = figures(PAGE, true, 200);
        assert_eq!(got.dropped.buckets, 0);
        assert!(
            got.list.iter().any(|(n, _)| n.starts_with("app.go_gc_duration_seconds.quantile_0"))
        );
    }

    #[test]
    fn the_cap_is_kept_and_counted() {
        let page: String = (0..500).map(|i| format!("m{{i=\"{i}\"}} 1\n")).collect();
        let got = figures(&page, false, 200);
        assert_eq!((got.list.len(), got.dropped.over_cap), (200, 300));
    }

    #[test]
    fn another_page_is_an_error_and_an_empty_one_is_not() {
        let mut out = Figures::new(10);
        assert!(parse("<html><body>Not found</body></html>", false, &mut out).is_err());
        assert!(parse("", false, &mut Figures::new(10)).is_ok());
        assert!(parse("# nothing yet\n", false, &mut Figures::new(10)).is_ok());
    }

    #[test]
    fn labels_in_another_order_are_the_same_series() {
        let got = figures("m{b=\"2\",a=\"1\"} 1\nm{a=\"1\",b=\"2\"} 1\n", false, 10);
        assert_eq!((got.list.len(), got.dropped.duplicate), (1, 1));
    }

    proptest! {
        #[test]
        fn whatever_comes_names_are_sound(text in "([a-z_:]{0,5}\\{?(\\PC{0,5}=\"\\PC{0,9}\"?,?){0,3}\\}? ?[0-9eE+.naif-]{0,9}\n|\\PC{0,40}\n){0,6}") {
            let mut out = Figures::new(50);
            drop(parse(&text, true, &mut out));
            for (name, value) in out.list {
                prop_assert!(value.as_f64().is_finite() && name.len() <= 400);
                for part in name.split('.') {
                    prop_assert!(!part.is_empty() && part.len() <= 200);
                    prop_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
                }
            }
        }

        #[test]
        fn a_label_comes_back(value in "\\PC{0,20}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let line = format!("m{{l=\"{escaped}\"}} 5");
            let sample = sample(&line).unwrap();
            prop_assert_eq!(&sample.labels[0].1, &value);
        }
    }
}
