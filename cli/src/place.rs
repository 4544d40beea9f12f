//! Where the centre is, and with which token it is asked.
//!
//! What was named (`--url`, `--token-file`, their variables) wins; else the nearest `.qae/qae.toml` upward from here, which `qae up`
//! writes; else `/etc/qae/qae.toml`. Promise: a token goes only to the centre it was configured for, and a `.qae` directory that
//! somebody else put there is not read.

use crate::args;
use crate::error::Error;
use common::config::api::Section;
use common::config::{DEFAULT_PATH, Source};
use common::http::Url;
use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The directory `qae up` keeps its state in, unless told otherwise.
pub const DIRECTORY: &str = ".qae";
/// The config file in it.
pub const FILE: &str = "qae.toml";
/// Longest token file, in bytes.
const TOKEN_MOST: u64 = 4096;

/// What is sent as `Authorization: Bearer`. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads a file with one token and nothing else.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(Error::file("open the token file", path))?;
        file.take(TOKEN_MOST)
            .read_to_string(&mut text)
            .map_err(Error::file("read the token file", path))?;
        Self::parse(&text).ok_or_else(|| {
            let path = path.display();
            Error::Usage(format!(
                "{path}: holds no token; a token is one word of letters, digits, _ and -"
            ))
        })
    }

    /// One word that can stand in a header. Anything else is some other file, whose text must not leave this host.
    pub fn parse(text: &str) -> Option<Self> {
        let word = text.trim();
        let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        (!word.is_empty() && word.len() <= 512 && word.bytes().all(good))
            .then(|| Self(word.to_owned()))
    }

    /// As it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}

/// The centre to ask.
#[derive(Debug, Clone)]
pub struct Centre {
    /// Its address.
    pub url: Url,
    /// Who asks.
    pub token: Option<Token>,
    /// Where the token was read.
    pub token_file: Option<PathBuf>,
    /// Who vouches for an https centre; None: this host's authorities.
    pub ca_file: Option<PathBuf>,
    /// What named it, for people.
    pub named_by: String,
}

/// What a config file says of the centre.
#[derive(Debug)]
struct Configured {
    path: PathBuf,
    url: Url,
    token_file: PathBuf,
    ca_file: Option<PathBuf>,
}

/// Finds the centre for somebody who stands in `here`.
pub fn find(named: &args::Place, here: &Path) -> Result<Centre, Error> {
    find_from(named, here, Path::new(DEFAULT_PATH))
}

fn find_from(named: &args::Place, here: &Path, host: &Path) -> Result<Centre, Error> {
    let configured = configured(here, host);
    // what is broken here matters only to those who rely on it
    let configured = if named.url.is_some() { configured.ok().flatten() } else { configured? };
    let url = match (&named.url, &configured) {
        (Some(url), _) => origin(url)?,
        (None, Some(found)) => found.url.clone(),
        (None, None) => return Err(Error::Nowhere),
    };
    let own = configured.filter(|found| same(&found.url, &url));
    let token_file =
        named.token_file.clone().or_else(|| own.as_ref().map(|o| o.token_file.clone()));
    Ok(Centre {
        token: token_file.as_deref().map(Token::read).transpose()?,
        token_file,
        ca_file: named.ca_file.clone().or_else(|| own.as_ref().and_then(|o| o.ca_file.clone())),
        named_by: match (&named.url, own) {
            (None, Some(own)) => own.path.display().to_string(),
            _ => "--url or QAE_URL".to_owned(),
        },
        url,
    })
}

/// An address as typed, without a path.
fn origin(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|e| Error::Usage(e.to_string()))?;
    if url.path() != "/" {
        return Err(Error::Usage(format!(
            "{url}: name the centre without a path, such as http://127.0.0.1:7000"
        )));
    }
    Ok(url)
}

fn same(a: &Url, b: &Url) -> bool {
    a.at("/").to_string() == b.at("/").to_string()
}

/// The config that counts here, if it knows a centre.
fn configured(here: &Path, host: &Path) -> Result<Option<Configured>, Error> {
    if let Some(path) = nearest(here) {
        return read(&path);
    }
    if host.exists() { read(host) } else { Ok(None) }
}

