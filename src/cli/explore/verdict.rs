//! What is said of a run with a harm, by the runs without one. Pure.

use std::fmt;

use super::arguments::AllowedChange;
use super::records::{Base, Change, Written};
use crate::cli::printable::printable;
use crate::io::command_group::{CommandEnd, CommandRun};

/// Lines of a failed command's output that are shown.
const MOST_LINES: usize = 15;

/// What a run has shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// How the command failed, if it did.
    pub(super) failed: Option<String>,
    /// It did not end by itself.
    pub(super) hangs: bool,
    /// What became of its records, but for what may.
    pub(super) changes: Vec<Change>,
    /// Rules that have struck nothing: their moments did not come again.
    pub(super) missed: usize,
}

impl Verdict {
    pub(super) fn of(
        command: &CommandRun,
        (written, struck): (&Written, &[u64]),
        base: &Base,
        allowed: &[AllowedChange],
    ) -> Verdict {
        let may_be = |change: &Change| {
            let is_it = |may: &AllowedChange| {
                may.kind == change.kind && may.topic.as_ref().is_none_or(|topic| *topic == change.topic)
            };
            allowed.iter().any(is_it)
        };
        let mut changes = base.changes(written);
        changes.retain(|change| !may_be(change));
        let hangs = command.end == CommandEnd::TimedOut;
        Verdict { failed: failure(command), hangs, changes, missed: struck.iter().filter(|count| **count == 0).count() }
    }

    /// Whether something is wrong: a command may end well and leave wrong records.
    pub(super) fn is_finding(&self) -> bool {
        self.failed.is_some() || !self.changes.is_empty()
    }

    /// All that is wrong, each as a sentence without its end.
    pub(super) fn sentences(&self) -> impl Iterator<Item = String> {
        self.failed.iter().cloned().chain(self.changes.iter().map(|change| printable(&change.to_string())))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_finding(), self.missed) {
            (true, _) => write!(f, "FOUND: {}", self.sentences().collect::<Vec<_>>().join("; ")),
            (false, 0) => write!(f, "the command passes"),
            (false, _) => write!(f, "this moment did not come again; the command passes"),
        }
    }
}

/// How a command has failed; `None`: it has not.
pub(super) fn failure(command: &CommandRun) -> Option<String> {
    match command.end {
        CommandEnd::Code(0) => None,
        CommandEnd::Code(code) => Some(format!("the command ends with the code {code}")),
        CommandEnd::Signal(signal) => Some(format!("the command ends by the signal {signal}")),
        CommandEnd::TimedOut => Some(format!("the command has not ended within {:.0?}", command.took)),
        CommandEnd::Stopped => Some("the command was stopped".into()),
    }
}

/// The last lines of a command's output, indented.
pub(super) fn last_lines(command: &CommandRun) -> String {
    let lines: Vec<&str> = command.tail.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(MOST_LINES)..];
    shown.iter().map(|line| format!("    | {}\n", printable(line))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::records::{self, ChangeKind};
    use super::*;

    fn ended(end: CommandEnd) -> CommandRun {
        CommandRun { end, took: Duration::from_secs(61), tail: "a\nb\u{1b}[2J\n".into() }
    }

    #[test]
    fn a_command_that_passes_may_leave_wrong_records() {
        let line = |value: &str| format!(r#"{{"topic":"t","partition":0,"key":null,"value":"{value}"}}"#);
        let written = |lines: &[&str]| {
            let lines = lines.iter().map(|value| line(value)).collect::<Vec<_>>().join("\n");
            Written::from([("t".to_string(), records::parse(&lines).unwrap())])
        };
        let base = Base::of(&written(&["a", "b"]), &written(&["a", "b"]));
        let passes = ended(CommandEnd::Code(0));
        let told = |lines: &[&str], struck: &[u64], allowed: &[AllowedChange]| {
            Verdict::of(&passes, (&written(lines), struck), &base, allowed).to_string()
        };
        assert_eq!(told(&["a", "b"], &[1], &[]), "the command passes");
        assert_eq!(told(&["a", "b"], &[1, 0], &[]), "this moment did not come again; the command passes");
        assert_eq!(told(&["a"], &[1], &[]), r#"FOUND: t lacks 1 record: "b""#);
        let may = |topic: Option<&str>| AllowedChange { kind: ChangeKind::Lost, topic: topic.map(str::to_string) };
        assert_eq!(told(&["a"], &[1], &[may(None)]), "the command passes");
        assert_eq!(told(&["a"], &[1], &[may(Some("t"))]), "the command passes");
        assert!(told(&["a"], &[1], &[may(Some("u"))]).starts_with("FOUND"));
        assert!(told(&["a", "a", "b"], &[1], &[may(None)]).starts_with("FOUND"));
    }

    #[test]
    fn a_failure_says_how() {
        let told = |end| failure(&ended(end)).unwrap_or_default();
        assert_eq!(told(CommandEnd::Code(0)), "");
        assert_eq!(told(CommandEnd::Code(3)), "the command ends with the code 3");
        assert_eq!(told(CommandEnd::Signal(9)), "the command ends by the signal 9");
        assert_eq!(told(CommandEnd::TimedOut), "the command has not ended within 61s");
        assert_eq!(last_lines(&ended(CommandEnd::Code(1))), "    | a\n    | b\\u{1b}[2J\n");
    }
}
