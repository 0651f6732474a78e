//! What transactional clients did, and what readers of each isolation level and the groups' offsets then showed, judged
//! afterwards: a pure function over a recorded history, as its parent is for everything else.
//!
//! A transaction whose commit was acknowledged is committed. One whose commit was never asked for is aborted, whatever
//! became of its producer. Everything else is of unknown end: it must be whole or not there at all. Values are unique in a
//! history, and the moments of all clients are told on one clock.

use super::Moment;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A partition by its name, `topic-0`, and an offset.
pub type Place = (String, i64);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Write {
    pub partition: String,
    pub value: String,
    /// The record that was read and processed into this one.
    pub source: Option<Place>,
}

/// What a transactional client did, in its order; what goes on the wire is told before it goes, answers after they have come.
#[derive(Clone, Debug)]
pub enum Step {
    Begin {
        number: u64,
    },
    Write(Write),
    /// Of the client's group, in this transaction: the next to be read.
    Offset {
        partition: String,
        offset: i64,
    },
    AskCommit {
        at: Moment,
    },
    Committed {
        at: Moment,
    },
    /// An abort was acknowledged.
    Aborted,
}

#[derive(Clone, Debug)]
pub struct Client {
    pub name: String,
    /// Whose input it reads.
    pub group: Option<String>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolation {
    Committed,
    Uncommitted,
}

#[derive(Clone, Debug)]
pub struct Read {
    pub offset: i64,
    pub value: String,
    /// When it had come.
    pub at: Moment,
}

/// What a reader got of one partition, from its beginning.
#[derive(Clone, Debug)]
pub struct Reading {
    pub reader: usize,
    pub isolation: Isolation,
    pub partition: String,
    pub records: Vec<Read>,
    /// It has come to the end, behind all transactions.
    pub has_ended: bool,
}

/// A group's committed offset as OffsetFetch with `require_stable` told it, -1 for none.
#[derive(Clone, Debug)]
pub struct Look {
    pub group: String,
    pub partition: String,
    pub offset: i64,
    pub began: Moment,
    pub ended: Moment,
}

/// A group that makes one record in `to` of each in `from`.
#[derive(Clone, Debug)]
pub struct Loop {
    pub group: String,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Default, Debug)]
pub struct Ledger {
    pub clients: Vec<Client>,
    /// Values that were written without a transaction.
    pub plain: BTreeSet<String>,
    pub readings: Vec<Reading>,
    pub looks: Vec<Look>,
    pub loops: Vec<Loop>,
}

/// A promise of transactions that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// A record of an aborted transaction came to a read_committed reader.
    AbortedRead {
        reader: usize,
        place: Place,
        value: String,
        transaction: String,
    },
    /// A record came to a read_committed reader before its transaction's commit was asked for.
    EarlyRead {
        reader: usize,
        place: Place,
        value: String,
        transaction: String,
    },
    /// A read_committed reader got a part of a transaction; the first value that lacks.
    Torn {
        reader: usize,
        transaction: String,
        seen: usize,
        of: usize,
        lacks: String,
    },
    /// An acknowledged commit of which a reader got nothing.
    Lost {
        reader: usize,
        transaction: String,
        records: usize,
    },
    /// Two read_committed readers do not agree whether a transaction was committed.
    Undecided {
        transaction: String,
        seen_by: usize,
        not_by: usize,
    },
    /// In one partition, against the order of the writing; or twice, if both are the same.
    OutOfOrder {
        reader: usize,
        partition: String,
        earlier: String,
        later: String,
    },
    /// An offset came that was not behind the one before.
    Repeated {
        reader: usize,
        place: Place,
    },
    /// Two readers were told different things about one place.
    Disagreement {
        place: Place,
        values: [String; 2],
    },
    /// No transaction wrote this, there.
    NeverSent {
        reader: usize,
        place: Place,
        value: String,
    },
    /// No transaction that may have been committed by then has sent this offset of the group.
    DirtyOffset {
        group: String,
        place: Place,
    },
    /// The group's offset is before one that an acknowledged commit had sent.
    OffsetWentBack {
        group: String,
        place: Place,
        committed: i64,
    },
    /// Nothing was made of an input that is committed.
    Unprocessed {
        group: String,
        reader: usize,
        source: Place,
    },
    ProcessedTwice {
        group: String,
        reader: usize,
        source: Place,
        outputs: Vec<String>,
    },
    /// Something was made of what read_committed readers of the input do not see.
    ProcessedDirty {
        group: String,
        reader: usize,
        source: Place,
        output: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum End {
    Committed(Moment),
    Aborted,
    Unknown,
}

/// A transaction, put together from its client's steps.
#[derive(Debug)]
pub struct Transaction<'h> {
    pub name: String,
    client: usize,
    group: Option<&'h str>,
    pub writes: Vec<&'h Write>,
    offsets: Vec<(&'h str, i64)>,
    asked: Option<Moment>,
    pub end: End,
}

/// All transactions, and which of them wrote a value, as its how manyeth.
struct Index<'h> {
    transactions: Vec<Transaction<'h>>,
    writers: BTreeMap<&'h str, (usize, usize)>,
}

