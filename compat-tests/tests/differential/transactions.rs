//! The commands of transactions, except those of groups' offsets (`offsets.rs`).
//!
//! | command | what it does, what it shows |
//! | --- | --- |
//! | `coordinators` | waits until all transaction coordinators answer |
//! | `init ID [timeout=MS]` | InitProducerId; with `pid=` and `epoch=` for a producer that exists |
//! | `bump ID EPOCH` | InitProducerId again and again, until the id has this epoch |
//! | `add ID [verify] TOPIC:INDEX ... [\| ID ...]` | AddPartitionsToTxn |
//! | `send ID [as=ID] [seq=N] [plain] TOPIC:INDEX ... [\| ID ...]` | Produce: a batch of one record for each partition |
//! | `end ID commit` or `abort` | EndTxn; then waits until all markers are there |
//! | `mark ID commit [coordinator=N] [tv=N] TOPIC:INDEX ... [\| ID ...]` | WriteTxnMarkers |
//! | `settle ID` | waits until no marker is missing |
//! | `txn ID ...` | DescribeTransactions |
//! | `txns [state=S ...] [of=ID] [duration=MS] [pattern=P]` | ListTransactions, this script's ids |
//! | `find ID ...` | FindCoordinator |
//! | `read TOPIC:INDEX [from=OFFSET] [level=N]` | Fetch, read_committed if nothing else is said |
//! | `ends TOPIC:INDEX` | ListOffsets: the end in both levels |
//! | `pause MS` | waits |
//!
//! Each takes `v=N` or `v=N-M` (each version in turn) and, where the request is made in a producer's name, `pid=` and
//! `epoch=`. A producer id is `right` (what the broker said last to this transactional id), `prev` (the one before it),
//! another transactional id's, or a number; an epoch is `right`, `right-1`, `right+1` or a number. A transactional id is a
//! word, `null`, `empty`, `long` (32,767 bytes) or `longer` (32,768). `TOPIC:0..9` stands for nine partitions.
//!
//! A request that is answered CONCURRENT_TRANSACTIONS is made again until it is not, but for `once`. So is an InitProducerId
//! that is answered COORDINATOR_LOAD_IN_PROGRESS: Apache Kafka has used up its producer ids and fetches the next thousand.

use crate::produce::number;
use crate::session::{Session, show_bytes, show_error};
use compat_tests::batch::{Incoming, Outgoing, Record, TRANSACTIONAL};
use compat_tests::raw::{self, Raw, text};
use compat_tests::transactional::{self, Addition, CONCURRENT_TRANSACTIONS, Identity, Marker, Partition, TRANSACTION};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, ListOffsetsRequest, ListTransactionsRequest, ProducerId,
};
use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
/// What no coordinator has ever given.
const NEVER_GIVEN: i64 = 777_000_000;
/// The longest text that all versions can carry.
const LONGEST: usize = 32_767;
/// How long markers may take.
const MARKERS_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);
/// More partitions are shown as their number.
const MOST_SHOWN: usize = 100;
/// So many requests of `bump` are under way at a time.
const BURST: usize = 500;

/// What a session knows of transactions.
#[derive(Default)]
pub struct Transactions {
    /// Producer id, epoch and the producer id before, by transactional id.
    known: HashMap<String, (i64, i16, i64)>,
    /// The next sequence of a producer id and epoch in a partition.
    sequences: HashMap<(i64, i16, Partition), i32>,
    /// Offsets are shown from here on.
    pub bases: HashMap<Partition, i64>,
    /// Ids that the broker gave to members of groups, by the script's names, with generation or epoch.
    pub members: HashMap<String, (String, i32)>,
    /// The walk's cells so far, and the partition that they work with.
    pub cells: usize,
    pub partition: i32,
}

