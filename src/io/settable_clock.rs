//! A clock that can be frozen, moved and set, for tests of clients that wait for sessions, retention and timeouts.
//!
//! Every thread of a broker that waits for a moment registers that moment here, with a bell that ends its wait. So the clock can
//! be moved from one deadline to the next. A step is over when every thread waits again, for a moment that has not come. A thread
//! whose inbox another has filled counts as busy: its bell tells.
//!
//! The clock does not know what a thread waits for. Time limits that go by the machine's own clock, such as those of HTTP requests
//! to providers of keys, are not moved.

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::io::clock;
use crate::model::{Instant, TimestampMs};
use crate::stdx::inbox::Bell;
use crate::stdx::mutex::Mutex;

/// Deadlines that are met one by one in one move.
const EXACT_STEPS: usize = 10_000;
/// Steps into which what is left of the way behind them is cut, so that what becomes due by what was done follows all along it.
const WIDE_STEPS: u32 = 10_000;
/// How long the threads may take, by the machine's clock, to do what became due in one step.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they have.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

/// A clock is moved no further than this at once: ten years.
pub const MOST_ADVANCE: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Why a clock is not moved, or not to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockRefusal {
    /// Another move goes on.
    Moving,
    /// The broker stops, and goes by the machine's clock.
    Ended,
    /// Beyond [`MOST_ADVANCE`].
    TooFar,
    /// So many threads had something to do at the last look.
    Unsettled { threads: usize },
}

impl fmt::Display for ClockRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockRefusal::Moving => f.write_str("the clock is being moved"),
            ClockRefusal::Ended => f.write_str("the broker stops, and its clock is not moved any more"),
            ClockRefusal::TooFar => {
                write!(f, "a clock is moved {} milliseconds ahead at most", MOST_ADVANCE.as_millis())
            }
            ClockRefusal::Unsettled { threads } => {
                let seconds = PATIENCE.as_secs();
                write!(f, "after {seconds} seconds {threads} threads of the broker still do what has become due")
            }
        }
    }
}

/// What a move has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moved {
    pub wall: TimestampMs,
    /// Deadlines at which the clock stopped on its way.
    pub steps: usize,
}

struct Sleeper {
    bell: Arc<dyn Bell>,
    /// What it waits for; `None`: it does not wait.
    until: Option<Instant>,
}

struct Inside {
    is_frozen: bool,
    /// It goes with the machine's for good.
    has_ended: bool,
    /// What it showed when the machine's clock showed `since`.
    at: Instant,
    since: Instant,
    /// The wall clock's milliseconds beyond those of the clock that never goes back.
    wall_ahead_ms: i64,
    sleepers: Vec<Sleeper>,
}

/// The clock of one broker.
pub struct SettableClock {
    inside: Mutex<Inside>,
    /// One move at a time.
    moving: Mutex<()>,
}

impl Default for SettableClock {
    /// It shows what the machine's clocks show, and goes with them.
    fn default() -> SettableClock {
        let (now, wall) = (clock::now(), clock::wall());
        let wall_ahead_ms = wall.0 - now.millis();
        let inside =
            Inside { is_frozen: false, has_ended: false, at: now, since: now, wall_ahead_ms, sleepers: Vec::new() };
        SettableClock { inside: Mutex::new(inside), moving: Mutex::new(()) }
    }
}

impl Inside {
    fn now(&self) -> Instant {
        if self.is_frozen { self.at } else { self.at + clock::now().since(self.since) }
    }

    fn wall(&self) -> TimestampMs {
        TimestampMs(self.now().millis().saturating_add(self.wall_ahead_ms))
    }

    /// Shows another time from now on, and has each thread look at it that waits.
    fn show(&mut self, at: Instant, is_frozen: bool) {
        // It never goes back, and may have gone on since its caller has looked.
        let at = at.max(self.now());
        (self.at, self.since, self.is_frozen) = (at, clock::now(), is_frozen && !self.has_ended);
        self.sleepers.iter().for_each(|sleeper| sleeper.bell.ring());
    }

    /// Threads that have something to do. Those that have ended are forgotten.
    fn busy(&mut self) -> usize {
        self.sleepers.retain(|sleeper| !sleeper.bell.has_ended());
        let now = self.now();
        let rests = |sleeper: &&Sleeper| sleeper.until.is_some_and(|until| until > now) && sleeper.bell.is_waiting();
        self.sleepers.len() - self.sleepers.iter().filter(rests).count()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.sleepers.iter().filter_map(|sleeper| sleeper.until).min().filter(|until| *until != Instant::NEVER)
    }
}

/// Two values of one type may share no place; what a bell is a bell of is told by where it is.
fn is_same(one: &Arc<dyn Bell>, other: &Arc<dyn Bell>) -> bool {
    Arc::as_ptr(one).cast::<()>() == Arc::as_ptr(other).cast::<()>()
}

impl SettableClock {
    pub fn now(&self) -> Instant {
        self.inside.lock().now()
    }

    pub fn wall(&self) -> TimestampMs {
        self.inside.lock().wall()
    }

    pub fn is_frozen(&self) -> bool {
        self.inside.lock().is_frozen
    }

    /// It stands still until it is moved, or goes on.
    pub fn freeze(&self) -> Result<(), ClockRefusal> {
        self.go(true)
    }

