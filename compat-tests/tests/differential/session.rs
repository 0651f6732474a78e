//! One run of a script against one broker: what its words mean there, and how answers are shown so that two runs can be
//! compared.

use crate::transactions::Transactions;
use compat_tests::pair::Place;
use compat_tests::raw::{PATIENCE, Raw};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::ResponseError;
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What one command led to.
#[derive(PartialEq, Eq, Debug)]
pub struct Answered {
    pub line: usize,
    pub command: String,
    pub lines: Vec<String>,
}

impl Answered {
    pub fn show(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| format!("\n      {line}")).collect();
        format!("{:4} {}{}", self.line, self.command, lines.concat())
    }
}

pub struct Session {
    /// The script's name.
    pub name: String,
    pub place: Place,
    pub raw: Raw,
    /// Ids that the broker gave, by the script's names.
    pub producers: HashMap<String, i64>,
    /// The answer to the command that runs.
    pub lines: Vec<String>,
    /// A topic for [`Session::settle`] and how often it was changed.
    pub sentinel: (String, i64),
    pub transactions: Transactions,
}

/// How long a pause is between two looks at something that takes its time.
const PAUSE: Duration = Duration::from_millis(20);
const HOUR_MS: i64 = 3_600_000;
/// The scripts' zero of time lies so long before the start, so that their small times never look like the run's.
const BEFORE_MS: i64 = 600_000;

impl Session {
    pub fn new(place: Place, name: &str) -> Result<Session> {
        let raw = Raw::connect(place.port)?;
        Ok(Session {
            name: name.to_string(),
            place,
            raw,
            producers: HashMap::new(),
            lines: Vec::new(),
            sentinel: (format!("sentinel-{name}"), 0),
            transactions: Transactions::default(),
        })
    }

    pub fn run(mut self, script: &str) -> Result<Vec<Answered>> {
        let mut trace = Vec::new();
        for (at, line) in script.lines().enumerate() {
            let command = line.split(" #").next().unwrap_or_default().trim();
            if command.is_empty() || command.starts_with('#') {
                continue;
            }
            self.command(command).with_context(|| format!("line {}: {command}", at + 1))?;
            let lines = std::mem::take(&mut self.lines);
            trace.push(Answered { line: at + 1, command: command.to_string(), lines });
        }
        Ok(trace)
    }

    pub fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// The broker closed the connection instead of answering: that is an answer, too.
    pub fn reconnect(&mut self) -> Result<()> {
        self.raw = Raw::connect(self.place.port)?;
        Ok(())
    }

    /// Looks again and again until there is an answer.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Session) -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self)? {
                return Ok(found);
            }
            ensure!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
            std::thread::sleep(PAUSE);
        }
    }

    fn zero_ms(&self) -> i64 {
        self.place.began_ms - BEFORE_MS
    }

    /// `@5` is five milliseconds after the scripts' zero, `@-5` before it; `@now` is now.
    pub fn time(&self, word: &str) -> Result<i64> {
        let number = word.strip_prefix('@').with_context(|| format!("no time: {word}"))?;
        if let Some(rest) = number.strip_prefix("now") {
            let offset = if rest.is_empty() { 0 } else { rest.parse::<i64>()? };
            return Ok(now_ms()? + offset);
        }
        Ok(self.zero_ms() + number.parse::<i64>().with_context(|| format!("no time: {word}"))?)
    }

    /// A point in time as scripts write it; what lies in or after the run to the hour.
    pub fn show_time(&self, ms: i64) -> String {
        if ms < 0 {
            return ms.to_string();
        }
        if ms < self.place.began_ms {
            return format!("@{}", ms - self.zero_ms());
        }
        let now = now_ms().unwrap_or(self.place.began_ms);
        match ((ms - now) as f64 / HOUR_MS as f64).round() as i64 {
            0 => "now".into(),
            hours => format!("now+{hours}h"),
        }
    }

    pub fn show_producer(&self, id: i64) -> String {
        let named = self.producers.iter().find(|(_, known)| **known == id);
        named.map_or(id.to_string(), |(name, _)| name.clone())
    }
}

fn now_ms() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64)
}

/// An error code with its name.
pub fn show_error(code: i16) -> String {
    match ResponseError::try_from_code(code) {
        None => "ok".into(),
        Some(error) => format!("{code} {error:?}"),
    }
}

/// Bytes as a text; a long run of one letter as its length.
pub fn show_bytes(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "-".into(),
        Some(bytes) if bytes.len() > 16 && bytes.iter().all(|byte| *byte == bytes[0]) => {
            format!("{}*{}", bytes[0] as char, bytes.len())
        }
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
