//! Jolokia's answers (1.x and 2.x) to figures, and what to ask it for. Pure.
//!
//! Plain GET reads: they need no right but `read`, and go through the policies people have. An MBean that is not there (`status` 404:
//! no Tomcat in this JVM) is absent; any other refusal is an error.

use super::connectors::{ATTRIBUTES, Connectors};
use super::figures::{Figures, named, number};
use common::metric::Value;
use serde_json::Value as Json;

/// What is read, below the agent's URL, in this order.
pub(super) const READS: [Read; 6] = [
    Read { path: "/read/java.lang:type=Memory", take: memory },
    Read { path: "/read/java.lang:type=Threading", take: threads },
    Read { path: "/read/java.lang:type=GarbageCollector,name=*", take: collectors },
    Read { path: "/read/java.lang:type=OperatingSystem", take: system },
    Read { path: "/read/*:type=ThreadPool,name=*", take: connectors },
    Read { path: "/read/*:type=GlobalRequestProcessor,name=*", take: connectors },
];

/// One request and who understands its answer.
pub(super) struct Read {
    /// Path below the agent's URL.
    pub path: &'static str,
    take: fn(&Json, &mut Figures, &mut Connectors),
}

impl Read {
    /// Takes one answer. Connectors are kept until all answers are there.
    pub fn parse(
        &self,
        body: &[u8],
        out: &mut Figures,
        tomcat: &mut Connectors,
    ) -> Result<(), String> {
        let answer: Json =
            serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
        match answer.get("status").and_then(Json::as_u64) {
            Some(200) => {}
            Some(404) => return Ok(()),
            Some(status) => {
                return Err(format!("Jolokia answers status {status} to {}", self.path));
            }
            None => return Err("the page is not Jolokia's".to_owned()),
        }
        (self.take)(answer.get("value").unwrap_or(&Json::Null), out, tomcat);
        Ok(())
    }
}

/// A number, unless it is negative, which JMX uses for "none".
fn figure(object: &Json, name: &str) -> Option<Value> {
    match object.get(name)? {
        Json::Number(n) => number(&n.to_string()).filter(|value| value.as_f64() >= 0.0),
        _ => None,
    }
}

fn memory(value: &Json, out: &mut Figures, _: &mut Connectors) {
    for (area, head) in [("HeapMemoryUsage", "jvm.heap"), ("NonHeapMemoryUsage", "jvm.non_heap")] {
        for kind in ["used", "committed", "max"] {
            let bytes = value.get(area).and_then(|area| figure(area, kind));
            out.push_some(format!("{head}.{kind}_bytes"), bytes);
        }
    }
}

fn threads(value: &Json, out: &mut Figures, _: &mut Connectors) {
    out.push_some("jvm.threads.current", figure(value, "ThreadCount"));
    out.push_some("jvm.threads.daemon", figure(value, "DaemonThreadCount"));
    out.push_some("jvm.threads.peak", figure(value, "PeakThreadCount"));
}

/// Sums at `jvm.gc.*`, each collector at `jvm.gc.<name>.*`.
fn collectors(value: &Json, out: &mut Figures, _: &mut Connectors) {
    let mut sums = [None::<u64>; 2];
    let mut each = Vec::new();
    for (mbean, attributes) in value.as_object().into_iter().flatten() {
        let Some(name) = key(mbean, "name") else { continue };
        let whole = |name| attributes.get(name).and_then(Json::as_u64);
        let figures = [whole("CollectionCount"), whole("CollectionTime")];
        for (sum, figure) in sums.iter_mut().zip(figures) {
            if let Some(figure) = figure {
                *sum = Some(sum.unwrap_or(0).saturating_add(figure));
            }
        }
        each.push((name.replace(' ', "_"), figures));
    }
    out.push_some("jvm.gc.collections_total", sums[0].map(Value::Int));
    out.push_some("jvm.gc.seconds_total", sums[1].map(Value::Milli));
    for (name, [count, millis]) in each {
        out.push_some(named("jvm.gc", &name, ".collections_total"), count.map(Value::Int));
        out.push_some(named("jvm.gc", &name, ".seconds_total"), millis.map(Value::Milli));
    }
}

fn system(value: &Json, out: &mut Figures, _: &mut Connectors) {
    out.push_some("jvm.files.open", figure(value, "OpenFileDescriptorCount"));
    out.push_some("jvm.files.limit", figure(value, "MaxFileDescriptorCount"));
}

/// Thread pools and request processors have the connector's name, whatever the domain (`Catalina`, `Tomcat` in Spring Boot).
fn connectors(value: &Json, _: &mut Figures, tomcat: &mut Connectors) {
    for (mbean, attributes) in value.as_object().into_iter().flatten() {
        let Some(name) = key(mbean, "name") else { continue };
        for (attribute, ..) in ATTRIBUTES {
            if let Some(value) = attributes.get(attribute).and_then(Json::as_u64) {
                tomcat.set(name, attribute, value);
            }
        }
    }
}