fn read(path: &Path) -> Result<Option<Configured>, Error> {
    let source = Source::read(Some(path))?;
    let mut reader = source.reader()?;
    let api = reader.optional::<Section>();
    let (api, _) = reader.finish(api)?;
    Ok(api.map(|api| Configured {
        path: path.to_owned(),
        url: api.url,
        token_file: api.token_file,
        ca_file: api.ca_file,
    }))
}

/// The nearest `.qae/qae.toml` upward, if it is ours.
fn nearest(here: &Path) -> Option<PathBuf> {
    let file = here.ancestors().map(|dir| dir.join(DIRECTORY).join(FILE)).find(|f| f.is_file())?;
    let own = |path: &Path| {
        let me = rustix::process::geteuid().as_raw();
        path.metadata().is_ok_and(|m| m.uid() == me || m.uid() == 0)
    };
    let ours = own(&file) && file.parent().is_some_and(own);
    if !ours {
        // it could send a token of ours, or any other file, to whoever put it there
        let shown = file.display().to_string();
        let shown = common::printable::printable(&shown);
        eprintln!(
            "qae: {shown} belongs to another user and is not read; name the centre with --url"
        );
    }
    ours.then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn qae(dir: &Path, url: &str) -> PathBuf {
        let home = dir.join(DIRECTORY);
        fs::create_dir_all(&home).unwrap();
        let token = home.join("admin-token");
        fs::write(&token, "qae_abc\n").unwrap();
        let text = format!("[api]\nurl = {url:?}\ntoken_file = {token:?}\n");
        fs::write(home.join(FILE), text).unwrap();
        token
    }

    fn named(url: Option<&str>, token_file: Option<&Path>) -> args::Place {
        args::Place {
            url: url.map(str::to_owned),
            token_file: token_file.map(Path::to_owned),
            ca_file: None,
        }
    }

    #[test]
    fn the_nearest_directory_upward_then_the_hosts_file() {
        let dir = tempfile::tempdir().unwrap();
        let (none, deep) = (Path::new("/nonexistent"), dir.path().join("a/b"));
        fs::create_dir_all(&deep).unwrap();
        assert!(matches!(find_from(&named(None, None), &deep, none), Err(Error::Nowhere)));
        let token = qae(dir.path(), "http://127.0.0.1:7000");
        let found = find_from(&named(None, None), &deep, none).unwrap();
        assert_eq!(found.url.to_string(), "http://127.0.0.1:7000/");
        assert_eq!(found.token, Token::parse("qae_abc"));
        assert_eq!(found.token_file, Some(token));
        let host = dir.path().join(DIRECTORY).join(FILE);
        let elsewhere = tempfile::tempdir().unwrap();
        let found = find_from(&named(None, None), elsewhere.path(), &host).unwrap();
        assert_eq!(found.named_by, host.display().to_string());
    }

    #[test]
    fn a_token_goes_only_to_its_own_centre() {
        let dir = tempfile::tempdir().unwrap();
        let token = qae(dir.path(), "http://127.0.0.1:7000");
        let none = Path::new("/nonexistent");
        let find = |url, file| find_from(&named(Some(url), file), dir.path(), none).unwrap();
        assert_eq!(find("http://elsewhere:7000", None).token, None);
        assert_eq!(find("http://127.0.0.1:7000/", None).token, Token::parse("qae_abc"));
        assert!(find("http://elsewhere:7000", Some(&token)).token.is_some());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let none = Path::new("/nonexistent");
        let find = |url, file: &Path| {
            find_from(&named(url, Some(file)), dir.path(), none).unwrap_err().to_string()
        };
        let missing = dir.path().join("missing");
        assert!(find(Some("http://h"), &missing).contains("cannot open the token file"));
        let shadow = dir.path().join("shadow");
        fs::write(&shadow, "root:x:1\ndaemon:*:2\n").unwrap();
        assert!(find(Some("http://h"), &shadow).contains("holds no token"));
        assert!(find(Some("http://h/x"), &shadow).contains("without a path"));
        fs::create_dir_all(dir.path().join(DIRECTORY)).unwrap();
        fs::write(dir.path().join(DIRECTORY).join(FILE), "[api]\nurll = 1\n").unwrap();
        assert!(find(None, &shadow).contains("unknown key `urll`"));
        assert_eq!(format!("{:?}", Token::parse("secret")), "Some(Token(...))");
    }
}
