//! `__transaction_state` moves between Klamm and Apache Kafka: transactions that are open, prepared and complete, of both
//! forms (transaction version 2, and those before it), with records and with a group's offsets. The next broker describes
//! each as the last one did, finishes what was prepared, goes on with what was open, and knows the retry of an end.
//!
//! A prepared transaction is one whose markers have not been written yet, which lasts for milliseconds. So its record is
//! written here: that of the open transaction with another state (and, in version 2, the next epoch), behind the
//! coordinator's back, as the last thing before the broker ends. Not so before Apache Kafka starts after a kill: it takes
//! itself for the leader until its own controller fences the dead broker's registration, and the markers that it would send
//! in between it drops for good, as if the partitions were deleted (`TransactionMarkerChannelManager`: "Couldn't find leader
//! endpoint … likely deleted already and hence can be skipped"). By chance, and between two of its own brokers as well.

use crate::End;
use compat_tests::batch::{Incoming, Outgoing, Record};
use compat_tests::broker::{Broker, Peer, Quorum, Setup};
use compat_tests::raw::Raw;
use compat_tests::transactional::{self, Identity, Partition, Producer};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::describe_transactions_response::TransactionState;
use std::collections::BTreeMap;

const TOPIC: &str = "ledger";
const STATE_TOPIC: &str = "__transaction_state";
const GROUP: &str = "auditors";
const TIMEOUT_MS: i32 = 900_000;
/// States as the records of the log have them (`TransactionState`), and where: behind version, producer id, epoch, timeout.
const ONGOING: u8 = 1;
const PREPARE_COMMIT: u8 = 2;
const PREPARE_ABORT: u8 = 3;
const EPOCH_AT: usize = 10;
const STATE_AT: usize = 16;

pub fn kafka_first(end: End) -> impl Fn(&Setup) -> Result<Broker> + Clone + Send + 'static {
    move |setup| moves(&Setup { overrides: setup.overrides.clone(), ..Setup::kafka() }, setup, end)
}

pub fn klamm_first(end: End) -> impl Fn(&Setup) -> Result<Broker> + Clone + Send + 'static {
    move |setup| moves(setup, &Setup { overrides: setup.overrides.clone(), ..Setup::kafka() }, end)
}

/// To the second broker and back to the first.
fn moves(first: &Setup, second: &Setup, end: End) -> Result<Broker> {
    let mut broker = Broker::start_shared(first, Quorum::Static)?;
    let mut raw = Raw::connect(broker.port())?;
    transactional::await_coordinators(&mut raw)?;
    raw.create_topic(TOPIC, 1, &[])?;
    raw.await_all_leaders(TOPIC, 1)?;
    let mut ledger = Ledger::default();
    for at in 0..3 {
        let next = if at == 0 { second } else { first };
        let prepares = matches!(end, End::Stop) || next.peer == Peer::Klamm;
        ledger.write(&mut raw, at, prepares).with_context(|| format!("broker {at} writes"))?;
        if at == 2 {
            break;
        }
        match end {
            End::Stop => broker.stop()?,
            End::Kill => broker.kill9()?,
        }
        broker.hand_over(next)?;
        raw = Raw::connect(broker.port())?;
        transactional::await_coordinators(&mut raw)?;
        raw.await_all_leaders(TOPIC, 1)?;
        ledger.check(&mut raw, at).with_context(|| format!("broker {} finds", at + 1))?;
    }
    Ok(broker)
}

/// What was written, by transactional id.
#[derive(Default)]
struct Ledger {
    producers: BTreeMap<String, Producer>,
    described: BTreeMap<String, TransactionState>,
    /// Identities with which complete transactions were ended.
    ended: BTreeMap<String, Identity>,
    /// The end of each prepared one.
    prepared: BTreeMap<String, &'static str>,
    /// Values of the records that a read_committed consumer must see.
    committed: Vec<String>,
}

impl Ledger {
    /// Transactions in every state; their ids have the number of the broker in them.
    fn write(&mut self, raw: &mut Raw, at: usize, prepares: bool) -> Result<()> {
        for (form, is_v2) in [("v1", false), ("v2", true)] {
            self.begin(raw, &format!("empty-{form}-{at}"), is_v2, false)?;
            for (state, is_commit) in [("committed", true), ("aborted", false)] {
                let id = format!("{state}-{form}-{at}");
                self.begin(raw, &id, is_v2, true)?;
                let producer = self.producers.get_mut(&id).context("begun")?;
                self.ended.insert(id.clone(), producer.identity.clone());
                if is_commit {
                    producer.commit(raw)?
                } else {
                    producer.abort(raw)?
                }
                transactional::await_markers(raw, &id)?;
                self.committed.extend(is_commit.then(|| id.clone()));
            }
            self.begin(raw, &format!("open-{form}-{at}"), is_v2, true)?;
            let prepared = [("to-commit", PREPARE_COMMIT), ("to-abort", PREPARE_ABORT)];
            for (state, code) in prepared.into_iter().filter(|_| prepares) {
                let id = format!("{state}-{form}-{at}");
                self.begin(raw, &id, is_v2, true)?;
                let offset = 100 + at as i64;
                let producer = self.producers.get_mut(&id).context("begun")?;
                producer.send_offsets(raw, &group(&id), &[((TOPIC.to_string(), 0), offset)])?;
                let is_commit = code == PREPARE_COMMIT;
                self.prepared.insert(id.clone(), if is_commit { "CompleteCommit" } else { "CompleteAbort" });
                self.committed.extend(is_commit.then(|| id.clone()));
            }
        }
        self.described.clear();
        for id in self.producers.keys() {
            self.described.insert(id.clone(), describe(raw, id)?);
        }
        for id in self.prepared.keys().filter(|id| id.ends_with(&format!("-{at}"))) {
            prepare(raw, id)?;
        }
        Ok(())
    }

