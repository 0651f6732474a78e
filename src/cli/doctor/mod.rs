//! `klamm doctor`: what will not work, in sentences. The facts are gathered first ([`facts`]), by looking at the machine without
//! changing it; what follows from them is a pure function ([`findings`]), and so is what follows from a running broker's answers
//! ([`connection`]).

mod connection;
mod facts;
mod findings;

use std::io::Write;

use serde_json::json;

use super::args::Sources;
use super::printable::{printable, printable_json};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Severity {
    /// It will not work.
    Error,
    /// It will not work for some, or not for long.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    severity: Severity,
    /// The setting or the part of the machine.
    about: String,
    sentence: String,
    /// What to do; empty where nothing is to be done.
    advice: String,
}

impl Finding {
    fn new(severity: Severity, about: &str, sentence: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { severity, about: about.into(), sentence: sentence.into(), advice: advice.into() }
    }
}

/// Looks and tells; whether nothing was found that will not work.
pub(super) fn run(sources: &Sources, connect: Option<&str>, is_json: bool) -> Result<bool, String> {
    let mut found = Vec::new();
    if connect.is_none() || sources.are_given() {
        found.extend(match super::layers(sources) {
            Ok(layers) => match facts::gather(&layers) {
                Ok(facts) => findings::of(&facts),
                Err(invalid) => vec![findings::of_invalid(&invalid)],
            },
            Err(sentence) => vec![findings::of_invalid(&sentence)],
        });
    }
    if let Some(address) = connect {
        found.extend(connection::of(&connection::ask(address)));
    }
    found.sort_by_key(|finding| finding.severity);
    let told = if is_json { as_json(&found) } else { as_text(&found) };
    // A reader that wants no more of it is no failure.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    Ok(count(&found, Severity::Error) == 0)
}

fn count(found: &[Finding], severity: Severity) -> usize {
    found.iter().filter(|finding| finding.severity == severity).count()
}

fn as_text(found: &[Finding]) -> String {
    let mut out = String::new();
    for Finding { severity, about, sentence, advice } in found {
        out += &format!("{}: {}: {}\n", severity.name(), printable(about), printable(sentence));
        if !advice.is_empty() {
            out += &format!("    {}\n", printable(advice));
        }
    }
    let of = |severity| count(found, severity);
    out + &format!("{} errors, {} warnings, {} notes\n", of(Severity::Error), of(Severity::Warning), of(Severity::Note))
}

fn as_json(found: &[Finding]) -> String {
    let each: Vec<_> = found
        .iter()
        .map(|finding| {
            let Finding { severity, about, sentence, advice } = finding;
            json!({ "level": severity.name(), "about": about, "sentence": sentence, "advice": advice })
        })
        .collect();
    let of = |severity| count(found, severity);
    let told = json!({ "findings": each, "errors": of(Severity::Error), "warnings": of(Severity::Warning), "notes": of(Severity::Note) });
    format!("{}\n", printable_json(&told.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_as_text_and_as_json() {
        let found = [
            Finding::new(Severity::Error, "listeners", "the port 1 is taken", "Choose another."),
            Finding::new(Severity::Note, "klamm.io", "epoll", ""),
        ];
        let text = "error: listeners: the port 1 is taken\n    Choose another.\nnote: klamm.io: epoll\n1 errors, 0 warnings, 1 notes\n";
        assert_eq!(as_text(&found), text);
        let told: serde_json::Value = serde_json::from_str(&as_json(&found)).unwrap();
        assert_eq!((&told["errors"], &told["findings"][0]["level"]), (&json!(1), &json!("error")));
    }

    #[test]
    fn what_others_have_named_steers_no_terminal() {
        let found = [Finding::new(Severity::Note, "a\u{1b}[2J", "b\nerror: c", "d\u{9b}")];
        assert_eq!(as_text(&found), "note: a\\u{1b}[2J: b\\nerror: c\n    d\\u{9b}\n0 errors, 0 warnings, 1 notes\n");
        assert!(!as_json(&found).trim_end().contains(char::is_control));
    }
}