/// The value of a key in an MBean's name, `domain:type=ThreadPool,name="http-nio-8080"`.
fn key<'a>(mbean: &'a str, key: &str) -> Option<&'a str> {
    let (_, keys) = mbean.split_once(':')?;
    keys.split(',')
        .find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key))
        .map(|(_, v)| v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(answers: [&str; 6]) -> Figures {
        let mut out = Figures::new(200);
        let mut tomcat = Connectors::default();
        for (read, answer) in READS.iter().zip(answers) {
            read.parse(answer.as_bytes(), &mut out, &mut tomcat).unwrap();
        }
        tomcat.emit(&mut out);
        out
    }

    const MISSING: &str = r#"{"request":{"mbean":"*:type=ThreadPool,name=*","type":"read"},"error_type":"javax.management.InstanceNotFoundException","error":"javax.management.InstanceNotFoundException : No MBean with pattern","status":404}"#;

    #[test]
    fn a_jvm_with_tomcat() {
        let got = all([
            r#"{"request":{"mbean":"java.lang:type=Memory","type":"read"},"value":{"ObjectPendingFinalizationCount":0,"Verbose":false,"HeapMemoryUsage":{"init":258998272,"committed":205520896,"max":4116709376,"used":65108528},"NonHeapMemoryUsage":{"init":7667712,"committed":60620800,"max":-1,"used":57212696},"ObjectName":{"objectName":"java.lang:type=Memory"}},"status":200,"timestamp":1795392000}"#,
            r#"{"value":{"ThreadCount":31,"DaemonThreadCount":27,"PeakThreadCount":40},"status":200}"#,
            r#"{"value":{"java.lang:name=G1 Young Generation,type=GarbageCollector":{"CollectionCount":9,"CollectionTime":84},"java.lang:name=G1 Old Generation,type=GarbageCollector":{"CollectionCount":1,"CollectionTime":16}},"status":200}"#,
            r#"{"value":{"OpenFileDescriptorCount":97,"MaxFileDescriptorCount":1048576,"ProcessCpuLoad":0.01},"status":200}"#,
            r#"{"value":{"Catalina:name=\"http-nio-8080\",type=ThreadPool":{"currentThreadsBusy":3,"currentThreadCount":10,"maxThreads":200}},"status":200}"#,
            r#"{"value":{"Catalina:name=\"http-nio-8080\",type=GlobalRequestProcessor":{"requestCount":57,"errorCount":2,"processingTime":1250,"bytesSent":48212,"bytesReceived":99}},"status":200}"#,
        ]);
        let find = |name: &str| got.list.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        assert_eq!(find("jvm.heap.used_bytes"), Some(Value::Int(65_108_528)));
        assert_eq!(find("jvm.non_heap.max_bytes"), None);
        assert_eq!(find("jvm.threads.current"), Some(Value::Int(31)));
        assert_eq!(find("jvm.gc.collections_total"), Some(Value::Int(10)));
        assert_eq!(find("jvm.gc.G1_Young_Generation.seconds_total"), Some(Value::Milli(84)));
        assert_eq!(find("jvm.files.open"), Some(Value::Int(97)));
        assert_eq!(find("tomcat.threads.busy"), Some(Value::Int(3)));
        assert_eq!(find("tomcat.requests_total"), Some(Value::Int(57)));
        // one connector: the sum is it
        assert!(got.list.iter().all(|(name, _)| !name.starts_with("tomcat.connector")));
    }

    #[test]
    fn a_jvm_without_tomcat_is_no_error() {
        let heap = r#"{"value":{"HeapMemoryUsage":{"used":1}},"status":200}"#;
        let got = all([heap, MISSING, MISSING, MISSING, MISSING, MISSING]);
        assert_eq!(got.list, [("jvm.heap.used_bytes".to_owned(), Value::Int(1))]);
    }

    #[test]
    fn refusals_and_other_pages_are_errors() {
        let parse = |body: &str| {
            READS[0].parse(body.as_bytes(), &mut Figures::new(5), &mut Connectors::default())
        };
        assert!(parse(r#"{"status":403,"error":"no"}"#).unwrap_err().contains("403"));
        assert!(parse("<html>").unwrap_err().contains("not JSON"));
        assert!(parse("[]").unwrap_err().contains("not Jolokia"));
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_panics(value in "(\\{|\\}|\"(HeapMemoryUsage|used|java.lang:name=x,type=y|CollectionCount|[a-z:=,]{0,5})\":|[0-9]{1,22}|-1|null|,){0,20}") {
            let body = format!("{{\"status\":200,\"value\":{value}}}");
            for read in READS {
                drop(read.parse(body.as_bytes(), &mut Figures::new(5), &mut Connectors::default()));
            }
        }
    }
}
