//! The state machine of a coordinator of any kind: it takes records and requests, and gives records and answers.
//!
//! State that is in the records is changed by applying a record, in the step that writes it just as in a replay; what
//! is not in them (who waits for a rebalance, sessions) is changed directly. A step is not undone: if its records
//! cannot be written, the whole machine is thrown away and loaded again from its log. A machine knows no log, no clock
//! and no thread; `coordinator_runtime` brings them.

use super::record::Unreadable;
use crate::model::Instant;

/// Who waits for an answer that comes in a later step; means something to the runtime only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Waiter {
    pub shard: u8,
    pub key: u64,
}

/// A record of a coordinator's topic as bytes; no value is a tombstone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
}

/// What a step asks for: answers of the type `R`, and commands of the type `C`.
#[derive(Debug)]
pub struct Output<R, C> {
    /// The records that are to be appended, in this order, as one batch.
    pub records: Vec<Record>,
    /// Each record means something without the others, so that the log may take them as several batches, each as large as
    /// a batch may be (`CoordinatorResult.isAtomic` is false). A sweep may find more than one batch can hold.
    pub is_divisible: bool,
    /// Requests that are answered now; not before the records of this step, and of all before it, are committed.
    pub replies: Vec<(Waiter, R)>,
    /// Effects on what is not the machine's own, such as the markers of a transaction in other partitions. They begin
    /// when an answer may leave.
    pub commands: Vec<C>,
}

impl<R, C> Default for Output<R, C> {
    fn default() -> Output<R, C> {
        Output { records: Vec::new(), is_divisible: false, replies: Vec::new(), commands: Vec::new() }
    }
}

/// The producer in whose transaction records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
}

/// What one partition of a coordinator's topic means.
pub trait Machine: Default + Send + 'static {
    /// A record of the topic, one variant for each type (`record::offsets::Entry`).
    type Entry<'a>;
    type Reply: Send + 'static;
    /// A closed enum.
    type Command: Send + 'static;
    /// What surrounds a step, its [`Output`] included.
    type Step<'s>;

    fn decode<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Self::Entry<'a>, Unreadable>;

    /// Applies a record of the log, in a replay or just written. A record about something that is not there changes
    /// nothing. Records of a transaction have its producer; what they say counts when the transaction is committed, as
    /// far as the machine keeps such a promise at all.
    fn apply(&mut self, entry: &Self::Entry<'_>, producer_id: Option<i64>) -> Result<(), Unreadable>;

    /// A transaction has ended: its marker is in the log.
    fn end_transaction(&mut self, producer: Producer, commit: bool);

    /// Once, when all records are applied.
    fn handle_loaded(&mut self, step: &mut Self::Step<'_>);

    /// Does what is due.
    fn handle_timers(&mut self, step: &mut Self::Step<'_>);

    /// When [`Machine::handle_timers`] must be called at the latest.
    fn next_deadline(&self) -> Instant;

    /// Asserts what must hold between two steps, in builds with debug assertions: it looks at everything.
    fn assert_sound(&self);
}
