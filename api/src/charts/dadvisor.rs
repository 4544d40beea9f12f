//! The last hour from a node's dadvisor: what is asked, and its answer. Pure.

use super::Series;
use super::range::Range;
use common::api_types::Instance;
use serde::Deserialize;

/// Path and query for one metric of one container; the id is the engine's or an agent's word and is escaped.
pub fn path(container: &str, metric: &str, range: Range) -> String {
    let id: String = form_urlencoded::byte_serialize(container.as_bytes()).collect();
    // a form writes a space as +, which in a path is a plus
    let id = id.replace('+', "%20");
    let since = range.since.unix_ms() / 1_000;
    format!("/v1/containers/{id}/recent?metric={metric}&since={since}")
}

#[derive(Deserialize)]
struct Recent {
    points: Vec<(u64, f64)>,
}

/// The series in an answer. Points are the node's ticks; one that is missing between two others is a null, so that charts show it.
pub fn read(
    body: &[u8],
    instance: &Instance,
    metric: &str,
    range: Range,
) -> Result<Series, String> {
    let recent: Recent =
        serde_json::from_slice(body).map_err(|e| format!("its answer is no series: {e}"))?;
    let within =
        |t: &u64| *t > range.since.unix_ms() / 1_000 && *t <= range.until.unix_ms() / 1_000;
    let kept: Vec<_> = recent.points.into_iter().filter(|(t, _)| within(t)).collect();
    let step = kept.windows(2).map(|w| w[1].0.saturating_sub(w[0].0)).min().unwrap_or(0);
    let mut points = Vec::with_capacity(kept.len());
    for (at, (time, value)) in kept.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|b| kept.get(b)).map(|(t, _)| *t);
        if let Some(before) = before.filter(|b| step > 0 && time.saturating_sub(*b) > step) {
            points.push(((before + step) * 1_000, None));
        }
        points.push((time * 1_000, Some(*value)));
    }
    Ok(Series {
        app: instance.app.clone(),
        instance: instance.id.clone(),
        metric: metric.to_owned(),
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::moment::Moment;
    use proptest::prelude::*;

    fn range() -> Range {
        Range::of(Some("100"), Some("200"), Moment::from_unix_ms(0)).unwrap()
    }

    #[test]
    fn a_missed_tick_is_a_gap() {
        let instance = super::super::graphite::tests::instance("a", "b");
        let body = br#"{"id":"x","points":[[100,9.0],[110,1.0],[120,2.0],[150,3.0],[210,9.0]]}"#;
        let series = read(body, &instance, "cpu.percent", range()).unwrap();
        assert_eq!(
            series.points,
            [(110_000, Some(1.0)), (120_000, Some(2.0)), (130_000, None), (150_000, Some(3.0))]
        );
        assert!(read(b"{", &instance, "cpu.percent", range()).is_err());
    }

    #[test]
    fn ids_stay_within_their_segment() {
        let path = path("../x y?z", "cpu.percent", range());
        assert_eq!(path, "/v1/containers/..%2Fx%20y%3Fz/recent?metric=cpu.percent&since=100");
    }

    proptest! {
        #[test]
        fn no_answer_breaks_it(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let instance = super::super::graphite::tests::instance("a", "b");
            // most of it is no JSON: an error and not a panic is all there is to see
            prop_assert!(read(&body, &instance, "m", range()).map_or(true, |s| s.points.len() <= 400));
        }
    }
}
