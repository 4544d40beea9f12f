//! Asks the centre: one place that knows tokens, problems and pages.

pub mod query;

use crate::error::Error;
use crate::place::Centre;
use common::api_types::live::PROTOCOL;
use common::http::{
    HeaderName, HeaderValue, Method, Options, Request, Response, Session, Socket, Streaming, Url,
    bearer, header, open, send,
};
use common::serve::Problem;
use common::tls;
use query::Query;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of an answer: a page of a thousand instances, or a snapshot.
const BODY_MOST: usize = 64 << 20;
/// Items on a page; the most the centre gives.
const PAGE: usize = 1000;
/// Most pages of a list: a centre that never says "that was all" does not keep this program for ever.
const PAGES_MOST: usize = 1000;

/// The centre, over a connection that is kept.
#[derive(Debug)]
pub struct Client {
    /// Which one.
    pub centre: Centre,
    session: Session,
    options: Options,
}

impl Client {
    /// Nothing is connected before the first question.
    pub fn new(centre: Centre) -> Result<Self, Error> {
        let ca_file = centre.ca_file.as_deref();
        let tls = ca_file.map(|file| tls::Client::load(Some(file))).transpose();
        let tls = tls.map_err(|e| Error::Usage(e.to_string()))?;
        let options = Options { timeout: PATIENCE, max_body: BODY_MOST, tls, ..Options::default() };
        Ok(Self { centre, session: Session::new(options.clone()), options })
    }

    /// A GET, as JSON.
    pub async fn value(&mut self, path: &str) -> Result<Value, Error> {
        self.get(path).await
    }

    /// A GET.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Error> {
        let answer = self.ask(Method::GET, path, None).await?;
        self.read(path, &answer)
    }

    /// A POST with a body.
    pub async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &Value,
    ) -> Result<T, Error> {
        let answer = self.ask(Method::POST, path, Some(body)).await?;
        self.read(path, &answer)
    }

    /// A DELETE.
    pub async fn delete(&mut self, path: &str) -> Result<(), Error> {
        self.ask(Method::DELETE, path, None).await.map(|_| ())
    }

    /// All of a list, or its first `most` items.
    pub async fn all(
        &mut self,
        path: &str,
        query: &Query,
        most: usize,
    ) -> Result<Vec<Value>, Error> {
        let mut items: Vec<Value> = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MOST {
            let limit = PAGE.min(most - items.len()).max(1).to_string();
            let asked = query.clone().with("limit", &limit).maybe("cursor", cursor.as_deref());
            let mut page: Value = self.get(&format!("{path}{asked}")).await?;
            let Some(more) = page.get_mut("items").and_then(Value::as_array_mut) else {
                return Err(self.foreign(path, "no `items`"));
            };
            items.append(more);
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
        Err(self.foreign(path, "a list without an end"))
    }

    /// A GET over a connection of its own, so that several can be under way.
    pub async fn fetch(&self, path: &str) -> Result<Value, Error> {
        let url = self.centre.url.at(path);
        let answer = send(&url, &self.request(Method::GET), &self.options).await?;
        if answer.is_success() {
            self.read(path, &answer)
        } else {
            Err(self.refusal(path, &answer))
        }
    }

    /// Any request. A refusal is an error.
    pub async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, Error> {
        let mut request = self.request(method);
        if let Some(body) = body {
            request = request.body("application/json", body.to_string());
        }
        let answer = self.session.send(&self.centre.url.at(path), &request).await?;
        if answer.is_success() { Ok(answer) } else { Err(self.refusal(path, &answer)) }
    }

    /// An answer that has no end: 200, or what it says instead.
    pub async fn open(&self, path: &str, accept: &'static str) -> Result<Streaming, Error> {
        let request =
            self.request(Method::GET).header(header::ACCEPT, HeaderValue::from_static(accept));
        let url = self.centre.url.at(path);
        let stream = open(&url, &request, &self.options).await?;
        if stream.status() == 200 {
            return Ok(stream);
        }
        Err(self.refusal(path, &whole(stream, &url).await?))
    }

    /// A WebSocket of a log stream, here or elsewhere: with this credential, or with the centre's token.
    pub async fn socket(
        &self,
        url: &Url,
        credential: Option<&str>,
        timeout: Duration,
        max_body: usize,
    ) -> Result<Socket, Error> {
        let own = self.centre.token.as_ref().map(|token| token.as_str());
        let credential = match credential.or(own) {
            Some(text) => Some(
                bearer(text).ok_or_else(|| self.foreign("", "a ticket that no header takes"))?,
            ),
            None => None,
        };
        let options = Options { timeout, max_body, ..self.options.clone() };
        Socket::open(url, PROTOCOL, credential, &options).await.map_err(|error| match error {
            common::http::Error::Status { status, body, url } => {
                // "code: words", where the server gave them
                let known = body
                    .split_once(": ")
                    .filter(|(code, _)| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
                match known {
                    Some((code, detail)) => {
                        Error::Refused { status, code: code.to_owned(), detail: detail.to_owned() }
                    }
                    None => Error::Refused {
                        status,
                        code: String::new(),
                        detail: format!("{url}: answered {status}: {body}"),
                    },
                }
            }
            other => other.into(),
        })
    }

    fn request(&self, method: Method) -> Request {
        let safe = method == Method::GET;
        let mut request = Request::new(method);
        if let Some(value) = self.centre.token.as_ref().and_then(|t| bearer(t.as_str())) {
            request = request.header(header::AUTHORIZATION, value);
        }
        if safe {
            return request;
        }
        // a request whose answer was lost may be sent again by hand; it is then not done twice
        let key = format!("{:08x}{:08x}", common::backoff::random(), common::backoff::random());
        match HeaderValue::try_from(key) {
            Ok(key) => request.header(HeaderName::from_static("idempotency-key"), key),
            Err(_) => request,
        }
    }

    fn read<T: DeserializeOwned>(&self, path: &str, answer: &Response) -> Result<T, Error> {
        // a DELETE's answer may be empty
        let body = if answer.body.is_empty() { b"null".as_slice() } else { &answer.body };
        serde_json::from_slice(body).map_err(|e| self.foreign(path, &e.to_string()))
    }

    fn refusal(&self, path: &str, answer: &Response) -> Error {
        refused(answer, &self.centre.url.at(path))
    }

    /// What came is not what such a centre says.
    pub fn foreign(&self, path: &str, why: &str) -> Error {
        Error::Foreign { url: self.centre.url.at(bare(path)).to_string(), why: why.to_owned() }
    }
}

async fn whole(stream: Streaming, url: &Url) -> Result<Response, Error> {
    let rest = tokio::time::timeout(PATIENCE, stream.whole(64 << 10)).await;
    let late = || common::http::Error::Timeout { url: url.to_string(), after: PATIENCE };
    Ok(rest.unwrap_or_else(|_| Err(late()))?)
}

fn bare(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// What an answer that is no success says.
fn refused(answer: &Response, url: &Url) -> Error {
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) => {
            Error::Refused { status: answer.status, code: problem.code, detail: problem.detail }
        }
        Err(_) => Error::Refused {
            status: answer.status,
            code: String::new(),
            detail: format!(
                "{}: answered {}: {}",
                url.at(bare(url.path())),
                answer.status,
                answer.said()
            ),
        },
    }
}

/// Items as the list they were a part of.
pub fn document(items: Vec<Value>) -> Value {
    json!({ "items": items, "next": null })
}
