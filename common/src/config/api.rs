//! `[api]`: where the centre is, for agents and the command line. A file without this section has no centre:
//! read it with [`super::Reader::optional`].

use super::At;
use crate::http::Url;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The centre, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its address, without a path.
    pub url: Url,
    /// The file with this host's token.
    pub token_file: PathBuf,
    /// PEM file of the authorities that vouch for it; None: the system's.
    pub ca_file: Option<PathBuf>,
}

/// `[api]` as typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Section {
    url: String,
    token_file: String,
    ca_file: String,
}

/// Where the centre listens unless told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:7000";

impl Default for Section {
    fn default() -> Self {
        Self {
            url: DEFAULT_URL.into(),
            token_file: "/etc/qae/token".into(),
            ca_file: String::new(),
        }
    }
}

impl super::Section for Section {
    const NAME: &'static str = "api";
    type Checked = Api;

    fn check(&mut self, at: &mut At<'_>) -> Api {
        let url = Url::parse(&self.url).ok().filter(|url| url.path() == "/");
        if url.is_none() {
            at.fault(
                "url",
                format!("must be the centre's address without path or credentials, such as \"{DEFAULT_URL}\" or \"https://qae.example:7000\""),
            );
        }
        if !self.token_file.starts_with('/') {
            at.fault("token_file", "must be the absolute path of the file with this host's token");
        }
        if !self.ca_file.is_empty() && !self.ca_file.starts_with('/') {
            at.fault(
                "ca_file",
                "must be the absolute path of a PEM file, or \"\" for the system's authorities",
            );
        }
        Api {
            // never handed out
            url: url.unwrap_or_else(|| Url::unix("", "/")),
            token_file: PathBuf::from(&self.token_file),
            ca_file: (!self.ca_file.is_empty()).then(|| PathBuf::from(&self.ca_file)),
        }
    }
}