impl Client {
    fn transactions(&self, client: usize) -> Vec<Transaction<'_>> {
        let mut all: Vec<Transaction<'_>> = Vec::new();
        for step in &self.steps {
            if let Step::Begin { number } = step {
                all.push(Transaction {
                    name: format!("{} {number}", self.name),
                    client,
                    group: self.group.as_deref(),
                    writes: Vec::new(),
                    offsets: Vec::new(),
                    asked: None,
                    end: End::Aborted,
                });
            }
            let Some(now) = all.last_mut() else { continue };
            match step {
                Step::Begin { .. } | Step::Aborted => {}
                Step::Write(write) => now.writes.push(write),
                Step::Offset { partition, offset } => now.offsets.push((partition, *offset)),
                Step::AskCommit { at } => (now.asked, now.end) = (Some(*at), End::Unknown),
                Step::Committed { at } => now.end = End::Committed(*at),
            }
        }
        all
    }
}

impl<'h> Index<'h> {
    fn of(ledger: &'h Ledger) -> Index<'h> {
        let transactions = ledger.transactions();
        let mut writers = BTreeMap::new();
        for (number, transaction) in transactions.iter().enumerate() {
            writers.extend(transaction.writes.iter().enumerate().map(|(n, w)| (w.value.as_str(), (number, n))));
        }
        Index { transactions, writers }
    }

    fn writer(&self, value: &str) -> Option<(&Transaction<'h>, &'h Write, (usize, usize))> {
        let at = *self.writers.get(value)?;
        let transaction = &self.transactions[at.0];
        Some((transaction, transaction.writes[at.1], at))
    }
}

impl Ledger {
    pub fn transactions(&self) -> Vec<Transaction<'_>> {
        self.clients.iter().enumerate().flat_map(|(number, client)| client.transactions(number)).collect()
    }

    /// By client: how many transactions are committed, aborted, of unknown end.
    pub fn ends(&self) -> BTreeMap<&str, [usize; 3]> {
        let mut ends: BTreeMap<&str, [usize; 3]> = self.clients.iter().map(|client| (&*client.name, [0; 3])).collect();
        for transaction in self.transactions() {
            let kind = match transaction.end {
                End::Committed(_) => 0,
                End::Aborted => 1,
                End::Unknown => 2,
            };
            ends.get_mut(&*self.clients[transaction.client].name).expect("a client's")[kind] += 1;
        }
        ends
    }

    /// All broken promises.
    pub fn check(&self) -> Vec<Finding> {
        let index = Index::of(self);
        let mut findings = Vec::new();
        self.check_places(&mut findings);
        for reading in &self.readings {
            reading.check_order(&index, &mut findings);
            reading.check_values(&index, &self.plain, &mut findings);
        }
        self.check_whole(&index, &mut findings);
        self.looks.iter().for_each(|look| look.check(&index, &mut findings));
        self.check_loops(&index, &mut findings);
        findings
    }

    fn check_places(&self, findings: &mut Vec<Finding>) {
        let mut told: BTreeMap<(&str, i64), &str> = BTreeMap::new();
        for reading in &self.readings {
            for read in &reading.records {
                let first = *told.entry((&reading.partition, read.offset)).or_insert(&read.value);
                if first != read.value {
                    let values = [first.to_string(), read.value.clone()];
                    findings.push(Finding::Disagreement { place: reading.place(read), values });
                }
            }
        }
    }

