//! Whether a shard that has nothing to do looks a little longer before it sleeps.
//!
//! To be woken costs some 30 µs of processor and twice that of time, more in a virtual machine: where the next request
//! comes sooner, looking is cheaper for both ends. Where it does not, looking is wasted, so each look in vain makes the
//! next ones rarer, and only a run of lucky ones makes them usual. A shard that is woken now and then does not look.

use std::time::Duration;

/// Sleeps without a look between two looks, at most. So many looks have to be lucky before all are tried, some
/// hundredths of a second under load.
const MOST_SLEEPS: u32 = 256;

/// One shard's luck so far.
pub(super) struct Spin {
    longest: Duration,
    /// Sleeps between two looks as it stands, and how many of them are left.
    sleeps: u32,
    left: u32,
}

impl Spin {
    /// Looks for so long each time; zero: never.
    pub(super) fn new(longest: Duration) -> Spin {
        Spin { longest, sleeps: MOST_SLEEPS, left: 0 }
    }

    /// How long to look before this sleep, if at all. Who looks says how it went.
    pub(super) fn next(&mut self) -> Option<Duration> {
        if self.longest.is_zero() {
            return None;
        }
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        Some(self.longest)
    }

    /// There was something.
    pub(super) fn found(&mut self) {
        self.sleeps /= 2;
        self.left = self.sleeps;
    }

    pub(super) fn missed(&mut self) {
        self.sleeps = (self.sleeps * 2).clamp(1, MOST_SLEEPS);
        self.left = self.sleeps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks in so many sleeps, where every `lucky`th look finds something.
    fn looks(spin: &mut Spin, sleeps: u32, lucky: u32) -> u32 {
        let mut looks = 0;
        for _ in 0..sleeps {
            if spin.next().is_some() {
                looks += 1;
                if looks % lucky == 0 { spin.found() } else { spin.missed() }
            }
        }
        looks
    }

    #[test]
    fn luck_makes_looks_usual_and_bad_luck_rare() {
        let mut spin = Spin::new(Duration::from_micros(50));
        let until_usual = 2 * MOST_SLEEPS;
        looks(&mut spin, until_usual, 1);
        assert_eq!(looks(&mut spin, 1000, 1), 1000);
        // Nothing is found any more.
        looks(&mut spin, until_usual, u32::MAX);
        assert!(looks(&mut spin, 100 * MOST_SLEEPS, u32::MAX) <= 100);
        // One look in three is not worth the other two.
        assert!(looks(&mut spin, 100 * MOST_SLEEPS, 3) <= 300);
    }

    #[test]
    fn none_are_taken_where_none_are_wanted() {
        assert_eq!(looks(&mut Spin::new(Duration::ZERO), 1000, 1), 0);
    }
}
