//! Tomcat's `/manager/status?XML=true` (versions 6 to 11) to figures. Pure.
//!
//! A document type, and with it every entity of its own, is refused; depth is bounded; nothing outside the text is ever fetched.

use super::connectors::Connectors;
use super::figures::{Figures, named};
use common::metric::Value;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The page is four deep; one that is deeper is another page.
const MAX_DEPTH: usize = 16;

const NOT_STATUS: &str = "the page is not Tomcat's status in XML; is ?XML=true in the URL?";

/// Attributes of `memorypool`, and what they are called here.
const POOL: [(&str, &str); 3] = [
    ("usageUsed", ".used_bytes"),
    ("usageCommitted", ".committed_bytes"),
    ("usageMax", ".max_bytes"),
];

/// Reads a page.
pub(super) fn parse(text: &str, out: &mut Figures) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    let mut depth = 0_usize;
    let mut connector: Option<String> = None;
    let mut connectors = Connectors::default();
    let mut status = false;
    loop {
        let event = reader.read_event().map_err(|error| format!("{NOT_STATUS} ({error})"))?;
        let (element, opens) = match event {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(element) => {
                if element.name().as_ref() == b"connector" {
                    connector = None;
                }
                depth = depth.saturating_sub(1);
                continue;
            }
            Event::DocType(_) => return Err("a document type is not taken".to_owned()),
            Event::Eof => break,
            _ => continue,
        };
        depth += usize::from(opens);
        if depth > MAX_DEPTH {
            return Err(format!("deeper than {MAX_DEPTH} elements"));
        }
        match element.name().as_ref() {
            b"status" => status = true,
            b"connector" => connector = attribute(&element, "name"),
            b"threadInfo" | b"requestInfo" => {
                if let Some(connector) = &connector {
                    connector_figures(connector, &element, &mut connectors);
                }
            }
            b"memory" => heap(&element, out),
            b"memorypool" => pool(&element, out),
            _ => {}
        }
    }
    if !status || depth != 0 {
        return Err(NOT_STATUS.to_owned());
    }
    connectors.emit(out);
    Ok(())
}

fn connector_figures(connector: &str, element: &BytesStart<'_>, connectors: &mut Connectors) {
    for attribute in element.attributes().with_checks(false).map_while(Result::ok) {
        let name = String::from_utf8_lossy(attribute.key.as_ref());
        // -1 is "no limit of its own", which is no figure
        let value = attribute.unescape_value().ok().and_then(|value| value.parse().ok());
        if let Some(value) = value {
            connectors.set(connector, &name, value);
        }
    }
}

/// `<memory free='..' total='..' max='..'/>`: the heap.
fn heap(element: &BytesStart<'_>, out: &mut Figures) {
    let number = |name| attribute(element, name).and_then(|value| value.parse::<u64>().ok());
    let (free, total, max) = (number("free"), number("total"), number("max"));
    let used = total.zip(free).and_then(|(total, free)| total.checked_sub(free));
    out.push_some("jvm.heap.used_bytes", used.map(Value::Int));
    out.push_some("jvm.heap.committed_bytes", total.map(Value::Int));
    out.push_some("jvm.heap.max_bytes", max.map(Value::Int));
}

