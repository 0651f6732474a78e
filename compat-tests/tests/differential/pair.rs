//! What the two brokers are told at their start, and the comparison of what they answered.

use crate::accepted::{ACCEPTED, without_messages};
use crate::session::{Answered, Session};
use compat_tests::broker::{self, Peer};
use compat_tests::pair::{self, Pair, Place};
use compat_tests::{Context, Result, bail, ensure};
use std::sync::Mutex;
use std::thread;

/// Everything that goes by the clock goes quickly.
pub const SETTINGS: &[(&str, &str)] = &[
    ("log.cleaner.backoff.ms", "100"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
    ("log.retention.check.interval.ms", "200"),
    ("log.initial.task.delay.ms", "100"),
    ("log.segment.delete.delay.ms", "1000"),
    ("log.message.timestamp.after.max.ms", "3600000"),
    ("auto.create.topics.enable", "false"),
];

/// What the brokers of transactions are told besides: few partitions for what they create by themselves.
pub const TRANSACTIONS: &[(&str, &str)] = &[
    ("log.cleaner.backoff.ms", "100"),
    ("log.segment.delete.delay.ms", "1000"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.num.partitions", "4"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "200"),
];

/// Brokers that serve several scripts, and what they are told.
pub struct Brokers {
    pub pair: Mutex<Option<Pair>>,
    pub settings: &'static [(&'static str, &'static str)],
    one_by_one: Option<Mutex<()>>,
}

impl Brokers {
    pub fn told(settings: &'static [(&'static str, &'static str)]) -> Brokers {
        Brokers { pair: Mutex::new(None), settings, one_by_one: None }
    }

    /// No script runs beside another. Apache Kafka verifies the partitions of all producers that wait at that time in one
    /// request, and tells all of them of an error in the form that the first one's version has
    /// (`AddPartitionsToTxnManager.TransactionDataAndCallbacks`): 48 or 120, by chance.
    pub fn one_by_one(self) -> Brokers {
        Brokers { one_by_one: Some(Mutex::new(())), ..self }
    }
}

pub fn compare(brokers: &Brokers, name: &'static str, script: &str) -> Result<()> {
    let _alone = brokers.one_by_one.as_ref().map(|lock| lock.lock().expect("no panic"));
    let places = pair::places(&brokers.pair, brokers.settings)?;
    let run = |place: Place| {
        let script = script.to_string();
        thread::spawn(move || Session::new(place, name)?.run(&script))
    };
    let [reference, subject] = places.map(run).map(|thread| thread.join().expect("no panic"));
    let (reference, subject) = (reference.context("Apache Kafka")?, subject.context("the broker under test")?);
    judge(name, &reference, &subject)
}

/// Compares command by command.
fn judge(name: &str, reference: &[Answered], subject: &[Answered]) -> Result<()> {
    ensure!(reference.len() == subject.len(), "{} and {} commands", reference.len(), subject.len());
    let is_peer = broker::peer() == Peer::Klamm;
    let accepted: Vec<_> = ACCEPTED.iter().filter(|accepted| is_peer && accepted.script == name).collect();
    let mut used = vec![false; accepted.len()];
    let mut found = Vec::new();
    if std::env::var_os("KLAMM_TRACE").is_some() {
        reference.iter().for_each(|answered| println!("{}", answered.show()));
    }
    let differ = |theirs: &Answered, ours: &Answered| match without_messages(theirs, ours) {
        (theirs, ours) if is_peer => theirs != ours,
        _ => theirs != ours,
    };
    for (theirs, ours) in reference.iter().zip(subject).filter(|(theirs, ours)| differ(theirs, ours)) {
        match accepted.iter().position(|accepted| begins(&theirs.command, accepted.command)) {
            Some(at) => used[at] = true,
            None => found.push(difference(theirs, ours)),
        }
    }
    for (accepted, _) in accepted.iter().zip(used).filter(|(_, used)| !used) {
        found.push(format!("no difference any more at `{}` ({})", accepted.command, accepted.reason));
    }
    if !found.is_empty() {
        bail!("{} differences\n{}", found.len(), found.join("\n"));
    }
    Ok(())
}

/// Whether a command begins with these words.
fn begins(command: &str, words: &str) -> bool {
    command.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// The command, and the lines that only one of the two has.
fn difference(theirs: &Answered, ours: &Answered) -> String {
    let only = |a: &Answered, b: &Answered, who: &str| {
        let lines = a.lines.iter().filter(|line| !b.lines.contains(line));
        lines.map(|line| format!("    {who}: {line}")).collect::<Vec<_>>()
    };
    let mut lines = vec![format!("line {}: {}", theirs.line, theirs.command)];
    lines.extend(only(theirs, ours, "kafka"));
    lines.extend(only(ours, theirs, "klamm"));
    if lines.len() == 1 {
        lines.push(format!("    the same lines in another order or number: {:?} and {:?}", theirs.lines, ours.lines));
    }
    lines.join("\n")
}
