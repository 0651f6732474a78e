//! What must differ between two brokers, or between two runs, becomes a name.

use crate::script::Marks;
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

fn regex(pattern: &str) -> Regex {
    // Bytes are enough for what is masked, and need no tables.
    Regex::new(&format!("(?-u){pattern}")).expect("a good pattern")
}

/// In this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"), // that of a controller
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,:][0-9]+)?Z?", "DATE"),
        (r"\b1[0-9]{12}\b", "MILLIS"),
        // Clients number themselves within their process.
        (r"\b(adminclient|producer|consumer|admin)-[0-9]+\b", "$1-N"),
        (r"@[0-9a-f]{5,8}\b", "@OBJECT"),
        (r#""avg_throughput":[0-9.E]+"#, r#""avg_throughput":N"#),
        (r"\bcrc: [0-9]+", "crc: N"),
        // Whether a client was refused or was waiting when its time was over is a matter of milliseconds.
        (r"Call\(callName=[ -~]* timed out at [ -~]* attempt\(s\)", "Timed out"),
        (r"Timed out waiting for a node assignment[.] Call: [A-Za-z]+(\(api=[A-Z_]+\))?", "Timed out"),
        // How many records the metadata log has.
        (r"Epoch: [0-9]+$", "Epoch: N"),
        (r" +", " "),
    ];
    rules.map(|(pattern, name)| (regex(pattern), name)).into()
});

/// A topic's or a cluster's id, 22 characters of base64.
static ID: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Za-z0-9_-]{22,}"));
static NUMBER: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9]+([.,][0-9]+)*"));
const ID_LENGTH: usize = 22;
const SHOWN_WARNINGS: usize = 10;

/// The places of one run, for masking.
pub struct Places<'a> {
    pub port: u16,
    pub data: &'a Path,
    pub scratch: &'a Path,
}

/// The lines of a call's output as they are compared.
pub fn lines(code: Option<i32>, out: &str, err: &str, marks: &Marks, places: &Places) -> Vec<String> {
    let mut lines = vec![code.map_or("did not end".to_string(), |code| format!("exit {code}"))];
    if marks.code {
        return lines;
    }
    let masked = |text: &str, prefix: &str| -> Vec<String> {
        let kept = text.lines().filter(|line| !is_of_a_trace(line) && !is_warning(line));
        let mut kept: Vec<String> = kept.map(|line| format!("{prefix}{}", mask(line, marks, places))).collect();
        if marks.words {
            let words = kept.iter().flat_map(|line| line.split([' ', ',']));
            kept = words.filter(|word| !word.is_empty()).map(str::to_string).collect();
        }
        if marks.sorted || marks.words || marks.once {
            kept.sort();
        }
        if marks.once {
            kept.dedup();
        }
        kept
    };
    lines.extend(masked(out, ""));
    lines.extend(masked(err, "! "));
    lines
}

/// A line of a stack trace: it tells of the client's code, which is the same, and of lambdas, which have new names each time.
fn is_of_a_trace(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("at ") || (line.starts_with("... ") && line.ends_with(" more"))
}

/// The warnings among what a tool wrote to its error stream: the last of them, for who looks for the cause of a difference.
pub fn warnings(err: &str) -> Vec<String> {
    let warnings: Vec<&str> = err.lines().filter(|line| is_warning(line)).collect();
    warnings.iter().skip(warnings.len().saturating_sub(SHOWN_WARNINGS)).map(|line| line.to_string()).collect()
}

/// A warning of the client's log, as slf4j's simple logger writes it: what it tells of goes by the clock.
fn is_warning(line: &str) -> bool {
    line.starts_with('[') && line.contains("] WARN ")
}

fn mask(line: &str, marks: &Marks, places: &Places) -> String {
    let mut text = line.replace(&places.data.display().to_string(), "DATA");
    text = text.replace(&places.scratch.display().to_string(), "TMP");
    text = text.replace(&places.port.to_string(), "PORT");
    for (pattern, name) in RULES.iter() {
        text = pattern.replace_all(&text, *name).into_owned();
    }
    text = ID
        .replace_all(&text, |found: &regex::Captures| if is_id(&found[0]) { "ID" } else { &found[0] }.to_string())
        .into();
    if marks.numbers {
        text = NUMBER.replace_all(&text, "N").into_owned();
    }
    text.trim_end().to_string()
}

/// Unlike the name of a class or a field, an id has digits, or capitals beside each other or none at its beginning.
fn is_id(word: &str) -> bool {
    let has = |kind: fn(&char) -> bool| word.chars().any(|character| kind(&character));
    let capitals: Vec<bool> = word.chars().map(|character| character.is_ascii_uppercase()).collect();
    let is_name = !has(|c| !c.is_ascii_alphabetic()) && !capitals.windows(2).any(|pair| pair[0] && pair[1]);
    word.len() == ID_LENGTH && has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && !is_name
}
