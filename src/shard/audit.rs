//! The audit log: a line for each decision of the authorizer that a client asked for, at a rate that no client can drive up.
//!
//! Denials are told at INFO and the rest at DEBUG, as by Kafka's `kafka.authorizer.logger`; the logger is `klamm.audit`.
//!
//! Deviation: Kafka writes every line. Here each shard tells a burst of denials and then so many a second, and says how many
//! it has left out.

use std::time::Duration;

use std::cell::Cell;

use log::{Level, log};

use crate::io::loggers::AUDIT;
use crate::model::Instant;
use crate::security::authorizer::Audited;

/// Lines that a shard may tell at once, after a time without any.
const BURST: u32 = 100;
/// After this time it may tell one more.
const INTERVAL: Duration = Duration::from_millis(100);

/// What one shard may still tell.
#[derive(Debug)]
pub struct Audit {
    lines: Cell<u32>,
    /// Until when lines have been earned.
    earned: Cell<Instant>,
    untold: Cell<u64>,
}

impl Audit {
    pub fn new(now: Instant) -> Audit {
        Audit { lines: Cell::new(BURST), earned: Cell::new(now), untold: Cell::default() }
    }

    /// Tells a decision. Nothing is written out that is not told.
    pub fn tell(&self, audited: &Audited<'_>, now: Instant) {
        if audited.verdict.allows() {
            log!(target: AUDIT, Level::Debug, "{audited}");
            return;
        }
        match self.admit(now) {
            None => {}
            Some(0) => log!(target: AUDIT, Level::Info, "{audited}"),
            Some(untold) => {
                log!(target: AUDIT, Level::Info, "{audited} (and {untold} denials before it that are not told)");
            }
        }
    }

    /// Whether a line may be told now, and how many were not before it.
    fn admit(&self, now: Instant) -> Option<u64> {
        let intervals = now.since(self.earned.get()).as_nanos() / INTERVAL.as_nanos();
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.earned.set(self.earned.get() + INTERVAL.saturating_mul(intervals));
        let lines = self.lines.get().saturating_add(intervals).min(BURST);
        self.lines.set(lines.saturating_sub(1));
        if lines == 0 {
            self.untold.set(self.untold.get() + 1);
            return None;
        }
        Some(self.untold.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_and_then_ten_lines_a_second() {
        let start = Instant(7);
        let audit = Audit::new(start);
        assert!((0..BURST).all(|_| audit.admit(start) == Some(0)));
        assert!((0..5).all(|_| audit.admit(start).is_none()));
        let just_before = Instant((start + INTERVAL).0 - 1);
        assert_eq!(audit.admit(just_before), None);
        assert_eq!((audit.admit(start + INTERVAL), audit.admit(start + INTERVAL)), (Some(6), None));
        // Half an interval is not lost.
        let later = start + INTERVAL * 2 + INTERVAL / 2;
        assert_eq!((audit.admit(later), audit.admit(later)), (Some(1), None));
        assert_eq!(audit.admit(start + INTERVAL * 3), Some(1));
        let told = (0..10_000).filter(|step| audit.admit(start + Duration::from_millis(300 + step)).is_some()).count();
        assert_eq!(told, 99);
        let rested = start + Duration::from_secs(1_000_000);
        assert_eq!((0..1000).filter(|_| audit.admit(rested).is_some()).count(), BURST as usize);
        assert!(audit.admit(Instant::NEVER).is_some());
    }
}