    /// The readings of those readers that have come to the end of all their partitions.
    fn ended(&self) -> BTreeMap<usize, Vec<&Reading>> {
        let mut ended: BTreeMap<usize, Vec<&Reading>> = BTreeMap::new();
        for reading in &self.readings {
            ended.entry(reading.reader).or_default().push(reading);
        }
        ended.retain(|_, readings| readings.iter().all(|reading| reading.has_ended));
        ended
    }

    /// Of a transaction, a reader that has come to the end sees everything or nothing; all if its commit was acknowledged.
    fn check_whole(&self, index: &Index<'_>, findings: &mut Vec<Finding>) {
        // By transaction: the first reader that has seen it, and the first that has not.
        let mut decided: BTreeMap<usize, [Option<usize>; 2]> = BTreeMap::new();
        for (reader, readings) in self.ended() {
            let is_committed = readings.iter().all(|reading| reading.isolation == Isolation::Committed);
            let partitions: BTreeSet<&str> = readings.iter().map(|reading| reading.partition.as_str()).collect();
            let records = readings.iter().flat_map(|reading| &reading.records);
            let values: BTreeSet<&str> = records.map(|read| read.value.as_str()).collect();
            for (number, transaction) in index.transactions.iter().enumerate() {
                let due = transaction.writes.iter().filter(|write| partitions.contains(write.partition.as_str()));
                let due: Vec<&str> = due.map(|write| write.value.as_str()).collect();
                let is_acknowledged = matches!(transaction.end, End::Committed(_));
                if due.is_empty() || transaction.end == End::Aborted || !(is_committed || is_acknowledged) {
                    continue;
                }
                let seen = due.iter().filter(|value| values.contains(**value)).count();
                if is_committed {
                    decided.entry(number).or_default()[usize::from(seen == 0)].get_or_insert(reader);
                }
                findings.extend(transaction.torn(reader, &due, seen, &values));
            }
        }
        for (number, [seen, not]) in decided {
            let transaction = &index.transactions[number];
            if let (Some(seen_by), Some(not_by), End::Unknown) = (seen, not, transaction.end) {
                findings.push(Finding::Undecided { transaction: transaction.name.clone(), seen_by, not_by });
            }
        }
    }

    fn check_loops(&self, index: &Index<'_>, findings: &mut Vec<Finding>) {
        let ended = self.ended();
        for one in &self.loops {
            let inputs: BTreeSet<Place> = ended
                .values()
                .flat_map(|readings| committed_of(&one.from, readings))
                .flat_map(|reading| reading.records.iter().map(|read| reading.place(read)))
                .collect();
            for (reader, readings) in &ended {
                let outputs = committed_of(&one.to, readings);
                if !outputs.is_empty() {
                    one.check(*reader, &outputs, &inputs, index, findings);
                }
            }
        }
    }
}

impl Transaction<'_> {
    fn torn(&self, reader: usize, due: &[&str], seen: usize, values: &BTreeSet<&str>) -> Option<Finding> {
        let lacks = due.iter().find(|value| !values.contains(**value))?.to_string();
        let transaction = self.name.clone();
        match (seen, self.end) {
            (0, End::Committed(_)) => Some(Finding::Lost { reader, transaction, records: due.len() }),
            (0, _) => None,
            _ => Some(Finding::Torn { reader, transaction, seen, of: due.len(), lacks }),
        }
    }
}

impl Reading {
    fn place(&self, read: &Read) -> Place {
        (self.partition.clone(), read.offset)
    }

