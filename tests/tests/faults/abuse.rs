//! Clients that send rubbish, never end, never read, come in crowds, or mean another host: passes go on, and the next client is served.

use crate::lab::{Groups, SOON, bare, descriptors, own, passes, said};
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::{Dadvisor, Home};
use e2e::wait::eventually;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// For a head to be complete, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

fn connect(dadvisor: &Dadvisor) -> Result<TcpStream> {
    let stream = TcpStream::connect(&dadvisor.address)?;
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

/// Sends bytes; what comes back until the end of the connection, which may be a reset.
fn answer(dadvisor: &Dadvisor, bytes: &[u8]) -> Result<String> {
    let mut stream = connect(dadvisor)?;
    // a server that has heard enough may close before the last byte
    let sent = stream.write_all(bytes);
    let (mut back, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => back.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => break,
            Err(e) => return Err(e).context("neither an answer nor an end"),
        }
    }
    ensure!(sent.is_ok() || bytes.len() > 4096, "{sent:?}");
    Ok(String::from_utf8_lossy(&back).into_owned())
}

/// It answers others, and takes passes.
fn lives(dadvisor: &Dadvisor) -> Result<()> {
    passes(dadvisor, 2)?;
    let health = dadvisor.ask("/healthz")?;
    ensure!(health.status == 200, "/healthz: status {}", health.status);
    Ok(())
}

/// A daemon with enough to say that a client who does not read holds it up.
fn talkative(test: &str) -> Result<(Groups, Home)> {
    let groups = Groups::new(test)?;
    (0..100).try_for_each(|n| groups.create(&format!("c{n:02}")))?;
    let mut settings = bare("");
    settings.more = groups.wanted();
    let home = Home::new(&settings)?;
    Ok((groups, home))
}

#[test]
fn rubbish_is_refused() -> Result<()> {
    let home = Home::new(&bare(""))?;
    let dadvisor = home.start()?;
    passes(&dadvisor, 1)?;
    let get = |head: &str| format!("GET /v1/node HTTP/1.1\r\nConnection: close\r\n{head}\r\n");
    let host = format!("Host: {}\r\n", dadvisor.address);
    let long = format!("{host}X: {}\r\n", "x".repeat(1 << 20));
    let many = (0..10_000).fold(host.clone(), |all, n| format!("{all}X-{n}: 1\r\n"));
    let body = format!("{host}Content-Length: 99999999999\r\n");
    let noise: Vec<u8> =
        (0..100_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    for (what, bytes, wanted) in [
        ("the right thing", get(&host).into_bytes(), &["200"][..]),
        ("another host", get("Host: evil.example\r\n").into_bytes(), &["421"]),
        (
            "a host that is no text",
            [b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n".to_vec()].concat(),
            &["400"],
        ),
        ("two hosts", get(&format!("{host}{host}")).into_bytes(), &["400"]),
        ("no host", get("").into_bytes(), &["400"]),
        ("a header of 1 MiB", get(&long).into_bytes(), &["431", ""]),
        ("ten thousand headers", get(&many).into_bytes(), &["431", ""]),
        (
            "a path of 100 KiB",
            format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(100 << 10)).into_bytes(),
            &["414", "431", ""],
        ),
        ("a body without end", get(&body).into_bytes(), &["413"]),
        ("another method", get(&host).replace("GET", "DELETE").into_bytes(), &["405"]),
        (
            "no path of ours",
            get(&host).replace("/v1/node", "/../../etc/passwd").into_bytes(),
            &["404"],
        ),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &["400", ""]),
        ("noise", noise, &["400", "431", ""]),
        ("nothing", b"\r\n\r\n".to_vec(), &["400", ""]),
    ] {
        let back = answer(&dadvisor, &bytes).context(what)?;
        let status = back.split(' ').nth(1).unwrap_or("");
        println!("{what}: {status:?}");
        ensure!(wanted.contains(&status), "{what}: {back:.300}");
    }
    lives(&dadvisor)?;
    let lines = dadvisor.log().lines().count();
    ensure!(lines <= 4, "{lines} lines of log for what clients did");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}

#[test]
fn who_never_ends_and_who_never_reads_is_cut_off() -> Result<()> {
    let (_groups, home) = talkative("slow")?;
    let dadvisor = home.start()?;
    passes(&dadvisor, 7)?;
    let broken = own(&dadvisor, "dadvisor_http_connections_broken_total")?;

    // a head that comes byte by byte
    let begun = Instant::now();
    let mut dripping = connect(&dadvisor)?;
    let mut cut = false;
    for byte in b"GET /v1/node HTTP/1.1\r\n".iter().chain(std::iter::repeat(&b'x')).take(100) {
        if dripping.write_all(&[*byte]).is_err() {
            cut = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    ensure!(cut, "a head of {:?} is still listened to", begun.elapsed());
    println!("a head byte by byte: cut off after {:?}", begun.elapsed());
    ensure!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());

    // answers of megabytes that nobody takes: asked for until the kernels between are full
    let mut deaf = connect(&dadvisor)?;
    deaf.set_nonblocking(true)?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", dadvisor.address);
    let asked = request.repeat(500);
    let sent = deaf.write(asked.as_bytes())?;
    ensure!(sent >= request.len() * 50, "only {sent} bytes of requests were taken");
    lives(&dadvisor)?;
    eventually(PATIENCE * 2 + SOON, "both are cut off", || {
        let now = own(&dadvisor, "dadvisor_http_connections_broken_total")?;
        ensure!(now >= broken + 2.0, "{} more are", now - broken);
        Ok(())
    })?;
    lives(&dadvisor)?;
    ensure!(said(&dadvisor, "ticks passed without a pass") == 0, "a client cost a tick");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}

#[test]
fn two_hundred_connections_are_a_bound_and_not_the_end() -> Result<()> {
    let home = Home::new(&bare(""))?;
    let dadvisor = home.start()?;
    passes(&dadvisor, 2)?;
    let files = descriptors(dadvisor.pid())?;
    let crowd: Vec<_> = (0..200).map(|_| connect(&dadvisor)).collect::<Result<_>>()?;
    eventually(SOON, "the bound is reached", || {
        let now = descriptors(dadvisor.pid())?;
        ensure!(now > files + 60, "{} more descriptors", now - files);
        Ok(())
    })?;
    // whoever comes now is told to come back, and not left waiting
    let turned = answer(&dadvisor, b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let status = turned.split(' ').nth(1).unwrap_or("");
    ensure!(["503", ""].contains(&status), "{turned}");
    let most = descriptors(dadvisor.pid())?;
    ensure!(most <= files + 64 + 16 + 4, "{} descriptors for 200 clients", most - files);
    // those who say nothing lose their places
    eventually(PATIENCE, "there is room again", || {
        let health = dadvisor.ask("/healthz")?;
        ensure!(health.status == 200, "/healthz: status {}", health.status);
        Ok(())
    })?;
    ensure!(own(&dadvisor, "dadvisor_http_connections_refused_total")? >= 100.0, "not counted");
    drop(crowd);
    lives(&dadvisor)?;
    eventually(SOON, "descriptors are given back", || {
        let now = descriptors(dadvisor.pid())?;
        ensure!(now <= files + 2, "{} more", now - files);
        Ok(())
    })?;
    ensure!(said(&dadvisor, "ticks passed without a pass") == 0, "clients cost a tick");
    ensure!(dadvisor.stop()?.success(), "it ended badly");
    Ok(())
}
