//! The HTTP side of a broker, asked as any client asks. Every call has a limit to its time, and so has each line of what is followed.

use crate::broker::Broker;
use crate::test_process::TestProcess;
use crate::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

/// What no call takes, however busy the machine is; those that wait for something are told a shorter time.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How a broker's log tells where the HTTP side is.
const TOLD: &str = "http=http://";
/// A page that is larger is not what any broker of these tests answers.
const MOST_BYTES: u64 = 64 << 20;

pub struct Http {
    /// Host and port.
    at: String,
    agent: Agent,
}

impl Http {
    /// At an address `http://HOST:PORT`.
    pub fn at(url: &str) -> Result<Http> {
        let at = url.strip_prefix("http://").with_context(|| format!("{url:?} is no address"))?.to_string();
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Ok(Http { at, agent: config.into() })
    }

    /// Of a broker whose log tells where it is.
    pub fn of(broker: &Broker) -> Result<Http> {
        let log = broker.log_text();
        let (_, rest) = log.split_once(TOLD).context("no line of the log tells where the HTTP side is")?;
        let at: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        Http::at(&format!("http://{at}"))
    }

    /// Of a `klamm test`, whose first line tells it.
    pub fn of_test(process: &TestProcess) -> Result<Http> {
        Http::at(process.text("http"))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// For a request with a header of its own.
    pub fn getting(&self, path: &str) -> RequestBuilder<ureq::typestate::WithoutBody> {
        self.agent.get(self.url(path))
    }

    pub fn posting(&self, path: &str) -> RequestBuilder<ureq::typestate::WithBody> {
        self.agent.post(self.url(path))
    }

    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        text(self.getting(path).call()?)
    }

    pub fn status(&self, path: &str) -> Result<u16> {
        Ok(self.get(path)?.0)
    }

    pub fn json(&self, path: &str) -> Result<Value> {
        let (status, body) = self.get(path)?;
        ensure!(status == 200, "GET {path}: {status} {body}");
        Ok(serde_json::from_str(&body)?)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        value(self.posting(path).send_json(body)?)
    }

    pub fn post_text(&self, path: &str, body: &str) -> Result<(u16, Value)> {
        value(self.posting(path).send(body)?)
    }

    /// The answer of a change that is made.
    pub fn change(&self, path: &str, body: &Value) -> Result<Value> {
        let (status, told) = self.post(path, body)?;
        ensure!(status == 200, "POST {path} {body}: {status} {told}");
        Ok(told)
    }

    pub fn delete(&self, path: &str) -> Result<(u16, Value)> {
        value(self.agent.delete(self.url(path)).call()?)
    }

    /// Whether something is there now: a query of `/v1/wait`.
    pub fn has(&self, query: &str) -> Result<bool> {
        Ok(self.status(&format!("/v1/wait?{query}&timeout_ms=1"))? == 200)
    }

    /// Asks until the answer is as it should be.
    pub fn until<T>(&self, what: &str, mut ask: impl FnMut(&Http) -> Result<Option<T>>) -> Result<T> {
        let began = Instant::now();
        loop {
            if let Some(found) = ask(self)? {
                return Ok(found);
            }
            ensure!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
            std::thread::yield_now();
        }
    }

    /// Until it says that it is ready: its thread may come up behind the listeners of clients.
    pub fn until_ready(&self) -> Result<()> {
        self.until("it is ready", |http| {
            let (status, body) = http.get("/readyz")?;
            ensure!([200, 503].contains(&status), "GET /readyz: {status} {body}");
            Ok((status == 200).then_some(()))
        })
    }

    /// The samples of `/metrics`, whole lines by the name of the metric.
    pub fn samples(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let (status, page) = self.get("/metrics")?;
        ensure!(status == 200, "GET /metrics: {status}");
        let mut samples: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            samples.entry(name.to_string()).or_default().push(line.to_string());
        }
        Ok(samples)
    }

    /// A page that goes on until the broker ends.
    pub fn follow(&self, path: &str) -> Result<Follower> {
        let mut stream = TcpStream::connect(&self.at)?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.at)?;
        Ok(Follower { stream: BufReader::new(stream) })
    }
}

fn text(mut answer: Response<Body>) -> Result<(u16, String)> {
    let status = answer.status().as_u16();
    Ok((status, answer.body_mut().with_config().limit(MOST_BYTES).read_to_string()?))
}

fn value(answer: Response<Body>) -> Result<(u16, Value)> {
    let (status, body) = text(answer)?;
    Ok((status, serde_json::from_str(&body).with_context(|| format!("{status} {body}"))?))
}

/// The lines of a page that goes on.
pub struct Follower {
    stream: BufReader<TcpStream>,
}

impl Follower {
    /// For a reader that looks at no line of it; a read waits for a moment at most.
    pub fn into_stream(self) -> Result<impl Read> {
        self.stream.get_ref().set_read_timeout(Some(Duration::from_millis(50)))?;
        Ok(self.stream)
    }

    /// The next line that begins so; those before it are passed over.
    pub fn find(&mut self, begins: &str) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "no line began with {begins:?} within {PATIENCE:?}");
            self.stream.get_ref().set_read_timeout(Some(left))?;
            let mut line = String::new();
            if self.stream.read_line(&mut line).with_context(|| format!("waiting for {begins:?}"))? == 0 {
                bail!("the page has ended before {begins:?}");
            }
            if line.starts_with(begins) {
                return Ok(line);
            }
        }
    }

    /// Whether the page ends, as it does with its broker.
    pub fn ends(mut self) -> Result<()> {
        self.stream.get_ref().set_read_timeout(Some(PATIENCE))?;
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => bail!("the page does not end"),
            _ => Ok(()), // a reset is an end, too
        }
    }
}
