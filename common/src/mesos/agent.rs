//! One question to the agent.

use super::Names;
use crate::container::Rules;
use crate::http::{self, Basic, Options, Url, get};
use std::time::Duration;

const MAX_BODY: usize = 64 << 20;

/// Why the agent gave no names.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is away, recovering (503), or refuses.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// Its answer is not what it should be.
    #[error("{url}: the answer cannot be read: {cause}")]
    Json {
        /// What was asked.
        url: String,
        /// Where it fails.
        cause: serde_json::Error,
    },
}

impl AskError {
    /// The agent said that it is still recovering: it will know later.
    pub fn is_recovering(&self) -> bool {
        matches!(self, Self::Http(error) if error.status() == Some(503))
    }
}

/// What the agent knows.
#[derive(Debug)]
pub struct Answer {
    /// The names.
    pub names: Names,
    /// Why one of the two questions had no answer.
    pub missing: Option<AskError>,
}

/// An agent, as it is reached.
#[derive(Debug, Clone)]
pub struct Agent {
    url: Url,
    options: Options,
    rules: Rules,
}

impl Agent {
    /// For `http://127.0.0.1:5051`.
    pub fn new(
        url: &str,
        basic: Option<Basic>,
        timeout: Duration,
        rules: Rules,
    ) -> Result<Self, http::Error> {
        let options = Options { timeout, max_body: MAX_BODY, basic, ..Options::default() };
        Ok(Self { url: Url::parse(url)?, options, rules })
    }

    /// Asks `/state` and `/containers`. One of them is enough: `/containers` is younger (1.0), and either may be forbidden.
    pub async fn ask(&self) -> Result<Answer, AskError> {
        let mut names = match self.state().await {
            Ok(names) => names,
            // what it knows by now is not all there is
            Err(error) if error.is_recovering() => return Err(error),
            Err(error) => {
                let mut names = Names::default();
                return match self.containers(&mut names).await {
                    Ok(()) => Ok(Answer { names, missing: Some(error) }),
                    Err(_) => Err(error),
                };
            }
        };
        let missing = self.containers(&mut names).await.err();
        Ok(Answer { names, missing })
    }

    /// Asks `/state` alone: `/containers` costs the agent a look at every cgroup.
    pub async fn state(&self) -> Result<Names, AskError> {
        let mut url = self.url.at("/state");
        let mut answer = get(&url, &self.options).await;
        if answer.as_ref().is_err_and(|e| e.status() == Some(404)) {
            // its only name until about 0.25
            url = self.url.at("/state.json");
            answer = get(&url, &self.options).await;
        }
        let body = answer?.body;
        Names::from_state(&body, &self.rules)
            .map_err(|cause| AskError::Json { url: url.to_string(), cause })
    }

    async fn containers(&self, names: &mut Names) -> Result<(), AskError> {
        let url = self.url.at("/containers");
        let body = get(&url, &self.options).await?.body;
        names.add_containers(&body).map_err(|cause| AskError::Json { url: url.to_string(), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const STATE: &str = include_str!("../../tests/fixtures/mesos_slave_state.json");
    const CONTAINERS: &str = include_str!("../../tests/fixtures/mesos_slave_containers.json");

    /// Answers each path with what the function says, until dropped.
    async fn serve(answer: fn(&str) -> (u16, &'static str)) -> Agent {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = Vec::new();
                while !asked.ends_with(b"\r\n\r\n") {
                    asked.push(stream.read_u8().await.unwrap());
                }
                let asked = String::from_utf8(asked).unwrap();
                let (status, body) = answer(asked.split(' ').nth(1).unwrap());
                let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(body.as_bytes()).await.unwrap();
            }
        });
        Agent::new(&url, None, Duration::from_secs(5), Rules::default()).unwrap()
    }

    #[tokio::test]
    async fn both_one_or_the_old_name() {
        let all =
            serve(|path| if path == "/state" { (200, STATE) } else { (200, CONTAINERS) }).await;
        let all = all.ask().await.unwrap();
        assert!(all.names.len() == 7 && all.missing.is_none(), "{all:?}");
        let forbidden =
            serve(|path| if path == "/state" { (403, "") } else { (200, CONTAINERS) }).await;
        let forbidden = forbidden.ask().await.unwrap();
        assert_eq!(forbidden.names.len(), 6);
        assert!(forbidden.missing.is_some_and(|e| e.to_string().contains("403")));
        let old = serve(|path| if path == "/state.json" { (200, STATE) } else { (404, "") }).await;
        assert!(old.ask().await.unwrap().names.len() >= 5);
    }

    #[tokio::test]
    async fn recovering_broken_or_away_is_an_error_that_names_the_url() {
        let recovering = serve(|path| {
            if path == "/state" { (503, "Agent has not finished recovery") } else { (200, "[]") }
        })
        .await;
        assert!(recovering.ask().await.unwrap_err().is_recovering());
        let broken = serve(|_| (200, "{")).await;
        let error = broken.ask().await.unwrap_err();
        assert!(
            matches!(error, AskError::Json { .. }) && error.to_string().contains("/state:"),
            "{error}"
        );
        let away = Agent::new("http://127.0.0.1:1", None, Duration::from_secs(5), Rules::default())
            .unwrap();
        let error = away.ask().await.unwrap_err().to_string();
        assert!(error.starts_with("http://127.0.0.1:1/state"), "{error}");
    }
}
