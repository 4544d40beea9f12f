//! The first admin token, and the way back in when every admin token is lost.
//!
//! The centre makes it at its first start and writes it to `<state>/api/admin-token`, readable by its own user only. The file comes
//! before the row: after a crash in between, the next start enters the token that is in the file, so that there is never a row whose
//! secret nobody has. Of several processes that start at once on one store one makes it; on one state directory they use one file.

use super::audit::{self, Action, By, Change};
use super::role::Role;
use super::rows;
use super::secret::{Kind, Secret};
use super::token::{Token, all_apps};
use super::{Error, new_id};
use crate::store::Store;
use common::moment::Moment;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sqlx::AnyConnection;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// The file's name.
const FILE: &str = "admin-token";
/// The token's name.
const NAME: &str = "admin";
/// What to do when nobody has an admin token any more.
const WAY_BACK: &str =
    "`qae-api --new-admin-token` on this host, with the daemon stopped, makes a new one";

/// Makes the first admin token, if the store has none.
pub async fn start(store: &Store, dir: &Path, now: Moment) -> Result<(), Error> {
    let path = dir.join(FILE);
    let sql = "SELECT COUNT(*) FROM tokens WHERE role = 'admin'";
    let there: i64 = sqlx::query_scalar(sql).fetch_one(store.read()).await?;
    if there > 0 {
        if !path.exists() {
            tracing::info!("{} is gone; if nobody has an admin token, {WAY_BACK}", path.display());
        }
        return Ok(());
    }
    // small files, once, before anything is served: no need to keep the runtime free of them
    let (secret, ours) = secret_in(dir, &path)?;
    let hash = secret.hash();
    let made = store
        .write(move |c| {
            Box::pin(async move {
                rows::bump(c).await?;
                if rows::count_admins(c, None).await? > 0 {
                    return Ok::<_, Error>(None);
                }
                let token = admin(free_name(c).await?, now)?;
                rows::insert_token(c, &token, &hash).await?;
                note(c, &token, Action::TokenCreated, "first start", now).await?;
                Ok(Some(token.name))
            })
        })
        .await?;
    match made {
        Some(name) => tracing::info!("made admin token \"{name}\"; it is in {}", path.display()),
        // another process was first; unless the two share a directory its file is elsewhere, and ours would open nothing
        None if ours && !opens(store, &secret).await? => {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        None => {}
    }
    Ok(())
}

/// Makes a new admin token in place of the one named `admin` and writes it to the file; the old one and its sessions end. For the host's
/// administrator, who can read and write the store anyway. The file's path.
pub async fn renew(store: &Store, dir: &Path, now: Moment) -> Result<PathBuf, Error> {
    let path = dir.join(FILE);
    let secret = Secret::random(Kind::Token)?;
    let hash = secret.hash();
    // all that can fail of the file is done before the old token ends
    let written = write_beside(dir, &secret)?;
    store
        .write(move |c| {
            Box::pin(async move {
                rows::bump(c).await?;
                let before = rows::token_named(c, NAME).await?;
                let (name, action) = match before {
                    Some(old) if old.role == Role::Admin => {
                        rows::delete_token(c, &old.id).await?;
                        (old.name, Action::TokenRenewed)
                    }
                    _ => (free_name(c).await?, Action::TokenCreated),
                };
                let token = admin(name, now)?;
                rows::insert_token(c, &token, &hash).await?;
                note(c, &token, action, "--new-admin-token", now).await
            })
        })
        .await
        .inspect_err(|_| drop(fs::remove_file(&written)))?;
    fs::rename(&written, &path).map_err(failed("rename onto", &path))?;
    sync(dir)?;
    Ok(path)
}

fn admin(name: String, now: Moment) -> Result<Token, Error> {
    Ok(Token {
        id: new_id()?,
        name,
        role: Role::Admin,
        apps: all_apps(),
        node: None,
        topics: None,
        created: now,
        expires: None,
        last_used: None,
    })
}

/// `admin`, or what comes nearest.
async fn free_name(c: &mut AnyConnection) -> Result<String, Error> {
    let mut name = NAME.to_owned();
    let mut number = 1;
    while rows::token_named(c, &name).await?.is_some() {
        number += 1;
        name = format!("{NAME}-{number}");
    }
    Ok(name)
}

async fn note(
    c: &mut AnyConnection,
    token: &Token,
    action: Action,
    cause: &str,
    now: Moment,
) -> Result<(), Error> {
    let after = Some(super::shown(token));
    let change = Change { action, subject: &token.name, before: None, after };
    audit::write(c, &By::centre(cause), change, now).await
}

async fn opens(store: &Store, secret: &Secret) -> Result<bool, Error> {
    let sql = "SELECT COUNT(*) FROM tokens WHERE hash = $1";
    let found: i64 =
        sqlx::query_scalar(sql).bind(secret.hash().hex()).fetch_one(store.read()).await?;
    Ok(found > 0)
}

/// The secret in the file, which is made if it is not there; whether it was made here.
fn secret_in(dir: &Path, path: &Path) -> Result<(Secret, bool), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(failed("create the directory", dir))?;
    if let Some(secret) = kept(path)? {
        return Ok((secret, false));
    }
    let secret = Secret::random(Kind::Token)?;
    let written = write_beside(dir, &secret)?;
    let placed = renameat_with(CWD, &written, CWD, path, RenameFlags::NOREPLACE);
    let placed = placed.map_err(io::Error::from);
    match placed {
        Ok(()) => {
            sync(dir)?;
            Ok((secret, true))
        }
        Err(e) => {
            drop(fs::remove_file(&written));
            match (e.kind(), kept(path)?) {
                // another process made it in this very moment
                (ErrorKind::AlreadyExists, Some(secret)) => Ok((secret, false)),
                _ => Err(failed("rename onto", path)(e)),
            }
        }
    }
}

/// The token that is in the file. One that others can read is not taken: it is moved out of the way.
fn kept(path: &Path) -> Result<Option<Secret>, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("open", path)(e)),
    };
    let mode = file.metadata().map_err(failed("look at", path))?.mode();
    let mut text = String::new();
    let read = file.take(1024).read_to_string(&mut text);
    let secret = read.ok().and_then(|_| Secret::parse(text.trim()));
    match secret.filter(|secret| secret.kind() == Kind::Token) {
        Some(secret) if mode & 0o077 == 0 => Ok(Some(secret)),
        found => {
            let why = if found.is_some() { "others may read it" } else { "it holds no token" };
            let aside = path.with_file_name("admin-token.unused");
            tracing::warn!("{}: {why}; moved to {}", path.display(), aside.display());
            fs::rename(path, &aside).map_err(failed("move aside", path))?;
            Ok(None)
        }
    }
}

/// Writes the secret to a file of its own in the directory.
fn write_beside(dir: &Path, secret: &Secret) -> Result<PathBuf, Error> {
    let path = dir.join(format!(".{FILE}.{}", new_id()?));
    // create_new: a link somebody put there is never followed
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = file.map_err(failed("create", &path))?;
    // made by root for the daemon's user, whose directory it is
    let owner = fs::metadata(dir).map_err(failed("look at", dir))?;
    if rustix::process::geteuid().is_root() {
        fchown(&file, Some(owner.uid()), Some(owner.gid())).map_err(failed("give away", &path))?;
    }
    file.write_all(format!("{}\n", secret.reveal()).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed("write", &path))?;
    Ok(path)
}

fn sync(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("fsync", dir))
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { step, path, source }
}

#[cfg(test)]
mod tests;
