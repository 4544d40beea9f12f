//! A headless Chromium, driven over its debugging pipe: what a person would see, told by the page itself.

use crate::wait::eventually;
use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// For one command.
const ANSWER: Duration = Duration::from_secs(30);

/// The browser with one tab; killed when this goes.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    commands: ChildStdin,
    answers: Receiver<Value>,
    serial: u64,
    session: String,
    /// What the page's console said as errors, and what it threw.
    pub complaints: Vec<String>,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it with an empty tab of this size.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        let profile = tempfile::Builder::new().prefix("qae-chromium-").tempdir()?;
        let mut child = Command::new("sh")
            // the pipe's ends are descriptors 3 and 4 by convention
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "sh"])
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},{height}"))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("no sh")?;
        let commands = child.stdin.take().context("no pipe")?;
        let mut lines = BufReader::new(child.stdout.take().context("no pipe")?);
        let (send, answers) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while lines.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).unwrap_or_default();
                message.clear();
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let (serial, session) = (0, String::new());
        let complaints = Vec::new();
        let mut chromium =
            Self { child, commands, answers, serial, session, complaints, _profile: profile };
        let target = chromium
            .call("Target.createTarget", &json!({"url": "about:blank"}))
            .context("no chromium here: run tests/setup.sh chromium")?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = chromium.call("Target.attachToTarget", &attach)?["sessionId"].clone();
        session.as_str().context("no session")?.clone_into(&mut chromium.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            chromium.call(domain, &json!({}))?;
        }
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        chromium.call("Emulation.setDeviceMetricsOverride", &size)?;
        Ok(chromium)
    }

    /// One command of the DevTools protocol, and its answer.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value> {
        self.serial += 1;
        let mut command = json!({"id": self.serial, "method": method, "params": params});
        if !self.session.is_empty() {
            command["sessionId"] = self.session.clone().into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes())?;
        let end = Instant::now() + ANSWER;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message =
                self.answers.recv_timeout(left).with_context(|| format!("{method}: no answer"))?;
            self.hear(&message);
            if message["id"] == self.serial {
                ensure!(message["error"].is_null(), "{method}: {}", message["error"]);
                return Ok(message["result"].clone());
            }
        }
    }

    fn hear(&mut self, message: &Value) {
        let complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => &message["params"]["exceptionDetails"],
            Some("Log.entryAdded") if message["params"]["entry"]["level"] == "error" => {
                &message["params"]["entry"]
            }
            Some("Runtime.consoleAPICalled") if message["params"]["type"] == "error" => {
                &message["params"]["args"]
            }
            _ => return,
        };
        self.complaints.push(complaint.to_string());
    }

    /// Opens an address.
    pub fn open(&mut self, url: &str) -> Result<()> {
        let answer = self.call("Page.navigate", &json!({"url": url}))?;
        ensure!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        Ok(())
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", &asked)?;
        if !answer["exceptionDetails"].is_null() {
            bail!("{expression}: {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].clone())
    }

    /// The text of the page as a person reads it.
    pub fn text(&mut self) -> Result<String> {
        let text = self.evaluate("document.body.innerText")?;
        text.as_str().map(str::to_owned).context("no text")
    }

    /// Waits until the page shows this.
    pub fn shows(&mut self, wanted: &str, within: Duration) -> Result<()> {
        eventually(within, &format!("the page shows {wanted:?}"), || {
            let text = self.text()?;
            ensure!(text.contains(wanted), "it shows {text:?}; it says {:?}", self.complaints);
            Ok(())
        })
    }

    /// A picture of what is seen.
    pub fn picture(&mut self, file: &Path) -> Result<()> {
        let made = self.call("Page.captureScreenshot", &json!({"format": "png"}))?;
        let data = made["data"].as_str().context("no picture")?;
        let png = base64::engine::general_purpose::STANDARD.decode(data)?;
        Ok(std::fs::write(file, png)?)
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // the browser ends its own processes when it is told; the profile is removed after them
        self.session.clear();
        self.call("Browser.close", &json!({})).ok();
        let ended = eventually(Duration::from_secs(10), "its end", || {
            self.child.try_wait()?.context("it runs")
        });
        if ended.is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
