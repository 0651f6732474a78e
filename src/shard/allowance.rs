//! How much of something a shard may do: as much as is saved up, and so much more in each second.

use crate::model::Instant;

const MICROS_OF_A_SECOND: u64 = 1_000_000;

/// Its time counts when it is used up, so that one that is seldom used costs a subtraction.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: u64,
    /// What was saved up to here is in `left`.
    at: Instant,
}

/// How much is saved up at most, and how much comes in a second.
#[derive(Clone, Copy, Debug)]
pub struct AllowanceLimit {
    pub most: u64,
    pub in_a_second: u64,
}

impl Allowance {
    pub fn new(limit: AllowanceLimit, now: Instant) -> Allowance {
        Allowance { left: limit.most, at: now }
    }

    /// Takes so much, or nothing where that is not there.
    pub fn take(&mut self, amount: u64, limit: AllowanceLimit, now: Instant) -> bool {
        if self.left < amount {
            let micros = u64::try_from(now.since(self.at).as_micros()).unwrap_or(u64::MAX);
            let gained = micros.saturating_mul(limit.in_a_second) / MICROS_OF_A_SECOND;
            // A time that has brought nothing yet goes on.
            if gained > 0 {
                *self = Allowance { left: self.left.saturating_add(gained).min(limit.most), at: now };
            }
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
    use std::time::Duration;

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