    fn begin(&mut self, raw: &mut Raw, id: &str, is_v2: bool, sends: bool) -> Result<()> {
        let mut producer = Producer::init(raw, id, TIMEOUT_MS, is_v2)?;
        if sends {
            producer.send(raw, TOPIC, 0, &[id.as_bytes()])?;
        }
        self.producers.insert(id.to_string(), producer);
        Ok(())
    }

    /// What the broker before this one, with the number `at`, has left.
    fn check(&mut self, raw: &mut Raw, at: usize) -> Result<()> {
        let ours = format!("-{at}");
        for (id, before) in &self.described {
            if !(self.prepared.contains_key(id) && id.ends_with(&ours)) {
                let here = describe(raw, id)?;
                ensure!(here == *before, "{id} is\n{here:?}\nand was\n{before:?}");
            }
        }
        for (id, complete) in self.prepared.iter().filter(|(id, _)| id.ends_with(&ours)) {
            transactional::await_markers(raw, id)?;
            let (here, before) = (describe(raw, id)?, &self.described[id]);
            let epoch = before.producer_epoch + i16::from(id.contains("v2"));
            ensure!(here.transaction_state.as_str() == *complete, "{id} became {here:?}");
            ensure!(
                (here.producer_id, here.producer_epoch) == (before.producer_id, epoch),
                "{id}: {here:?}, {before:?}"
            );
            let offset = committed_offset(raw, &group(id)).with_context(|| format!("{id} is {here:?}"))?;
            let expected = if *complete == "CompleteCommit" { 100 + at as i64 } else { -1 };
            ensure!(offset == expected, "{id}: the group's offset is {offset} and not {expected}");
        }
        // A retry of an end whose answer was lost.
        for (id, identity) in self.ended.iter().filter(|(id, _)| id.ends_with(&ours)) {
            let version = if id.contains("v2") { 5 } else { 4 };
            let answer = raw.call(&transactional::end(identity, id.starts_with("committed")), version)?;
            ensure!(answer.error_code == 0, "{id}: a retry of the end: error {}", answer.error_code);
            let given = (answer.producer_id.0, answer.producer_epoch);
            let known = (identity.producer_id, identity.epoch + 1);
            ensure!(version < 5 || given == known, "{id}: a retry got {given:?} instead of {known:?}");
        }
        // What is open goes on, with its sequence.
        for form in ["v1", "v2"] {
            let id = format!("open-{form}{ours}");
            let producer = self.producers.get_mut(&id).context("begun")?;
            producer.send(raw, TOPIC, 0, &[format!("{id} goes on").as_bytes()])?;
            producer.commit(raw)?;
            transactional::await_markers(raw, &id)?;
            self.committed.extend([id.clone(), format!("{id} goes on")]);
        }
        let mut expected = self.committed.clone();
        expected.sort();
        let mut seen = read_committed(raw)?;
        seen.sort();
        ensure!(seen == expected, "read_committed sees\n{seen:?}\ninstead of\n{expected:?}");
        Ok(())
    }
}

/// Each transaction has a group of its own.
fn group(id: &str) -> String {
    format!("{GROUP}-{id}")
}

fn describe(raw: &mut Raw, id: &str) -> Result<TransactionState> {
    let states = raw.call(&transactional::describe(&[id]), 0)?.transaction_states;
    let mut state = states.into_iter().next().context("no state in the answer")?;
    ensure!(state.error_code == 0, "{id}: error {}", state.error_code);
    state.topics.sort_by(|a, b| a.topic.0.as_str().cmp(b.topic.0.as_str()));
    state.topics.iter_mut().for_each(|topic| topic.partitions.sort());
    Ok(state)
}

fn committed_offset(raw: &mut Raw, group: &str) -> Result<i64> {
    transactional::stable_offset(raw, group, &(TOPIC.to_string(), 0))
}

/// Appends the record that the coordinator would, were the transaction ended now.
fn prepare(raw: &mut Raw, id: &str) -> Result<()> {
    let log: Partition = (STATE_TOPIC.to_string(), 0);
    let mut bytes = transactional::fetch(raw, 12, &log, 0, 0)?.records.unwrap_or_default();
    let mut last = None;
    while let Some(batch) = Incoming::take(&mut bytes)? {
        let of_id = |record: &Record| record.key.as_ref().is_some_and(|key| key.ends_with(id.as_bytes()));
        last = batch.records.into_iter().map(|(_, record)| record).rfind(of_id).or(last);
    }
    let mut record = last.with_context(|| format!("{id} has no record"))?;
    let value = record.value.as_mut().context("a tombstone")?;
    ensure!(value.len() > STATE_AT && value[STATE_AT] == ONGOING, "{id} is not open: {value:02x?}");
    value[STATE_AT] = if id.starts_with("to-commit") { PREPARE_COMMIT } else { PREPARE_ABORT };
    if id.contains("v2") {
        let epoch = i16::from_be_bytes([value[EPOCH_AT], value[EPOCH_AT + 1]]) + 1;
        value[EPOCH_AT..EPOCH_AT + 2].copy_from_slice(&epoch.to_be_bytes());
    }
    transactional::produce_internally(raw, &log, Outgoing { records: vec![record], ..Outgoing::default() }.encode()?)
}

/// Values of the topic's records as a read_committed consumer sees them.
fn read_committed(raw: &mut Raw) -> Result<Vec<String>> {
    transactional::read_committed(raw, &(TOPIC.to_string(), 0))
}