/// The words of a command, sorted.
pub struct Words<'a> {
    named: Vec<(&'a str, &'a str)>,
    pub plain: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub fn of(words: &[&'a str]) -> Words<'a> {
        let (mut named, mut plain) = (Vec::new(), Vec::new());
        for &word in words {
            match word.split_once('=').filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic())) {
                Some(pair) => named.push(pair),
                None => plain.push(word),
            }
        }
        Words { named, plain }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.named.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T> {
        self.get(name).map_or(Ok(default), number)
    }

    pub fn has(&self, word: &str) -> bool {
        self.plain.contains(&word)
    }

    pub fn versions(&self, default: i16) -> Result<RangeInclusive<i16>> {
        let Some(word) = self.get("v") else { return Ok(default..=default) };
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        Ok(number(from)?..=number(to)?)
    }

    /// The words that name partitions.
    pub fn partitions(&self) -> Result<Vec<Partition>> {
        let mut all = Vec::new();
        for word in self.plain.iter().filter(|word| word.contains(':')) {
            match word.split_once("..") {
                Some((first, end)) => {
                    let (topic, first) = partition(first)?;
                    all.extend((first..number(end)?).map(|index| (topic.clone(), index)));
                }
                None => all.push(partition(word)?),
            }
        }
        Ok(all)
    }
}

/// `TOPIC:INDEX`.
pub fn partition(word: &str) -> Result<Partition> {
    let (topic, index) = word.rsplit_once(':').with_context(|| format!("no partition: {word}"))?;
    Ok((topic.to_string(), number(index)?))
}

pub fn show_partition(partition: &Partition) -> String {
    format!("{}:{}", partition.0, partition.1)
}

impl Session {
    /// `None`: no command of this file.
    pub fn transaction(&mut self, verb: &str, subject: &str, rest: &[&str]) -> Option<Result<()>> {
        let done = match verb {
            "coordinators" => transactional::await_coordinators(&mut self.raw),
            "init" => self.init(subject, &Words::of(rest)),
            "bump" => self.bump(subject, rest),
            "add" => self.add(subject, rest),
            "send" => self.send_in_transaction(subject, rest),
            "end" => self.end(subject, &Words::of(rest)),
            "mark" => self.mark(subject, rest),
            "settle" => self.settle_markers(subject),
            "txn" => self.describe_transactions(subject, rest),
            "txns" => self.list_transactions(subject, rest),
            "find" => self.find(subject, &Words::of(rest)),
            "read" => self.read(subject, &Words::of(rest)),
            "ends" => self.ends(subject),
            "pause" => number(subject).map(|ms| std::thread::sleep(Duration::from_millis(ms))),
            _ => return None,
        };
        Some(done)
    }

    /// A transactional id's text.
    pub fn full(&self, word: &str) -> Option<String> {
        match word {
            "null" => None,
            "empty" => Some(String::new()),
            "long" => Some("x".repeat(LONGEST)),
            "longer" => Some("x".repeat(LONGEST + 1)),
            word => Some(format!("{}-{word}", self.name)),
        }
    }

    pub fn identity(&self, id: &str, words: &Words) -> Result<Identity> {
        let known = self.transactions.known.get(id).copied();
        let producer_id = match words.get("pid").unwrap_or("right") {
            "right" => known.map_or(NEVER_GIVEN, |known| known.0),
            "prev" => known.map_or(NEVER_GIVEN, |known| known.2),
            other => match self.transactions.known.get(other) {
                Some(known) => known.0,
                None => number(other)?,
            },
        };
        let epoch = match words.get("epoch").unwrap_or("right") {
            word if word.starts_with("right") => {
                let offset = if word == "right" { 0 } else { number::<i16>(&word["right".len()..])? };
                known.map_or(0, |known| known.1).wrapping_add(offset)
            }
            word => number(word)?,
        };
        Ok(Identity { transactional_id: self.full(id).unwrap_or_default(), producer_id, epoch })
    }