fn pool(element: &BytesStart<'_>, out: &mut Figures) {
    let Some(name) = attribute(element, "name") else { return };
    // "G1 Eden Space", "CodeHeap 'profiled nmethods'": no two pools differ in these characters only
    let name = name.replace('\'', "").replace(' ', "_");
    for (field, tail) in POOL {
        let value = attribute(element, field).and_then(|value| value.parse().ok());
        out.push_some(named("jvm.pool", &name, tail), value.map(Value::Int));
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    // duplicates are not looked for: that takes quadratic time
    let mut attributes = element.attributes();
    let mut attributes = attributes.with_checks(false).map_while(Result::ok);
    let found = attributes.find(|attribute| attribute.key.as_ref() == name.as_bytes())?;
    found.unescape_value().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Tomcat 9.0, as it is, worker rows cut.
    const PAGE: &str = r#"<?xml version="1.0" encoding="utf-8"?><?xml-stylesheet type="text/xsl" href="/manager/xform.xsl" ?>
<status><jvm><memory free='140412368' total='205520896' max='4116709376'/><memorypool name='G1 Eden Space' type='Heap memory' usageInit='25165824' usageCommitted='56623104' usageMax='-1' usageUsed='10485760'/><memorypool name='CodeHeap &apos;non-nmethods&apos;' type='Non-heap memory' usageInit='2555904' usageCommitted='2555904' usageMax='5839372' usageUsed='1306368'/></jvm><connector name='"http-nio-8080"'><threadInfo  maxThreads="200" currentThreadCount="10" currentThreadsBusy="3" /><requestInfo  maxTime="181" processingTime="1250" requestCount="57" errorCount="2" bytesReceived="99" bytesSent="48212" /><workers><worker  stage="S" requestProcessingTime="13" requestBytesSent="0" requestBytesReceived="0" remoteAddr="127.0.0.1" virtualHost="localhost" method="GET" currentUri="/manager/status" currentQueryString="XML=true&amp;x" protocol="HTTP/1.1" /></workers></connector><connector name='"ajp-nio-8009"'><threadInfo  maxThreads="-1" currentThreadCount="0" currentThreadsBusy="0" /><requestInfo  maxTime="0" processingTime="0" requestCount="1" errorCount="0" bytesReceived="0" bytesSent="0" /><workers></workers></connector></status>"#;

    fn find(out: &Figures, name: &str) -> Option<Value> {
        out.list.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    #[test]
    fn the_page_of_version_9() {
        let mut out = Figures::new(200);
        parse(PAGE, &mut out).unwrap();
        assert_eq!(find(&out, "jvm.heap.used_bytes"), Some(Value::Int(65_108_528)));
        assert_eq!(find(&out, "jvm.heap.max_bytes"), Some(Value::Int(4_116_709_376)));
        assert_eq!(find(&out, "jvm.pool.G1_Eden_Space.used_bytes"), Some(Value::Int(10_485_760)));
        assert_eq!(find(&out, "jvm.pool.G1_Eden_Space.max_bytes"), None);
        let code = "jvm.pool.CodeHeap_non-nmethods.used_bytes";
        assert_eq!(find(&out, code), Some(Value::Int(1_306_368)));
        assert_eq!(find(&out, "tomcat.threads.busy"), Some(Value::Int(3)));
        assert_eq!(find(&out, "tomcat.threads.max"), Some(Value::Int(200)));
        assert_eq!(find(&out, "tomcat.requests_total"), Some(Value::Int(58)));
        assert_eq!(find(&out, "tomcat.processing_seconds_total"), Some(Value::Milli(1250)));
        let one = "tomcat.connector.http-nio-8080.sent_bytes_total";
        assert_eq!(find(&out, one), Some(Value::Int(48_212)));
        assert_eq!(find(&out, "tomcat.connector.ajp-nio-8009.threads.max"), None);
    }

    #[test]
    fn other_pages_are_refused() {
        let refuse = |page: &str| parse(page, &mut Figures::new(10)).unwrap_err();
        assert!(refuse("<html><body></body></html>").contains("XML=true"));
        assert!(refuse("").contains("XML=true"));
        assert!(refuse("<status><jvm>").contains("XML=true"));
        assert!(refuse("</status>").contains("XML=true"));
        let bomb = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><status>&a;</status>";
        assert_eq!(refuse(bomb), "a document type is not taken");
        assert!(refuse(&"<a>".repeat(10_000)).contains("deeper"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(<status>|</status>|<connector name='[a-z\"]{0,3}'>|</connector>|<threadInfo maxThreads=\"[0-9-]{0,21}\"/>|<memory [a-z='0-9]{0,20}/>|<!|&[a-z#0-9]{0,4};|\\PC){0,20}") {
            drop(parse(&text, &mut Figures::new(20)));
        }

        #[test]
        fn a_cut_page_is_an_error(at in 0..PAGE.len() - 1) {
            prop_assume!(PAGE.is_char_boundary(at));
            prop_assert!(parse(&PAGE[..at], &mut Figures::new(200)).is_err());
        }
    }
}
