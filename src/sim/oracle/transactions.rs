//! What is written in transactions: a committed one is there whole and once, an aborted one never, and each input of a loop
//! is processed once.

use std::collections::{BTreeMap, BTreeSet};

use super::{Key, Wrong, wrong};

/// One record: the how manyeth of which transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::sim) struct Write {
    pub(in crate::sim) transaction: u64,
    pub(in crate::sim) nth: u32,
}

/// A record as it was read.
pub(in crate::sim) type Read = (i64, Write);

/// What became of a transaction, as far as its client knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) enum Fate {
    /// Its commit was never asked for, or was refused: it is aborted, or will be.
    Aborted,
    /// Its commit was asked for, and no answer told what became of that.
    Unknown,
    Committed,
}

struct Transaction {
    fate: Fate,
    writes: BTreeMap<Write, Key>,
    /// What of the input its writes stand for.
    inputs: BTreeMap<Write, (Key, i64)>,
}

/// A stretch of a partition that a reader was shown.
pub(in crate::sim) struct Shown<'a> {
    pub(in crate::sim) reader: u32,
    pub(in crate::sim) is_committed: bool,
    pub(in crate::sim) high_watermark: i64,
    pub(in crate::sim) last_stable_offset: i64,
    pub(in crate::sim) records: &'a [Read],
}

/// See the module.
#[derive(Default)]
pub(in crate::sim) struct Transactions {
    all: Vec<Transaction>,
    places: BTreeMap<(Key, i64), Write>,
    where_is: BTreeMap<Write, (Key, i64)>,
    /// Of each reader: the last stable offset that it was told of last. Answers to several readers overtake each other.
    stable: BTreeMap<(u32, bool, Key), i64>,
    /// Of each reader: all that it was shown of a partition, in this isolation level.
    readers: BTreeMap<(u32, bool, Key), Vec<Read>>,
}

impl Transactions {
    /// The number of a transaction that begins.
    pub(in crate::sim) fn begin(&mut self) -> u64 {
        self.all.push(Transaction { fate: Fate::Aborted, writes: BTreeMap::new(), inputs: BTreeMap::new() });
        self.all.len() as u64 - 1
    }

    /// A record is about to be written, in the place of an input where there is one.
    pub(in crate::sim) fn writes(&mut self, write: Write, to: Key, input: Option<(Key, i64)>) {
        let transaction = &mut self.all[write.transaction as usize];
        transaction.writes.insert(write, to);
        transaction.inputs.extend(input.map(|input| (write, input)));
    }

    pub(in crate::sim) fn becomes(&mut self, transaction: u64, fate: Fate) {
        self.all[transaction as usize].fate = fate;
    }

    /// Of a partition a reader was shown the next stretch.
    pub(in crate::sim) fn shown(&mut self, key: Key, shown: &Shown<'_>) -> Result<(), Wrong> {
        let Shown { reader, is_committed, high_watermark, last_stable_offset, records } = *shown;
        if last_stable_offset > high_watermark {
            return wrong("what is stable is committed", format!("{last_stable_offset} of {high_watermark}"));
        }
        let before = self.stable.entry((reader, is_committed, key)).or_default();
        if last_stable_offset < *before {
            return wrong("what was stable stays so", format!("{last_stable_offset} behind {before}"));
        }
        *before = last_stable_offset;
        for (offset, write) in records {
            let transaction = self.all.get(write.transaction as usize);
            if transaction.and_then(|transaction| transaction.writes.get(write)) != Some(&key) {
                return wrong("what is read was sent", format!("{write:?} at {offset}"));
            }
            if *offset >= if is_committed { last_stable_offset } else { high_watermark } {
                let text = format!("{write:?} at {offset} of {last_stable_offset}, {high_watermark}");
                return wrong("no reader passes what is stable", text);
            }
            if is_committed && transaction.is_some_and(|transaction| transaction.fate == Fate::Aborted) {
                return wrong("nothing of an aborted transaction is seen", format!("{write:?} at {offset}"));
            }
            if let Some(before) = self.places.insert((key, *offset), *write).filter(|before| before != write) {
                return wrong("an offset keeps its record", format!("{offset} held {before:?}, not {write:?}"));
            }
            if let Some(before) = self.where_is.insert(*write, (key, *offset)).filter(|at| *at != (key, *offset)) {
                return wrong("a write is there once", format!("{write:?} is at {before:?} and at {offset}"));
            }
        }
        self.readers.entry((reader, is_committed, key)).or_default().extend(records);
        Ok(())
    }

    /// Everything was read up to the ends: by one reader of each level for certain, and by those who read all along.
    pub(in crate::sim) fn check_whole(&self, reader: u32) -> Result<(), Wrong> {
        for ((_, is_committed, key), read) in &self.readers {
            let whole = self.readers.get(&(reader, *is_committed, *key));
            if whole != Some(read) {
                return wrong("all readers see the same", format!("{key:?}: {read:?}, and {whole:?}"));
            }
        }
        let committed = self.readers.iter().filter(|((of, is_committed, _), _)| *of == reader && *is_committed);
        let seen: BTreeSet<Write> = committed.flat_map(|(_, read)| read.iter().map(|(_, write)| *write)).collect();
        for (number, transaction) in self.all.iter().enumerate() {
            let missing = transaction.writes.keys().filter(|write| !seen.contains(write)).count();
            let is_right = match transaction.fate {
                Fate::Committed => missing == 0,
                Fate::Unknown => missing == 0 || missing == transaction.writes.len(),
                Fate::Aborted => missing == transaction.writes.len(),
            };
            if !is_right {
                let text =
                    format!("{number} is {:?}, {missing} of {} missing", transaction.fate, transaction.writes.len());
                return wrong("a transaction is seen whole or not at all", text);
            }
        }
        Ok(())
    }

    /// A loop has come to the end of its input, read by this reader: each record was processed once.
    pub(in crate::sim) fn check_loop(&self, reader: u32, is_input: impl Fn(Key) -> bool) -> Result<(), Wrong> {
        let (mut due, mut done) = (BTreeSet::new(), BTreeSet::new());
        for ((_, _, key), read) in
            self.readers.iter().filter(|((of, is_committed, _), _)| *of == reader && *is_committed)
        {
            due.extend(read.iter().filter(|_| is_input(*key)).map(|(offset, _)| (*key, *offset)));
            for (_, write) in read {
                let input = self.all[write.transaction as usize].inputs.get(write);
                if let Some(input) = input.filter(|input| !done.insert(**input)) {
                    return wrong("each input is processed once", format!("{input:?} again by {write:?}"));
                }
            }
        }
        match due.symmetric_difference(&done).next() {
            Some(odd) => wrong("each input is processed once", format!("{odd:?} is not, or is none")),
            None => Ok(()),
        }
    }

    /// What is read from here on is compared anew.
    pub(in crate::sim) fn forget_reader(&mut self, reader: u32) {
        self.readers.retain(|(of, _, _), _| *of != reader);
    }

    /// How many are known to be committed, and how many others there are.
    pub(in crate::sim) fn count(&self) -> (usize, usize) {
        let committed = self.all.iter().filter(|transaction| transaction.fate == Fate::Committed).count();
        (committed, self.all.len() - committed)
    }
}
