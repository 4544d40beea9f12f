//! It starts, ends and starts again; beside others that have its ports.

use crate::support::{END, Up, directory};
use anyhow::{Result, ensure};
use e2e::daemon::binary;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

#[test]
fn it_ends_in_time_and_starts_again_as_it_was() -> Result<()> {
    let dir = directory()?;
    let up = Up::start(dir.path())?;
    let (address, token) = (up.address.clone(), dir.path().join(".qae/admin-token"));
    let secret = std::fs::read_to_string(&token)?;
    ensure!(token.metadata()?.mode() & 0o777 == 0o600, "others may read the token");
    up.shown(&["token", "create", "kept"])?;
    let config = dir.path().join(".qae/qae.toml");
    let text = std::fs::read_to_string(&config)? + "# mine\n";
    std::fs::write(&config, &text)?;
    let (status, took) = up.interrupt()?;
    ensure!(status.success() && took < END, "{status} after {took:?}");

    let up = Up::start(dir.path())?;
    ensure!(up.address == address, "{} was {address}", up.address);
    ensure!(std::fs::read_to_string(&token)? == secret, "another token");
    ensure!(std::fs::read_to_string(&config)? == text, "the config was rewritten");
    ensure!(up.shown(&["token", "list"])?.contains("\nkept "), "the store is another one");
    Ok(())
}

#[test]
fn one_per_directory_and_other_ports_beside_others() -> Result<()> {
    // whoever has it: it is taken
    let held = TcpListener::bind("127.0.0.1:7000");
    let (one, two) = (directory()?, directory()?);
    let first = Up::start(one.path())?;
    ensure!(!first.address.ends_with(":7000"), "{}", first.address);
    ensure!(first.said.iter().any(|l| l.contains("127.0.0.1:7000 is taken, ")), "{:?}", first.said);
    drop(held);
    let second = Up::start(two.path())?;
    ensure!(first.address != second.address, "{}", first.address);
    // each command finds the one it stands beneath
    first.shown(&["token", "create", "only-here"])?;
    ensure!(!second.shown(&["token", "list"])?.contains("only-here"));

    let refused = Command::new(binary("qae")?).arg("up").current_dir(one.path()).output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(69) && said.contains("another `qae up`"), "{said}");
    Ok(())
}

#[test]
fn a_wrong_config_is_refused_by_line() -> Result<()> {
    let dir = directory()?;
    std::fs::create_dir(dir.path().join(".qae"))?;
    std::fs::write(dir.path().join(".qae/qae.toml"), "[server]\nlisten = 7\n[nod]\n")?;
    let refused = Command::new(binary("qae")?).arg("up").current_dir(dir.path()).output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(64), "{:?}: {said}", refused.status);
    ensure!(said.contains("qae.toml:2: ") && said.contains("unknown section [nod]"), "{said}");
    Ok(())
}
