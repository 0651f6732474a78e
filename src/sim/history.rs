//! What happened in a run: a hash of all of it, which says whether two runs were the same, and, on demand, the lines about
//! the objects that a failure concerns.

use std::fmt;
use std::hash::Hasher;

use crate::model::Instant;

/// What a line is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Object {
    /// The broker as a whole: starts, crashes, faults.
    Broker,
    Partition(String, i32),
    Topic(String),
    Group(String),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Broker => f.write_str("broker"),
            Object::Partition(topic, index) => write!(f, "{topic}-{index}"),
            Object::Topic(name) => write!(f, "topic {name}"),
            Object::Group(name) => write!(f, "group {name}"),
        }
    }
}

struct Line {
    step: u64,
    at: Instant,
    object: Object,
    text: String,
}

/// See the module.
#[derive(Default)]
pub(super) struct History {
    pub(super) step: u64,
    pub(super) now: Instant,
    /// Whether lines are kept.
    pub(super) keeps: bool,
    hash: Fnv,
    lines: Vec<Line>,
}

/// FNV-1a: fixed for all time, unlike the hasher of std.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl History {
    pub(super) fn new(keeps: bool) -> History {
        History { keeps, ..History::default() }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(super) fn mix(&mut self, bytes: &[u8]) {
        self.hash.write(bytes);
    }

    pub(super) fn note(&mut self, object: impl FnOnce() -> Object, text: impl FnOnce() -> String) {
        if self.keeps {
            self.lines.push(Line { step: self.step, at: self.now, object: object(), text: text() });
        }
    }

    /// The lines about some objects, and about the broker.
    pub(super) fn about(&self, objects: &[Object]) -> Vec<String> {
        let concerns = |line: &&Line| line.object == Object::Broker || objects.contains(&line.object);
        let show =
            |line: &Line| format!("{:>7} {:>12.6}s {}: {}", line.step, line.at.0 as f64 / 1e9, line.object, line.text);
        self.lines.iter().filter(concerns).map(show).collect()
    }
}
