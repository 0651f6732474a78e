//! A histogram of times with fixed buckets: eight for each doubling, so that a time is known to an eighth of itself.

use std::time::Duration;

use crate::metrics::counter::Counter;

/// The first of the times that [`Times::doublings`] names, in microseconds.
const LEAST_DOUBLING: u64 = 32;
/// Buckets of one doubling are told apart by so many bits behind the highest.
const FINE_BITS: u32 = 3;
const FINE: usize = 1 << FINE_BITS;
/// Times from here on, two minutes and a quarter, all count as the longest.
const MOST_BITS: u32 = 27;
/// The first [`FINE`] hold one microsecond each; then come those of each doubling.
const BUCKETS: usize = FINE + (MOST_BITS - FINE_BITS) as usize * FINE;

/// The bucket that counts a time of so many microseconds.
fn bucket(micros: u64) -> usize {
    let micros = micros.min((1 << MOST_BITS) - 1);
    if micros < FINE as u64 {
        return micros as usize;
    }
    let doubling = micros.ilog2();
    let fine = (micros >> (doubling - FINE_BITS)) as usize & (FINE - 1);
    FINE + (doubling - FINE_BITS) as usize * FINE + fine
}

/// The longest time that a bucket counts.
fn longest_micros(bucket: usize) -> u64 {
    if bucket < FINE {
        return bucket as u64;
    }
    let (doubling, fine) = ((bucket - FINE) / FINE, (bucket - FINE) % FINE);
    ((FINE + fine + 1) << doubling) as u64 - 1
}

/// Counts how often something took how long.
pub(super) struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_micros: Counter,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { buckets: [const { Counter::new() }; BUCKETS], sum_micros: Counter::new() }
    }
}

impl Histogram {
    pub(super) fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)].add(1);
        self.sum_micros.add(micros);
    }

    pub(super) fn read(&self) -> Times {
        Times { counts: self.buckets.iter().map(Counter::get).collect(), sum_micros: self.sum_micros.get() }
    }
}

/// What a histogram, or several together, have counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Times {
    counts: Vec<u64>,
    sum_micros: u64,
}

impl Times {
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    pub fn add(&mut self, other: &Times) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, more)| *own += more);
        self.sum_micros = self.sum_micros.wrapping_add(other.sum_micros);
    }

    /// How many were done within each doubling of [`LEAST_DOUBLING`], up to the longest that is told apart.
    pub fn doublings(&self) -> Vec<(Duration, u64)> {
        let mut found = Vec::new();
        let (mut at, mut within) = (0, 0);
        for bits in LEAST_DOUBLING.ilog2()..MOST_BITS {
            while at < BUCKETS && longest_micros(at) < 1 << bits {
                within += self.counts.get(at).copied().unwrap_or_default();
                at += 1;
            }
            found.push((Duration::from_micros(1 << bits), within));
        }
        found
    }

    /// The time within which so many of a hundred were done; zero if nothing was.
    pub fn percentile(&self, percent: u64) -> Duration {
        assert!(percent <= 100, "a percentile is a part of a hundred");
        let wanted = (self.count() * percent).div_ceil(100).max(1);
        let mut reached = 0;
        let found = self.counts.iter().position(|count| {
            reached += count;
            reached >= wanted
        });
        Duration::from_micros(found.map_or(0, longest_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_counted_within_an_eighth_of_itself() {
        let mut last = 0;
        for micros in (0..100_000).chain((17..27).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1])) {
            let at = bucket(micros);
            assert!(at >= last || micros < 1 << 17, "longer times are counted further on");
            last = at;
            let longest = longest_micros(at);
            assert!(longest >= micros && longest - micros <= micros / 8, "{micros} counts as {longest}");
        }
        assert_eq!((bucket(u64::MAX), bucket((1 << MOST_BITS) - 1)), (BUCKETS - 1, BUCKETS - 1));
        assert_eq!(longest_micros(BUCKETS - 1), (1 << MOST_BITS) - 1);
        assert!((1..BUCKETS).all(|at| bucket(longest_micros(at - 1) + 1) == at), "buckets leave no gap");
    }

    #[test]
    fn percentiles_of_several_together() {
        let (fast, slow) = (Histogram::default(), Histogram::default());
        (0..99).for_each(|_| fast.record(Duration::from_micros(5)));
        slow.record(Duration::from_millis(20));
        let mut times = fast.read();
        times.add(&slow.read());
        assert_eq!((times.count(), times.sum()), (100, Duration::from_micros(99 * 5 + 20_000)));
        assert_eq!((times.percentile(50), times.percentile(99)), (Duration::from_micros(5), Duration::from_micros(5)));
        let longest = times.percentile(100);
        assert!(longest >= Duration::from_millis(20) && longest <= Duration::from_micros(22_500));
        assert_eq!(Times::default().percentile(99), Duration::ZERO);
        let doublings = times.doublings();
        let within = |micros| doublings.iter().find(|(bound, _)| *bound == Duration::from_micros(micros)).unwrap().1;
        assert_eq!([32, 16_384, 32_768, 1 << 26].map(within), [99, 99, 100, 100]);
        assert_eq!((doublings.len(), doublings[0].0), (22, Duration::from_micros(LEAST_DOUBLING)));
    }
}
