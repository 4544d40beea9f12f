//! Questions to Graphite's render API, and its answers. Pure.
//!
//! Targets are whole series names made here, never text of a reader; answers are matched by name, since a series Graphite does not
//! know is simply absent.

use super::Series;
use super::range::Range;
use common::api_types::Instance;
use common::metric::{Namer, Style};
use serde::Deserialize;
use std::collections::HashMap;

/// What is asked, and whose each answered series is.
#[derive(Debug, Default)]
pub struct Question {
    targets: Vec<String>,
    whose: HashMap<String, (usize, String)>,
}

impl Question {
    /// Every metric of every instance.
    pub fn new(instances: &[&Instance], metrics: &[String], prefix: &str, style: Style) -> Self {
        let mut question = Self::default();
        for (at, instance) in instances.iter().enumerate() {
            let series =
                Namer::new(prefix, &instance.dc, style).instance(&instance.app, &instance.id);
            for metric in metrics {
                let name = series.name(metric);
                question.targets.push(target(&name, style));
                question.whose.insert(name, (at, metric.clone()));
            }
        }
        question
    }

    /// The form to POST to `/render`.
    pub fn form(&self, range: Range) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for target in &self.targets {
            form.append_pair("target", target);
        }
        form.append_pair("from", &(range.since.unix_ms() / 1_000).to_string());
        form.append_pair("until", &(range.until.unix_ms() / 1_000).to_string());
        form.append_pair("format", "json").append_pair("maxDataPoints", "2000");
        form.append_pair("noCache", "1");
        form.finish()
    }

    /// The series in an answer.
    pub fn read(&self, body: &[u8], instances: &[&Instance]) -> Result<Vec<Series>, String> {
        let answered: Vec<Answered> =
            serde_json::from_slice(body).map_err(|e| format!("its answer is not a chart: {e}"))?;
        let known = answered.into_iter().filter_map(|one| {
            let (at, metric) = self.whose.get(&one.target)?;
            let instance = instances.get(*at)?;
            Some(Series {
                app: instance.app.clone(),
                instance: instance.id.clone(),
                metric: metric.clone(),
                points: one.datapoints.into_iter().map(|(v, t)| (t * 1_000, v)).collect(),
            })
        });
        Ok(known.collect())
    }
}

#[derive(Deserialize)]
struct Answered {
    target: String,
    datapoints: Vec<(Option<f64>, u64)>,
}

/// A series name as a target. Tag values hold no quotes: they were escaped when they were written.
fn target(name: &str, style: Style) -> String {
    match style {
        Style::Path => name.to_owned(),
        Style::Tags => {
            let mut parts = name.split(';');
            let mut terms = vec![format!("'name={}'", parts.next().unwrap_or_default())];
            terms.extend(parts.map(|tag| format!("'{tag}'")));
            format!("seriesByTag({})", terms.join(","))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use common::moment::Moment;

    pub(crate) fn instance(app: &str, id: &str) -> Instance {
        crate::testing::instance(&format!("local/n/{id}"), app, None)
    }

    #[test]
    fn asked_by_name_and_matched_by_name() {
        let (a, b) = (instance("shop/web", "a1"), instance("shop/web", "b.2"));
        let both = [&a, &b];
        let metrics = ["cpu.percent".to_owned()];
        let asked = Question::new(&both, &metrics, "qae", Style::Path);
        let range = Range::of(Some("100"), Some("200"), Moment::from_unix_ms(0)).unwrap();
        let form = asked.form(range);
        assert!(form.contains("target=qae.dc1.app.shop_web.inst.a1.cpu.percent&"), "{form}");
        assert!(form.contains("&from=100&until=200&format=json"), "{form}");
        let body = br#"[{"target":"qae.dc1.app.shop_web.inst.a1.cpu.percent","tags":{},"datapoints":[[1.5,110],[null,120]]},
            {"target":"foreign","datapoints":[[1,2]]}]"#;
        let series = asked.read(body, &both).unwrap();
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].instance.as_str(), "a1");
        assert_eq!(series[0].points, [(110_000, Some(1.5)), (120_000, None)]);
        assert!(asked.read(b"<html>", &both).unwrap_err().contains("not a chart"));
    }

    #[test]
    fn by_tags() {
        let a = instance("shop/web", "a1");
        let asked = Question::new(&[&a], &["cpu.percent".into()], "qae", Style::Tags);
        assert_eq!(
            asked.targets,
            ["seriesByTag('name=cpu.percent','app=shop/web','dc=dc1','inst=a1')"]
        );
        assert!(asked.whose.contains_key("cpu.percent;app=shop/web;dc=dc1;inst=a1"));
    }
}
