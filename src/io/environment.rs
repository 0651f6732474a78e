//! What a broker is given of the world besides its disk and its network: two clocks and randomness.
//!
//! A value that is handed down, so that two brokers of one process, or of one simulation, know nothing of each other.

use std::sync::Arc;
use std::time::Duration;

use crate::io::settable_clock::SettableClock;
use crate::io::{clock, random};
use crate::model::{Instant, TimestampMs, Uuid};
use crate::stdx::inbox::{Bell, Tasks};

/// Where clocks and randomness come from.
pub trait Source: Send + Sync {
    /// The clock that never goes back.
    fn now(&self) -> Instant;
    /// The clock that people read, which may be set back.
    fn wall(&self) -> TimestampMs;
    fn random_bytes(&self) -> [u8; 16];
    /// A number that cannot be guessed from outside.
    fn seed(&self) -> u64 {
        u128::from_be_bytes(self.random_bytes()) as u64
    }
    /// A thread begins to wait for a moment: how long that takes, `None` if it does not come by itself.
    fn begin_wait(&self, _bell: &Arc<dyn Bell>, until: Instant) -> Option<Duration> {
        (until != Instant::NEVER).then(|| until.since(self.now()))
    }
    /// The thread of the bell waits no more.
    fn end_wait(&self, _bell: &Arc<dyn Bell>) {}
}

/// A broker's clocks and randomness; a clone is the same environment.
#[derive(Clone)]
pub struct Environment(Arc<dyn Source>);

impl Environment {
    pub fn new(source: impl Source + 'static) -> Environment {
        Environment(Arc::new(source))
    }

    /// The machine's own.
    pub fn of_the_machine() -> Environment {
        Environment::new(Machine)
    }

    /// The machine's randomness, and a clock that can be set.
    pub fn with_clock(clock: Arc<SettableClock>) -> Environment {
        Environment::new(Settable(clock))
    }

    /// Waits for tasks, at most until a moment: those that came together, none if the moment has come or the clock was
    /// set; `None` when no inbox is left.
    pub fn wait<T: Send + 'static>(&self, tasks: &Tasks<T>, until: Instant) -> Option<Vec<T>> {
        let bell = tasks.bell();
        let patience = self.0.begin_wait(&bell, until);
        let came = tasks.wait(patience);
        self.0.end_wait(&bell);
        came
    }

    /// The clock that never goes back.
    pub fn now(&self) -> Instant {
        self.0.now()
    }

    /// The clock that people read, which may be set back.
    pub fn wall(&self) -> TimestampMs {
        self.0.wall()
    }

    pub fn random_bytes(&self) -> [u8; 16] {
        self.0.random_bytes()
    }

    /// A new identifier (a random UUID, version 4).
    pub fn new_id(&self) -> Uuid {
        Uuid::from_random_bytes(self.random_bytes())
    }

    /// A number that cannot be guessed from outside.
    pub fn seed(&self) -> u64 {
        self.0.seed()
    }
}

struct Machine;

impl Source for Machine {
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> TimestampMs {
        clock::wall()
    }

    fn random_bytes(&self) -> [u8; 16] {
        random::bytes()
    }
}

struct Settable(Arc<SettableClock>);

impl Source for Settable {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn wall(&self) -> TimestampMs {
        self.0.wall()
    }

    fn random_bytes(&self) -> [u8; 16] {
        random::bytes()
    }

    fn begin_wait(&self, bell: &Arc<dyn Bell>, until: Instant) -> Option<Duration> {
        self.0.begin_wait(bell, until)
    }

    fn end_wait(&self, bell: &Arc<dyn Bell>) {
        self.0.end_wait(bell);
    }
}

/// An environment that stands still and counts: identifiers differ from each other, and two runs are equal.
#[cfg(any(test, feature = "fuzzing", feature = "sim"))]
pub mod fixed {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::{Environment, Source};
    use crate::model::{Instant, TimestampMs};

    struct Fixed {
        wall: TimestampMs,
        count: AtomicU64,
    }

    impl Source for Fixed {
        fn now(&self) -> Instant {
            Instant(0)
        }

        fn wall(&self) -> TimestampMs {
            self.wall
        }

        fn random_bytes(&self) -> [u8; 16] {
            u128::from(self.count.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
        }
    }

    /// The wall clock shows `wall`; the other clock 0.
    pub fn environment(wall: TimestampMs) -> Environment {
        Environment::new(Fixed { wall, count: AtomicU64::new(1) })
    }
}
