//! The machine's two clocks.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{Instant, TimestampMs};

/// Reads the clock that never goes back.
pub fn now() -> Instant {
    // Of the process: what it counts from has no meaning but for differences, which all brokers of a process agree on.
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let elapsed = START.get_or_init(std::time::Instant::now).elapsed();
    // Not from zero: a moment before the start of the process can be named without underflow.
    Instant::default() + Duration::from_secs(1) + elapsed
}

/// Reads the wall clock; before 1970 it answers 0.
pub fn wall() -> TimestampMs {
    timestamp(SystemTime::now())
}

/// The system's time as the protocol's; 0 before 1970.
pub fn timestamp(time: SystemTime) -> TimestampMs {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