    /// Offsets ascend, and so do what one client wrote, in one transaction or one after the other.
    fn check_order(&self, index: &Index<'_>, findings: &mut Vec<Finding>) {
        let (reader, mut last) = (self.reader, -1);
        let mut latest: BTreeMap<usize, ((usize, usize), &str)> = BTreeMap::new();
        for read in &self.records {
            if read.offset <= last {
                findings.push(Finding::Repeated { reader, place: self.place(read) });
            }
            last = read.offset;
            let Some((transaction, _, at)) = index.writer(&read.value) else { continue };
            if let Some((_, earlier)) = latest.get(&transaction.client).filter(|(before, _)| *before >= at) {
                let (partition, earlier, later) = (self.partition.clone(), earlier.to_string(), read.value.clone());
                findings.push(Finding::OutOfOrder { reader, partition, earlier, later });
            }
            latest.insert(transaction.client, (at, &read.value));
        }
    }

    fn check_values(&self, index: &Index<'_>, plain: &BTreeSet<String>, findings: &mut Vec<Finding>) {
        for read in self.records.iter().filter(|read| !plain.contains(&read.value)) {
            let (reader, place, value) = (self.reader, self.place(read), read.value.clone());
            let writer = index.writer(&read.value).filter(|(_, write, _)| write.partition == self.partition);
            let Some((by, _, _)) = writer else {
                findings.push(Finding::NeverSent { reader, place, value });
                continue;
            };
            let transaction = by.name.clone();
            match by.asked {
                _ if self.isolation == Isolation::Uncommitted => {}
                None => findings.push(Finding::AbortedRead { reader, place, value, transaction }),
                Some(asked) if read.at < asked => {
                    findings.push(Finding::EarlyRead { reader, place, value, transaction });
                }
                Some(_) => {}
            }
        }
    }
}

impl Look {
    fn check(&self, index: &Index<'_>, findings: &mut Vec<Finding>) {
        let (mut is_explained, mut committed) = (self.offset < 0, -1);
        for transaction in index.transactions.iter().filter(|transaction| transaction.group == Some(&self.group)) {
            for (_, offset) in transaction.offsets.iter().filter(|(partition, _)| *partition == self.partition) {
                is_explained |= *offset == self.offset && transaction.asked.is_some_and(|asked| asked <= self.ended);
                if matches!(transaction.end, End::Committed(at) if at < self.began) {
                    committed = committed.max(*offset);
                }
            }
        }
        let (group, place) = (self.group.clone(), (self.partition.clone(), self.offset));
        if !is_explained {
            findings.push(Finding::DirtyOffset { group, place });
        } else if self.offset < committed {
            findings.push(Finding::OffsetWentBack { group, place, committed });
        }
    }
}

impl Loop {
    /// Each input is processed once in what a reader of the output sees, and nothing else is.
    fn check(
        &self,
        reader: usize,
        readings: &[&Reading],
        inputs: &BTreeSet<Place>,
        index: &Index<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let mut outputs: BTreeMap<&Place, BTreeSet<&str>> = BTreeMap::new();
        for read in readings.iter().flat_map(|reading| &reading.records) {
            let Some((transaction, write, _)) = index.writer(&read.value) else { continue };
            if let Some(source) = write.source.as_ref().filter(|_| transaction.group == Some(&self.group)) {
                outputs.entry(source).or_default().insert(&read.value);
            }
        }
        let group = || self.group.clone();
        for source in inputs.iter().filter(|source| !outputs.contains_key(source)) {
            findings.push(Finding::Unprocessed { group: group(), reader, source: source.clone() });
        }
        for (source, outputs) in outputs {
            let source = source.clone();
            if !inputs.contains(&source) {
                let output = outputs.first().expect("one at least").to_string();
                findings.push(Finding::ProcessedDirty { group: group(), reader, source, output });
            } else if outputs.len() > 1 {
                let outputs = outputs.into_iter().map(String::from).collect();
                findings.push(Finding::ProcessedTwice { group: group(), reader, source, outputs });
            }
        }
    }
}

/// A read_committed reader's readings of a topic.
fn committed_of<'r>(topic: &str, readings: &[&'r Reading]) -> Vec<&'r Reading> {
    let is_it = |reading: &&Reading| topic_of(&reading.partition) == topic && reading.isolation == Isolation::Committed;
    readings.iter().copied().filter(is_it).collect()
}

/// Of `topic-12`.
fn topic_of(partition: &str) -> &str {
    partition.rsplit_once('-').map_or(partition, |(topic, _)| topic)
}

#[cfg(test)]
mod tests;
