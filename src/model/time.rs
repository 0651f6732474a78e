//! Time as a value: it is read in one place per turn and handed down.

use std::ops::Add;
use std::time::Duration;

/// A moment on a clock that never goes back, in nanoseconds since some start. Means nothing to another process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// Later than anything that is waited for.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// Whole milliseconds since the clock began.
    pub fn millis(self) -> i64 {
        (self.0 / 1_000_000) as i64
    }

    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}
