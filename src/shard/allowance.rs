//! How much of something a shard may do: as much as is saved up, and so much more in each second.

use std::time::Duration;

use crate::model::Instant;

const NANOS_OF_A_SECOND: u128 = 1_000_000_000;

/// A part of what comes next is not lost: it is counted from where the last whole one came.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: u64,
    /// What has come until then is in `left`.
    earned: Instant,
}

/// How much is saved up at most, and how much comes in a second.
#[derive(Clone, Copy, Debug)]
pub struct AllowanceLimit {
    pub most: u64,
    pub in_a_second: u64,
}

impl Allowance {
    pub fn new(limit: AllowanceLimit, now: Instant) -> Allowance {
        Allowance { left: limit.most, earned: now }
    }

    /// Takes so much, or nothing where that is not there.
    pub fn take(&mut self, amount: u64, limit: AllowanceLimit, now: Instant) -> bool {
        let rate = u128::from(limit.in_a_second);
        let parts = now.since(self.earned).as_nanos() * rate;
        // In a flood it is asked more often than something comes: no division then.
        if parts >= NANOS_OF_A_SECOND {
            let come = parts / NANOS_OF_A_SECOND;
            let nanos = (come * NANOS_OF_A_SECOND).div_ceil(rate);
            self.earned = self.earned + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            let come = u64::try_from(come).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(come).min(limit.most);
        }
        let is_there = self.left >= amount;
        if is_there {
            self.left -= amount;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: AllowanceLimit = AllowanceLimit { most: 100, in_a_second: 10 };

    fn taken(allowance: &mut Allowance, now: Instant) -> usize {
        (0..1000).filter(|_| allowance.take(1, LIMIT, now)).count()
    }

    #[test]
    fn what_is_saved_up_may_be_used_at_once_and_then_so_much_a_second() {
        let start = Instant(5_000_000_000);
        let mut allowance = Allowance::new(LIMIT, start);
        assert_eq!(taken(&mut allowance, start), 100);
        assert_eq!(taken(&mut allowance, start + Duration::from_secs(2)), 20);
        assert_eq!(taken(&mut allowance, start + Duration::from_secs(1000)), 100);
    }

    #[test]
    fn a_time_without_use_saves_up_no_second_burst() {
        let start = Instant(5_000_000_000);
        let mut allowance = Allowance::new(LIMIT, start);
        assert_eq!(taken(&mut allowance, start + Duration::from_secs(1000)), 100);
    }

    #[test]
    fn short_times_add_up() {
        let start = Instant(5_000_000_000);
        let mut allowance = Allowance::new(LIMIT, start);
        taken(&mut allowance, start);
        let times = (1..=100).map(|step| start + Duration::from_millis(10 * step));
        assert_eq!(times.map(|now| taken(&mut allowance, now)).sum::<usize>(), 10);
    }

    #[test]
    fn what_is_more_than_there_is_takes_nothing() {
        let start = Instant(5_000_000_000);
        let mut allowance = Allowance::new(LIMIT, start);
        assert!(!allowance.take(101, LIMIT, start) && allowance.take(100, LIMIT, start));
        assert!(!allowance.take(101, LIMIT, start + Duration::from_secs(1000)));
    }
}
