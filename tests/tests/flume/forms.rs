//! Plain, deflated, over TLS; and what is said where two sides do not fit.

use super::vectors::BODIES;
use super::{batch, numbered, sink};
use common::tls::Client;
use e2e::flume::{Event, Flume, Settings};
use log_agent::ship::flume::Form;
use log_agent::ship::sink::{Failure, Sink as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// An authority, another one, and a certificate of the first in a key store.
fn certificates(dir: &Path) {
    let script = "
        for ca in ca other; do
          openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=$ca -keyout $ca.key -out $ca.pem
        done
        printf 'basicConstraints=CA:FALSE\\nsubjectAltName=IP:127.0.0.1\\n' >ext
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=flume -keyout key.pem -out csr
        openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -set_serial 1 -days 365 -extfile ext -out cert.pem
        openssl pkcs12 -export -in cert.pem -inkey key.pem -name flume -passout pass:secret -out store.p12";
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn free_ports<const N: usize>() -> [u16; N] {
    // held together, so that they differ
    let held = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

#[test]
fn every_form_ships_and_wrong_ones_are_named() {
    for version in ["1.11.0", "1.9.0"] {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        let [deflate, tls] = free_ports();
        let conf = format!(
            "a1.sources = r1 r2 r3
             a1.sources.r2.type = avro\na1.sources.r2.bind = 127.0.0.1\na1.sources.r2.port = {deflate}
             a1.sources.r2.channels = c1\na1.sources.r2.compression-type = deflate
             a1.sources.r3.type = avro\na1.sources.r3.bind = 127.0.0.1\na1.sources.r3.port = {tls}
             a1.sources.r3.channels = c1\na1.sources.r3.ssl = true\na1.sources.r3.keystore-type = PKCS12
             a1.sources.r3.keystore = {}\na1.sources.r3.keystore-password = secret",
            dir.path().join("store.p12").display()
        );
        let settings = Settings { version, channel: "memory", conf: &conf, ..Settings::default() };
        let flume = Flume::start(&settings).unwrap();
        e2e::wait::eventually(
            std::time::Duration::from_secs(20),
            "all three sources listen",
            || {
                for of in ["SOURCE.r2", "SOURCE.r3"] {
                    anyhow::ensure!(flume.counter(of, "StartTime")? > 0, "{of} does not");
                }
                Ok(())
            },
        )
        .unwrap();
        let plain = flume.address().unwrap();
        let (deflate, tls) = (format!("127.0.0.1:{deflate}"), format!("127.0.0.1:{tls}"));
        let trusting = |file| Form::Tls(Client::load(Some(&dir.path().join(file))).unwrap());

        super::vectors::are_answered(&flume, version);
        let mut wanted = BODIES.map(<[u8]>::to_vec).to_vec();
        let forms = [
            (&plain, Form::Plain),
            (&deflate, Form::Deflate { level: 6 }),
            (&tls, trusting("ca.pem")),
        ];
        for (address, form) in forms {
            let mut sink = sink(address, form);
            sink.idle();
            assert!(sink.status().works, "{version}: {:?}", sink.status().last_failure);
            for _ in 0..2 {
                let mut lines = numbered(wanted.len(), 1_000);
                lines.extend([Vec::new(), b"} not UTF-8 \xff\0 {".to_vec()]);
                sink.send(&batch(wanted.len(), &lines).all()).unwrap();
                wanted.extend(lines);
            }
        }
        let all = |events: &[Event]| {
            anyhow::ensure!(events.len() >= wanted.len(), "{} of {}", events.len(), wanted.len());
            Ok(())
        };
        let arrived = flume.drained(all).unwrap();
        assert!(arrived.iter().map(|e| &e.body).eq(&wanted), "{version}");
        let event = &arrived[1_004].headers;
        let value = |name: &str| event.get(name).map_or("", String::as_str);
        assert_eq!(
            ["dc", "node", "app", "instance", "file", "timestamp", "offset"].map(value),
            ["dc1", "host-17", "video/api", "video_api.1", "sub/app.log", "1795392000123", "1004"]
        );
        assert_eq!(event.len(), 7);

        // an alert names TLS only where the source sends one: 1.11 closes without a word
        for (address, form, words) in [
            (&deflate, Form::Plain, &["flume_compression", "another compression"][..]),
            (&tls, Form::Plain, &["flume_tls", "another compression or TLS"]),
            (&plain, Form::Deflate { level: 6 }, &["another compression"]),
            (&plain, trusting("ca.pem"), &["another compression or TLS"]),
            (&tls, trusting("other.pem"), &["ca_file"]),
        ] {
            let shown = format!("{form:?}");
            let failure = sink(address, form).send(&batch(0, &numbered(0, 1)).all()).unwrap_err();
            let said = failure.to_string();
            assert!(words.iter().any(|w| said.contains(w)), "{version} {shown}: {failure:?}");
            assert!(
                matches!(failure, Failure::Refused { .. } | Failure::Lost { doubtful: false, .. }),
                "{failure:?}"
            );
            eprintln!("{version}, {shown}: {said}");
        }
    }
}
