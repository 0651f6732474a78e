//! What the two brokers are told at their start, and the comparison of what they answered.

use crate::accepted::{ACCEPTED, without_messages};
use crate::session::{Answered, Session};
use compat_tests::broker::{self, Peer};
use compat_tests::pair::{self, Pair, Place};
use compat_tests::raw::{Raw, text};
use compat_tests::transactional::patiently;
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{ApiVersionsRequest, UpdateFeaturesRequest};
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
    /// The level of the feature `transaction.version` that both have now. No script runs beside another. Apache Kafka verifies the
    /// partitions of all producers that wait at that time in one request, and tells all of them of an error in the form that
    /// the first one's version has (`AddPartitionsToTxnManager.TransactionDataAndCallbacks`): 48 or 120, by chance.
    transaction_version: Option<Mutex<i16>>,
}

/// The feature, and its level where nothing else is said.
const FEATURE: &str = "transaction.version";
pub const NEWEST: i16 = 2;
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;

impl Brokers {
    pub fn told(settings: &'static [(&'static str, &'static str)]) -> Brokers {
        Brokers { pair: Mutex::new(None), settings, transaction_version: None }
    }

    /// One script after the other, each at its own level of `transaction.version`.
    pub fn of_transactions(settings: &'static [(&'static str, &'static str)]) -> Brokers {
        Brokers { transaction_version: Some(Mutex::new(NEWEST)), ..Brokers::told(settings) }
    }
}

/// Sets the feature's level on one broker, and waits until the broker shows it.
fn set_transaction_version(place: &Place, from: i16, to: i16) -> Result<()> {
    let mut raw = Raw::connect(place.port)?;
    let update = FeatureUpdateKey::default()
        .with_feature(text(FEATURE))
        .with_max_version_level(to)
        .with_upgrade_type(if to > from { UPGRADE } else { SAFE_DOWNGRADE });
    let request = UpdateFeaturesRequest::default().with_timeout_ms(30_000).with_feature_updates(vec![update]);
    let answer = raw.call(&request, 1)?;
    let errors: Vec<i16> = answer.results.iter().map(|result| result.error_code).collect();
    ensure!(answer.error_code == 0 && errors.iter().all(|error| *error == 0), "{} and {errors:?}", answer.error_code);
    let ask = ApiVersionsRequest::default()
        .with_client_software_name(text("differential"))
        .with_client_software_version(text("1"));
    patiently("the level of transaction.version", || {
        let features = raw.call(&ask, 3)?.finalized_features;
        let level = features.iter().find(|feature| feature.name.as_str() == FEATURE);
        Ok((level.map_or(0, |feature| feature.max_version_level) == to).then_some(()))
    })
}

pub fn compare(brokers: &Brokers, name: &'static str, script: &str) -> Result<()> {
    compare_at(NEWEST, brokers, name, script)
}

/// The same at a level of `transaction.version`.
pub fn compare_at(level: i16, brokers: &Brokers, name: &'static str, script: &str) -> Result<()> {
    let mut alone = brokers.transaction_version.as_ref().map(|lock| lock.lock().expect("no panic"));
    if let Some(set) = alone.as_deref_mut().filter(|set| **set != level) {
        let places = pair::places(&brokers.pair, brokers.settings)?;
        places.iter().try_for_each(|place| set_transaction_version(place, *set, level))?;
        *set = level;
    }
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
