//! How a script is written.
//!
//! ```text
//! # a remark
//! kafka-topics @ --create --topic 'a b'     one call; `@` stands for --bootstrap-server and the broker's address,
//!                                           BROKER for the address, DATA for its directory, TMP for a directory of the run
//! < a line                                  what the call before reads, or what the file before holds
//! file plan.json                            writes TMP/plan.json
//! [sorted,seconds=30] kafka-… …             a call with marks, see `Marks`
//! start NAME [until=WORD] kafka-… …         a call in a JVM of its own that goes on
//! stop NAME                                 ends it by SIGTERM; what it has printed is compared
//! transaction ID TOPIC                      begins or goes on with a transaction, by a client that stays: a record in
//!                                           partition 0. `transaction ID commit` or `abort` ends it
//! hang TOPIC PRODUCER_ID EPOCH MINUTES      a transactional batch so old, of a producer whom no coordinator knows
//! ```
//!
//! A call that the reference (Apache Kafka, never Klamm) does not end in time is asked once more, and a printed line says so.
//! So a call must be one that may have been made twice: it shows the same, or what it shows then is a difference that fails.

use compat_tests::{Context, Result, bail, ensure};
use std::time::Duration;

/// More than any call needs, and more than the minute after which clients give up, so that the client's own error is seen; a
/// call that is meant to be ended has its own number.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub line: usize,
    /// As the script writes it, without its marks.
    pub text: String,
    pub what: What,
    pub marks: Marks,
    pub input: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    File(String),
    Call(Vec<String>),
    Start(String, Vec<String>),
    Stop(String),
    Transaction(String, Vec<String>),
    Hang(String, Vec<String>),
}

/// What is special about a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Apache Kafka leaves the order of the lines to chance.
    pub sorted: bool,
    /// All numbers are measurements.
    pub numbers: bool,
    /// Only the exit code is compared: the output has things of each broker's own.
    pub code: bool,
    /// In a JVM of its own, which gets SIGTERM when its time is over.
    pub own: bool,
    /// A line that comes again counts once.
    pub once: bool,
    /// Apache Kafka leaves the order of words to chance.
    pub words: bool,
    /// Repeated, or waited for, until the output holds this.
    pub until: Option<String>,
    /// Repeated until the output no longer holds this.
    pub without: Option<String>,
    pub limit: Duration,
}

impl Marks {
    fn parse(text: &str) -> Result<Marks> {
        let mut marks = Marks { limit: PATIENCE, ..Marks::default() };
        for mark in text.split(',').filter(|mark| !mark.is_empty()) {
            match mark.split_once('=').unwrap_or((mark, "")) {
                ("sorted", "") => marks.sorted = true,
                ("numbers", "") => marks.numbers = true,
                ("code", "") => marks.code = true,
                ("own", "") => marks.own = true,
                ("once", "") => marks.once = true,
                ("words", "") => marks.words = true,
                ("until", word) => marks.until = Some(word.to_string()),
                ("without", word) => marks.without = Some(word.to_string()),
                ("seconds", number) => marks.limit = Duration::from_secs(number.parse()?),
                _ => bail!("no such mark: {mark}"),
            }
        }
        Ok(marks)
    }

    /// Whether an output is what the script waits for.
    pub fn is_content(&self, output: &str) -> bool {
        self.until.as_ref().is_none_or(|word| output.contains(word))
            && self.without.as_ref().is_none_or(|word| !output.contains(word))
    }
}

pub fn parse(script: &str) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    for (at, line) in script.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(text) = line.strip_prefix('<') {
            let step = steps.last_mut().with_context(|| format!("line {}: nothing reads this", at + 1))?;
            step.input += text.strip_prefix(' ').unwrap_or(text);
            step.input.push('\n');
            continue;
        }
        steps.push(step(at + 1, line).with_context(|| format!("line {}: {line}", at + 1))?);
    }
    Ok(steps)
}

fn step(line: usize, text: &str) -> Result<Step> {
    let mut rest = text;
    let mut verb = "";
    let mut name = String::new();
    for known in ["file", "start", "stop", "transaction", "hang"] {
        if let Some(after) = text.strip_prefix(known).and_then(|after| after.strip_prefix(' ')) {
            let (word, after) = after.split_once(' ').unwrap_or((after, ""));
            (verb, name, rest) = (known, word.to_string(), after);
        }
    }
    let marked = rest.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let (marks, call) = marked.unwrap_or(("", rest));
    let words = words(call)?;
    let what = match verb {
        "file" => What::File(name),
        "stop" => What::Stop(name),
        "start" => What::Start(name, words),
        "transaction" => What::Transaction(name, words),
        "hang" => What::Hang(name, words),
        _ => What::Call(words),
    };
    let text = if matches!(what, What::Call(_)) { call.to_string() } else { text.to_string() };
    Ok(Step { line, text, what, marks: Marks::parse(marks)?, input: String::new() })
}

/// Words between spaces; what stands in single quotes belongs together.
fn words(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for character in text.chars() {
        match character {
            '\'' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            _ => {
                word.push(character);
                begun = true;
            }
        }
    }
    ensure!(!quoted, "an open quote");
    if begun {
        words.push(word);
    }
    Ok(words)
}