    /// It goes on from what it shows.
    pub fn go_on(&self) -> Result<(), ClockRefusal> {
        self.go(false)
    }

    fn go(&self, is_frozen: bool) -> Result<(), ClockRefusal> {
        let _moving = self.moving.try_lock().ok_or(ClockRefusal::Moving)?;
        let mut inside = self.inside.lock();
        if inside.has_ended {
            return Err(ClockRefusal::Ended);
        }
        let now = inside.now();
        inside.show(now, is_frozen);
        Ok(())
    }

    /// It goes on and is neither frozen nor moved any more: what waits for a time limit while its broker stops, waits by it.
    pub fn end(&self) {
        let mut inside = self.inside.lock();
        let now = inside.now();
        inside.has_ended = true;
        inside.show(now, false);
    }

    /// Moves both clocks ahead, deadline by deadline, and answers when all that became due has been done. Blocks.
    pub fn advance(&self, by: Duration) -> Result<Moved, ClockRefusal> {
        let moving = self.moving.try_lock().ok_or(ClockRefusal::Moving)?;
        self.advance_alone(by, &moving)
    }

    /// The same for who moves it already.
    fn advance_alone(&self, by: Duration, _moving: &MutexGuard<'_, ()>) -> Result<Moved, ClockRefusal> {
        if by > MOST_ADVANCE {
            return Err(ClockRefusal::TooFar);
        }
        let mut inside = self.inside.lock();
        let (was_frozen, began) = (inside.is_frozen, inside.now());
        inside.show(began, true);
        drop(inside);
        let moved = self.go_to(began + by);
        let mut inside = self.inside.lock();
        let now = inside.now();
        inside.show(now, was_frozen);
        moved.map(|steps| Moved { wall: inside.wall(), steps })
    }

    /// Sets the wall clock. Ahead, both clocks are moved as by [`SettableClock::advance`]; back, the wall clock alone
    /// goes, as that of a machine would.
    pub fn set_wall(&self, wall: TimestampMs) -> Result<Moved, ClockRefusal> {
        let moving = self.moving.try_lock().ok_or(ClockRefusal::Moving)?;
        let ahead_ms = wall.0.saturating_sub(self.wall().0);
        if let Ok(ahead_ms) = u64::try_from(ahead_ms) {
            return self.advance_alone(Duration::from_millis(ahead_ms), &moving);
        }
        let mut inside = self.inside.lock();
        if inside.has_ended {
            return Err(ClockRefusal::Ended);
        }
        inside.wall_ahead_ms = inside.wall_ahead_ms.saturating_add(ahead_ms);
        let (now, is_frozen) = (inside.now(), inside.is_frozen);
        inside.show(now, is_frozen);
        Ok(Moved { wall: inside.wall(), steps: 0 })
    }

    /// Answers when every thread of the broker waits for a moment that has not come. Blocks.
    pub fn settle(&self) -> Result<(), ClockRefusal> {
        let until = clock::now() + PATIENCE;
        loop {
            // Under the lock no thread falls asleep, so that none can have left something for one that was looked at.
            let mut inside = self.inside.lock();
            if inside.has_ended {
                return Err(ClockRefusal::Ended);
            }
            let threads = inside.busy();
            drop(inside);
            if threads == 0 {
                return Ok(());
            }
            if clock::now() >= until {
                return Err(ClockRefusal::Unsettled { threads });
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Shows each deadline on the way to `target`, and then `target`; answers how many there were.
    fn go_to(&self, target: Instant) -> Result<usize, ClockRefusal> {
        let (mut steps, mut stride) = (0, Duration::ZERO);
        loop {
            self.settle()?;
            let mut inside = self.inside.lock();
            let now = inside.now();
            if steps == EXACT_STEPS {
                stride = target.since(now) / WIDE_STEPS;
            }
            let next = inside.next_deadline().map(|next| next.max(now + stride)).filter(|next| *next <= target);
            inside.show(next.unwrap_or(target), true);
            drop(inside);
            if next.is_none() {
                return self.settle().map(|()| steps);
            }
            steps += 1;
        }
    }

    /// A thread begins to wait for a moment: how long that takes by the machine's clock, `None` if it does not come by itself.
    pub fn begin_wait(&self, bell: &Arc<dyn Bell>, until: Instant) -> Option<Duration> {
        let mut inside = self.inside.lock();
        let (now, is_frozen) = (inside.now(), inside.is_frozen);
        let is_due = until <= now;
        let waits_for = (!is_due).then_some(until);
        match inside.sleepers.iter_mut().find(|sleeper| is_same(&sleeper.bell, bell)) {
            Some(sleeper) => sleeper.until = waits_for,
            None => inside.sleepers.push(Sleeper { bell: bell.clone(), until: waits_for }),
        }
        (is_due || !is_frozen && until != Instant::NEVER).then(|| until.since(now))
    }

    /// The thread waits no more.
    pub fn end_wait(&self, bell: &Arc<dyn Bell>) {
        let mut inside = self.inside.lock();
        if let Some(sleeper) = inside.sleepers.iter_mut().find(|sleeper| is_same(&sleeper.bell, bell)) {
            sleeper.until = None;
        }
    }
}

#[cfg(test)]
mod tests;