    /// A producer id gets a name by the order of appearance.
    fn name_producer(&mut self, producer_id: i64) {
        if producer_id >= 0 && !self.producers.values().any(|known| *known == producer_id) {
            self.producers.insert(format!("P{}", self.producers.len() + 1), producer_id);
        }
    }

    fn learn(&mut self, id: &str, producer_id: i64, epoch: i16) {
        if producer_id < 0 {
            return;
        }
        self.name_producer(producer_id);
        let known = self.transactions.known.entry(id.to_string()).or_insert((producer_id, epoch, -1));
        if known.0 != producer_id {
            known.2 = known.0;
        }
        (known.0, known.1) = (producer_id, epoch);
    }

    /// Makes a request until its answer is another than CONCURRENT_TRANSACTIONS; `None` where the broker closes instead.
    pub fn tell<T>(
        &mut self,
        once: bool,
        mut ask: impl FnMut(&mut Raw) -> Result<T>,
        error_of: impl Fn(&T) -> i16,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + MARKERS_WITHIN;
        loop {
            let Ok(answer) = ask(&mut self.raw) else {
                self.reconnect()?;
                self.say("the connection was closed");
                return Ok(None);
            };
            if once || error_of(&answer) != CONCURRENT_TRANSACTIONS || Instant::now() > deadline {
                return Ok(Some(answer));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn init(&mut self, id: &str, words: &Words) -> Result<()> {
        let full = self.full(id);
        let timeout_ms = words.number("timeout", 60_000)?;
        for version in words.versions(5)? {
            let identity = self.identity(id, words)?;
            let producer_id = words.get("pid").map_or(-1, |_| identity.producer_id);
            let epoch = words.get("epoch").map_or(-1, |_| identity.epoch);
            let request = transactional::init_producer_id(full.as_deref(), timeout_ms, (producer_id, epoch));
            let ask = |raw: &mut Raw| {
                loop {
                    let answer = raw.call(&request, version)?;
                    if answer.error_code != COORDINATOR_LOAD_IN_PROGRESS {
                        return Ok(answer);
                    }
                    std::thread::sleep(PAUSE);
                }
            };
            let answer = self.tell(words.has("once"), ask, |answer| answer.error_code)?;
            let Some(answer) = answer else { continue };
            if answer.error_code == 0 {
                self.learn(id, answer.producer_id.0, answer.producer_epoch);
            }
            let (given, epoch) = (self.show_producer(answer.producer_id.0), answer.producer_epoch);
            self.say(format!("v{version}: {} {given} epoch {epoch}", show_error(answer.error_code)));
        }
        Ok(())
    }

    /// One request after the other on the same connection, without waiting for each answer.
    fn bump(&mut self, id: &str, rest: &[&str]) -> Result<()> {
        let goal: i16 = number(rest.first().context("no epoch")?)?;
        let full = self.full(id);
        let request = transactional::init_producer_id(full.as_deref(), 60_000, (-1, -1));
        loop {
            let epoch = self.identity(id, &Words::of(&[]))?.epoch;
            let missing = (goal - epoch) as usize;
            if missing == 0 {
                self.say(format!("epoch {epoch}"));
                return Ok(());
            }
            let last = (1..missing.min(BURST)).try_for_each(|_| self.raw.post(&request, 5).map(|_| ()));
            last?;
            for _ in 1..missing.min(BURST) {
                self.raw.frame()?;
            }
            let answer = self.raw.call(&request, 5)?;
            ensure!(answer.error_code == 0, "InitProducerId: error {}", answer.error_code);
            self.learn(id, answer.producer_id.0, answer.producer_epoch);
        }
    }

    fn add(&mut self, id: &str, rest: &[&str]) -> Result<()> {
        let all = [&[id][..], rest].concat();
        let mut additions = Vec::new();
        for part in all.split(|word| *word == "|") {
            let (id, words) = (part.first().context("no id")?, Words::of(&part[1..]));
            let (identity, partitions) = (self.identity(id, &words)?, words.partitions()?);
            additions.push(Addition { identity, verify_only: words.has("verify"), partitions });
        }
        let words = Words::of(rest);
        for version in words.versions(3)? {
            let request = transactional::add_partitions(version, &additions);
            let lines = |answer: &kafka_protocol::messages::AddPartitionsToTxnResponse| {
                let mut lines = Vec::new();
                let results = answer.results_by_transaction.iter();
                let results = results.map(|result| (result.transactional_id.to_string(), &result.topic_results));
                let first = (String::new(), &answer.results_by_topic_v3_and_below);
                for (id, topics) in results.chain(Some(first)) {
                    for topic in topics {
                        let name = topic.name.to_string();
                        let results = topic.results_by_partition.iter();
                        lines.extend(results.map(|result| {
                            (id.clone(), (name.clone(), result.partition_index), result.partition_error_code)
                        }));
                    }
                }
                lines.sort();
                lines
            };
            let concurrent = |answer: &_| worst(lines(answer).iter().map(|(_, _, error)| *error));
            let Some(answer) = self.tell(words.has("once"), |raw| raw.call(&request, version), concurrent)? else {
                continue;
            };
            self.say(format!("v{version}: {}", show_error(answer.error_code)));
            let lines = lines(&answer);
            let errors: BTreeSet<i16> = lines.iter().map(|(_, _, error)| *error).collect();
            if lines.len() > MOST_SHOWN {
                self.say(format!("  {} partitions {errors:?}", lines.len()));
                continue;
            }
            for (id, partition, error) in lines {
                let id = if id.len() > 100 { format!("{} bytes", id.len()) } else { id };
                self.say(format!("  {id} {} {}", show_partition(&partition), show_error(error)));
            }
        }
        Ok(())
    }

    /// Each part is a producer's; the first one's words concern the request.
    fn send_in_transaction(&mut self, id: &str, rest: &[&str]) -> Result<()> {
        let words = Words::of(rest);
        let all = [&[id][..], rest].concat();
        for version in words.versions(12)? {
            let (mut data, mut senders) = (Vec::new(), Vec::new());
            for part in all.split(|word| *word == "|") {
                let (id, words) = (part.first().context("no id")?, Words::of(&part[1..]));
                let identity = self.identity(id, &words)?;
                for partition in words.partitions()? {
                    let key = (identity.producer_id, identity.epoch, partition.clone());
                    let next = self.transactions.sequences.get(&key).copied().unwrap_or(0);
                    let batch = self.one_record(&identity, words.number("seq", next)?, words.has("plain"))?;
                    data.push((partition, batch.encode()?));
                    senders.push((key, batch.base_sequence + 1));
                }
            }
            let full = self.full(words.get("as").unwrap_or(id));
            let ask = |raw: &mut Raw| transactional::produce(raw, version, full.as_deref(), &data);
            let error_of = |answer: &kafka_protocol::messages::ProduceResponse| {
                let topics = answer.responses.iter();
                worst(topics.flat_map(|topic| &topic.partition_responses).map(|found| found.error_code))
            };
            let Some(answer) = self.tell(words.has("once"), ask, error_of)? else { continue };
            let mut found = Vec::new();
            for topic in answer.responses {
                let name = topic.name.to_string();
                found.extend(topic.partition_responses.into_iter().map(|found| (name.clone(), found)));
            }
            // The answer's order is that of a hash map.
            found.sort_by_key(|(name, found)| (name.clone(), found.index));
            for (name, mut found) in found {
                // Newer versions name no topic.
                let is_it = |(topic, index): &Partition| *index == found.index && (name.is_empty() || *topic == name);
                let sent = senders.iter().find(|((_, _, partition), _)| is_it(partition));
                let ((producer_id, epoch, partition), next) = sent.context("an answer for another partition")?.clone();
                if found.error_code == 0 {
                    found.base_offset -= self.base(&partition);
                    self.transactions.sequences.insert((producer_id, epoch, partition.clone()), next);
                }
                let line = format!("v{version} {} {}", show_partition(&partition), self.show_produced(&found));
                self.say(line);
            }
        }
        Ok(())
    }

    fn one_record(&self, identity: &Identity, base_sequence: i32, is_plain: bool) -> Result<Outgoing> {
        let (key, value) = (Some(b"k".to_vec()), Some(b"v".to_vec()));
        let record = Record { timestamp: self.time("@now")?, key, value, headers: Vec::new() };
        Ok(Outgoing {
            records: vec![record],
            attributes: if is_plain { 0 } else { TRANSACTIONAL },
            producer_id: identity.producer_id,
            producer_epoch: identity.epoch,
            base_sequence,
            ..Outgoing::default()
        })
    }

    fn base(&self, partition: &Partition) -> i64 {
        self.transactions.bases.get(partition).copied().unwrap_or(0)
    }

    fn end(&mut self, id: &str, words: &Words) -> Result<()> {
        let is_commit = words.has("commit");
        ensure!(is_commit || words.has("abort"), "commit or abort?");
        for version in words.versions(5)? {
            let identity = self.identity(id, words)?;
            let request = transactional::end(&identity, is_commit);
            let answer = self.tell(words.has("once"), |raw| raw.call(&request, version), |answer| answer.error_code)?;
            let Some(answer) = answer else { continue };
            if answer.error_code == 0 {
                self.learn(id, answer.producer_id.0, answer.producer_epoch);
                self.settle_markers(id)?;
            }
            let (given, epoch) = (self.show_producer(answer.producer_id.0), answer.producer_epoch);
            self.say(format!("v{version}: {} {given} epoch {epoch}", show_error(answer.error_code)));
        }
        Ok(())
    }

    fn settle_markers(&mut self, id: &str) -> Result<()> {
        let full = self.full(id).unwrap_or_default();
        transactional::await_markers(&mut self.raw, &full)
    }

    fn mark(&mut self, id: &str, rest: &[&str]) -> Result<()> {
        let all = [&[id][..], rest].concat();
        let mut markers = Vec::new();
        for part in all.split(|word| *word == "|") {
            let (id, words) = (part.first().context("no id")?, Words::of(&part[1..]));
            let identity = self.identity(id, &words)?;
            markers.push(Marker {
                producer_id: identity.producer_id,
                epoch: identity.epoch,
                is_commit: words.has("commit"),
                coordinator_epoch: words.number("coordinator", 0)?,
                transaction_version: words.number("tv", 0)?,
                partitions: words.partitions()?,
            });
        }
        for version in Words::of(rest).versions(1)? {
            let ask = |raw: &mut Raw| transactional::write_markers(raw, version, &markers);
            let Some(answer) = self.tell(true, ask, |_| 0)? else { continue };
            let mut lines = Vec::new();
            for marker in &answer.markers {
                let producer = self.show_producer(marker.producer_id.0);
                lines.extend(marker.topics.is_empty().then(|| format!("  {producer} nothing")));
                for topic in &marker.topics {
                    let name = topic.name.to_string();
                    lines.extend(topic.partitions.iter().map(|result| {
                        format!("  {producer} {name}:{} {}", result.partition_index, show_error(result.error_code))
                    }));
                }
            }
            lines.sort();
            self.say(format!("v{version}: {} markers", answer.markers.len()));
            lines.into_iter().for_each(|line| self.say(line));
        }
        Ok(())
    }

    fn describe_transactions(&mut self, id: &str, rest: &[&str]) -> Result<()> {
        let ids: Vec<String> = [&[id][..], rest].concat().iter().map(|id| self.full(id).unwrap_or_default()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let Some(answer) = self.tell(true, |raw| raw.call(&transactional::describe(&ids), 0), |_| 0)? else {
            return Ok(());
        };
        let mut lines = Vec::new();
        for state in answer.transaction_states {
            if state.error_code == 0 {
                self.name_producer(state.producer_id.0);
            }
            let mut partitions: Vec<Partition> = Vec::new();
            for topic in &state.topics {
                partitions.extend(topic.partitions.iter().map(|index| (topic.topic.to_string(), *index)));
            }
            partitions.sort();
            let id = state.transactional_id.to_string();
            lines.push(format!(
                "{} {} {} {} epoch {} timeout {} since {} {}",
                if id.len() > 100 { format!("{} bytes", id.len()) } else { id },
                show_error(state.error_code),
                state.transaction_state.as_str(),
                self.show_producer(state.producer_id.0),
                state.producer_epoch,
                state.transaction_timeout_ms,
                // Nothing is known where there is an error.
                if state.error_code == 0 { self.show_time(state.transaction_start_time_ms) } else { "-".into() },
                partitions.iter().map(show_partition).collect::<Vec<_>>().join(" ")
            ));
        }
        lines.sort();
        lines.into_iter().for_each(|line| self.say(line.trim_end()));
        Ok(())
    }

    fn list_transactions(&mut self, subject: &str, rest: &[&str]) -> Result<()> {
        let all = [&[subject][..], rest].concat();
        let states: Vec<_> = all.iter().filter_map(|word| word.strip_prefix("state=")).map(text).collect();
        let of: Vec<&str> = all.iter().filter_map(|word| word.strip_prefix("of=")).collect();
        let words = Words::of(&all);
        let mut ids = Vec::new();
        for id in of {
            let known = self.transactions.known.get(id).map(|known| known.0);
            ids.push(ProducerId(known.map_or_else(|| number(id), Ok)?));
        }
        for version in words.versions(2)? {
            let mut request = ListTransactionsRequest::default()
                .with_state_filters(states.clone())
                .with_producer_id_filters(ids.clone());
            if version >= 1 {
                request = request.with_duration_filter(words.number("duration", -1)?);
            }
            if version >= 2 {
                request = request.with_transactional_id_pattern(words.get("pattern").map(text));
            }
            let Some(answer) = self.tell(true, |raw| raw.call(&request, version), |_| 0)? else { continue };
            let mut unknown: Vec<_> = answer.unknown_state_filters.iter().map(|state| state.to_string()).collect();
            unknown.sort();
            let ours = format!("{}-", self.name);
            let found = answer.transaction_states.iter().filter(|state| state.transactional_id.starts_with(&ours));
            let mut found: Vec<_> = found
                .map(|state| {
                    let producer = self.show_producer(state.producer_id.0);
                    format!("  {} {producer} {}", state.transactional_id.as_str(), state.transaction_state.as_str())
                })
                .collect();
            found.sort();
            self.say(format!("v{version}: {} unknown {unknown:?}", show_error(answer.error_code)));
            found.into_iter().for_each(|line| self.say(line));
        }
        Ok(())
    }

    fn find(&mut self, id: &str, words: &Words) -> Result<()> {
        let all: Vec<_> = std::iter::once(&id).chain(&words.plain).filter_map(|id| self.full(id)).collect();
        for version in words.versions(6)? {
            let mut request = FindCoordinatorRequest::default().with_key_type(words.number("type", TRANSACTION)?);
            if version >= 4 {
                request = request.with_coordinator_keys(all.iter().map(|id| text(id)).collect());
            } else {
                request = request.with_key(text(all.first().context("no key")?));
            }
            let Some(answer) = self.tell(true, |raw| raw.call(&request, version), |_| 0)? else { continue };
            let lines = self.show_coordinators(version, &answer);
            lines.into_iter().for_each(|line| self.say(format!("v{version}: {line}")));
        }
        Ok(())
    }

    fn show_coordinators(&self, version: i16, answer: &FindCoordinatorResponse) -> Vec<String> {
        let show = |key: &str, error: i16, message: Option<&str>, node: i32, port: i32| {
            let port = if port == i32::from(self.place.port) { "its port".to_string() } else { port.to_string() };
            let key = if key.len() > 100 { format!("{} bytes", key.len()) } else { key.to_string() };
            format!("{key} {} \"{}\" node {node} at {port}", show_error(error), message.unwrap_or("null"))
        };
        if version < 4 {
            let message = answer.error_message.as_ref().map(|message| message.as_str());
            return vec![show("", answer.error_code, message, answer.node_id.0, answer.port)];
        }
        let found = answer.coordinators.iter().map(|c| {
            let message = c.error_message.as_ref().map(|message| message.as_str());
            show(c.key.as_str(), c.error_code, message, c.node_id.0, c.port)
        });
        found.collect()
    }

    fn read(&mut self, word: &str, words: &Words) -> Result<()> {
        let partition = partition(word)?;
        let base = self.base(&partition);
        let (offset, level) = (base + words.number("from", 0)?, words.number("level", 1)?);
        for version in words.versions(12)? {
            let ask = |raw: &mut Raw| transactional::fetch(raw, version, &partition, offset, level);
            let Some(found) = self.tell(true, ask, |_| 0)? else { continue };
            let (end, stable) = (found.high_watermark - base, found.last_stable_offset - base);
            self.say(format!("v{version}: {} to {end}, stable to {stable}", show_error(found.error_code)));
            let aborted = found.aborted_transactions.unwrap_or_default();
            let mut aborted: Vec<_> = aborted
                .iter()
                .map(|aborted| (aborted.first_offset - base, self.show_producer(aborted.producer_id.0)))
                .collect();
            aborted.sort();
            for (offset, producer) in aborted {
                self.say(format!("  aborted {producer} from {offset}"));
            }
            let mut bytes = found.records.unwrap_or_default();
            while let Some(batch) = Incoming::take(&mut bytes)? {
                self.show_batch_from(&batch, base);
            }
        }
        Ok(())
    }

    fn show_batch_from(&mut self, batch: &Incoming, base: i64) {
        // What is before the offset that was asked for is another test's.
        if batch.last_offset < base {
            return;
        }
        let (producer, epoch) = (self.show_producer(batch.producer_id), batch.producer_epoch);
        let (first, last) = (batch.base_offset - base, batch.last_offset - base);
        let sequence = batch.base_sequence;
        self.say(format!("  {first}-{last} {} {producer} epoch {epoch} seq {sequence}", batch.kind()));
        if batch.is_control() {
            for (_, record) in &batch.records {
                self.say(format!("    {:02x?} {:02x?}", record.key, record.value));
            }
        } else {
            for (_, record) in &batch.records {
                self.say(format!("    {}", show_bytes(record.value.as_deref())));
            }
        }
    }

    fn ends(&mut self, word: &str) -> Result<()> {
        let partition = partition(word)?;
        let base = self.base(&partition);
        for isolation in [0, 1] {
            let asked = ListOffsetsPartition::default()
                .with_partition_index(partition.1)
                .with_current_leader_epoch(-1)
                .with_timestamp(-1);
            let topic = ListOffsetsTopic::default().with_name(raw::topic_name(&partition.0));
            let request = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(isolation)
                .with_topics(vec![topic.with_partitions(vec![asked])]);
            let Some(answer) = self.tell(true, |raw| raw.call(&request, 7), |_| 0)? else { continue };
            let found = answer.topics.first().and_then(|topic| topic.partitions.first());
            let found = found.context("no partition in the answer")?;
            let (error, offset) = (show_error(found.error_code), found.offset - base);
            self.say(format!("level {isolation}: {error} offset {offset}"));
        }
        Ok(())
    }

    /// The next producer is P1 again.
    pub fn forget_names(&mut self) {
        self.producers.clear();
    }
}

/// CONCURRENT_TRANSACTIONS if it is among them.
pub fn worst(errors: impl IntoIterator<Item = i16>) -> i16 {
    errors.into_iter().find(|error| *error == CONCURRENT_TRANSACTIONS).unwrap_or(0)
}
