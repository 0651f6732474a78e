//! Where Klamm differs from Apache Kafka on purpose: the one place that says so, with the reasons.

use crate::session::Answered;

/// A difference that is known: the script, the beginning of the command, and why.
pub struct Accepted {
    pub script: &'static str,
    pub command: &'static str,
    pub reason: &'static str,
}

const fn accept(script: &'static str, command: &'static str, reason: &'static str) -> Accepted {
    Accepted { script, command, reason }
}

pub const ACCEPTED: &[Accepted] = &[
    accept("produce", "produce p records=none", "an exception escapes Kafka, which closes; we take null for empty"),
    accept(
        "produce",
        "batches unjudged-p",
        "a maximum timestamp that its records do not have is believed (ARCHITECTURE, record/)",
    ),
    accept(
        "configs",
        "alter g wrong:retention.ms=1",
        "Kafka has no answer to an unknown operation but UNKNOWN_SERVER_ERROR",
    ),
    accept(
        "txn_partitions",
        "add a v=5 ta:0 | a ta:3",
        "an id twice in one request, which no broker sends: Kafka takes the partitions of the last for both",
    ),
    accept(
        "txn_markers",
        "mark a commit v=1 tm:2 | a abort tm:2",
        "a producer's partition twice in one request, which no coordinator sends: Kafka answers it once",
    ),
    accept(
        "txn_readers",
        "read tr:0 v=11",
        "Kafka names aborted transactions behind the last stable offset, too, where its index cannot tell how far it reads",
    ),
];

/// The lines as they are compared where Klamm is the subject: messages are in our own words, and say why where Kafka's
/// answer is silent (`ReplicaManager` sends them along with record errors only). So all that counts is that there is one
/// where Kafka has one.
pub fn without_messages(theirs: &Answered, ours: &Answered) -> (Vec<String>, Vec<String>) {
    let theirs: Vec<_> = theirs.lines.iter().map(|line| mask(line)).collect();
    let keeps = |at: usize| theirs.get(at).is_some_and(|line| line.contains(MASKED));
    let ours = ours.lines.iter().map(|line| mask(line)).enumerate();
    let ours = ours.map(|(at, line)| if keeps(at) { line } else { line.replace(MASKED, "") }).collect();
    (theirs, ours)
}

const MASKED: &str = " \"...\"";

/// Each text in quotes becomes dots.
fn mask(line: &str) -> String {
    let parts = line.split('"').enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { part.to_string() } else { "\"...\"".into() }).collect()
}
