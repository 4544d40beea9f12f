//! What is wrong at the start ends the daemon with the code and the words that tell a person what to do.

use crate::lab::bare;
use anyhow::{Context, Result, ensure};
use e2e::dadvisor::Home;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::net::TcpListener;
use std::process::Output;
use std::time::{Duration, Instant};

/// Runs it, with more arguments, to its end.
fn run(home: &Home, arguments: &[&str]) -> Result<Output> {
    Ok(home.command()?.args(arguments).output()?)
}

/// Fails unless it ended with this code and told all of this, all on lines that begin with its name.
fn ends(output: &Output, code: i32, words: &[&str]) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(code), "{}, {said}", output.status);
    for word in words {
        ensure!(said.contains(word), "no {word:?} in: {said}");
    }
    let last = said.trim_end().lines().last().unwrap_or("");
    ensure!(last.starts_with("dadvisor: "), "{said}");
    Ok(())
}

#[test]
fn a_wrong_config_is_refused_with_file_line_and_key() -> Result<()> {
    let home = Home::new(&bare(""))?;
    let file = home.config().display().to_string();
    let correct = std::fs::read_to_string(home.config())?;
    // what is written, and where and what the daemon must say of it; lines count from the end of the correct part
    let base = correct.lines().count();
    let at = |line: usize| format!("{file}:{}: ", base + line);
    for (text, line, words) in [
        ("intervall = \"10s\"", 1, &["`intervall`", "[dadvisor]", "did you mean `interval`?"][..]),
        ("\nfamilies = [\"cpu\", \"memroy\"]", 2, &["families", "memroy", "memory"]),
        ("recent_max = \"lots\"", 1, &["recent_max", "lots"]),
        ("[graphit]\ncarbon = []", 1, &["[graphit]", "did you mean [graphite]?"]),
        ("[server]\n[node]\nname = \"x\"", 2, &["not TOML"]),
        ("what is this", 1, &["not TOML"]),
        ("cgroups = [\"a/../b\"]", 1, &["cgroups", "a/../b"]),
        ("cgroups = 7", 1, &["cgroups", "7"]),
    ] {
        home.edit(|_| format!("{correct}{text}\n"))?;
        let at = at(line);
        let words: Vec<_> = [at.as_str()].iter().chain(words).copied().collect();
        for arguments in [&[][..], &["--check"]] {
            ends(&run(&home, arguments)?, 64, &words).context(text)?;
        }
    }
    // all that is wrong is told at once
    home.edit(|_| format!("{correct}intervall = 1\nfamilis = 2\n"))?;
    ends(&run(&home, &[])?, 64, &[&at(1), "`interval`", &at(2), "`families`"])?;
    std::fs::write(home.config(), b"[node]\nname = \"\xff\"\n")?;
    ends(&run(&home, &[])?, 64, &[&format!("{file}:2: "), "UTF-8"])
}

#[test]
fn a_named_file_that_is_not_there_and_a_wrong_command_line_are_refused() -> Result<()> {
    let home = Home::new(&bare(""))?;
    let file = home.config().display().to_string();
    std::fs::remove_file(home.config())?;
    ends(&run(&home, &[])?, 64, &[&file, "No such file"])?;
    std::fs::create_dir(home.config())?;
    ends(&run(&home, &[])?, 64, &[&file])?;
    let output = run(&home, &["--chek"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(64) && said.contains("--check"), "{said}");
    Ok(())
}

#[test]
fn the_check_prints_a_config_that_means_the_same() -> Result<()> {
    let home = Home::new(&bare("127.0.0.1:2003"))?;
    let output = run(&home, &["--check"])?;
    ensure!(output.status.code() == Some(0) && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout)?;
    for line in
        ["name = \"e2e\"", "interval = \"1s\"", "carbon = [\"127.0.0.1:2003\"]", "spool_max = "]
    {
        ensure!(printed.contains(line), "no {line} in:\n{printed}");
    }
    ensure!(!home.state().exists(), "a check makes no state directory");
    std::fs::write(home.config(), &printed)?;
    let again = String::from_utf8(run(&home, &["--check"])?.stdout)?;
    // but for the lines where the values stand
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap_or("").to_owned()).collect()
    };
    ensure!(values(&again) == values(&printed), "{printed}, then {again}");
    Ok(())
}

#[test]
fn an_address_in_use_is_waited_for_and_then_told() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let home = Home::new(&bare(""))?;
    home.edit(|text| text.replace("127.0.0.1:0", &address))?;
    let asked = Instant::now();
    ends(&run(&home, &[])?, 69, &["cannot listen on", &address, "`listen`"])?;
    ensure!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    // one that gets free meanwhile is had
    let freed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(taken);
    });
    let dadvisor = home.start()?;
    ensure!(freed.is_finished(), "it listens on an address that is taken");
    ensure!(dadvisor.ask("/healthz")?.status == 200, "it is not healthy");
    Ok(())
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told() -> Result<()> {
    // a file where a directory has to be
    let home = Home::new(&bare("127.0.0.1:2003"))?;
    std::fs::write(home.state(), "")?;
    let state = home.state().display().to_string();
    ends(&run(&home, &[])?, 69, &[&state, "state_dir"])?;
    // a file system that is read-only
    std::fs::remove_file(home.state())?;
    std::fs::create_dir(home.state())?;
    mount("tmpfs", home.state(), "tmpfs", MountFlags::RDONLY, None).context("mount tmpfs")?;
    let output = run(&home, &[]);
    unmount(home.state(), UnmountFlags::DETACH)?;
    ends(&output?, 69, &[&state, "Read-only file system", "state_dir"])?;
    // another dadvisor's
    let first = home.start()?;
    ends(&run(&home, &[])?, 69, &[&state, "in use"])?;
    ensure!(first.stop()?.success(), "it ended badly");
    Ok(())
}
