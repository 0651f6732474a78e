//! How much was recorded in a second, over some windows of time (Kafka's `Rate` over a `WindowedSum`).
//!
//! The numbers are Kafka's, bit for bit: a transcript of its own classes says so.

use super::{Windows, whole_ms};

/// What was recorded in one window.
#[derive(Clone, Copy, Debug)]
struct Sample {
    start_ms: i64,
    last_ms: i64,
    sum: f64,
}

impl Sample {
    fn begin(now_ms: i64) -> Sample {
        Sample { start_ms: now_ms, last_ms: now_ms, sum: 0.0 }
    }
}

/// Times come in milliseconds of one clock that does not go back.
#[derive(Clone, Default, Debug)]
pub struct Rate {
    /// One more than there are windows, for the one that ends while the first begins; used in turn.
    samples: Vec<Sample>,
    current: usize,
}

impl Rate {
    /// Records a value, which is negative where an earlier one is taken back.
    pub fn record(&mut self, windows: Windows, value: f64, now_ms: i64) {
        if self.samples.is_empty() {
            self.samples.push(Sample::begin(now_ms));
        }
        if now_ms.saturating_sub(self.samples[self.current].start_ms) >= windows.window_ms {
            self.current = (self.current + 1) % (windows.samples as usize + 1);
            match self.samples.get_mut(self.current) {
                Some(sample) => *sample = Sample::begin(now_ms),
                None => self.samples.push(Sample::begin(now_ms)),
            }
        }
        let sample = &mut self.samples[self.current];
        sample.sum += value;
        sample.last_ms = now_ms;
    }

    /// Recorded in a second.
    pub fn measure(&mut self, windows: Windows, now_ms: i64) -> f64 {
        self.forget_old(windows, now_ms);
        let sum = self.samples.iter().fold(0.0, |sum, sample| sum + sample.sum);
        sum / (self.window_ms(windows, now_ms) as f64 / 1000.0)
    }

    /// Records a value and says for how many milliseconds nothing may follow, so that the rate is within the limit then.
    /// 0: it is.
    pub fn charge(&mut self, windows: Windows, value: f64, limit: f64, now_ms: i64) -> u32 {
        self.record(windows, value, now_ms);
        let rate = self.measure(windows, now_ms);
        if rate <= limit {
            return 0;
        }
        whole_ms((rate - limit) / limit * self.window_ms(windows, now_ms) as f64)
    }

    /// Whether nothing is remembered, so that a new one would say the same.
    pub fn is_at_rest(&self, windows: Windows, now_ms: i64) -> bool {
        self.samples.iter().all(|sample| is_old(sample, windows, now_ms))
    }

    fn forget_old(&mut self, windows: Windows, now_ms: i64) {
        if self.samples.is_empty() {
            self.samples.push(Sample::begin(now_ms));
        }
        for sample in self.samples.iter_mut().filter(|sample| is_old(sample, windows, now_ms)) {
            *sample = Sample::begin(now_ms);
        }
    }

    /// The time that the samples cover, but at least all windows without the current one: with less, the first bytes of a
    /// client would look like a high rate.
    fn window_ms(&self, windows: Windows, now_ms: i64) -> i64 {
        let oldest = self.samples.iter().map(|sample| sample.start_ms).min().unwrap_or(now_ms);
        let elapsed = now_ms.saturating_sub(oldest);
        let (full, least) = (elapsed / windows.window_ms, i64::from(windows.samples) - 1);
        let lacking = (least - full).max(0).saturating_mul(windows.window_ms);
        elapsed.saturating_add(lacking).max(1)
    }
}

fn is_old(sample: &Sample, windows: Windows, now_ms: i64) -> bool {
    now_ms.saturating_sub(sample.last_ms) >= windows.span_ms()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by `testdata/QuotaTranscript.java` with Kafka 4.4.0: a line `R samples window limit` begins a client, each
    /// `c now value rate throttle` charges it, `u now value` takes back.
    #[test]
    fn rates_are_kafkas() {
        let (mut rate, mut windows, mut limit, mut charged) = (Rate::default(), None, 0.0, 0);
        for line in include_str!("testdata/rate.txt").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<f64>().unwrap();
            let now_ms = || words[1].parse::<i64>().unwrap();
            match (words[0], windows) {
                ("R", _) => {
                    windows = Some(Windows { samples: number(1) as u32, window_ms: number(2) as i64 * 1000 });
                    (rate, limit) = (Rate::default(), number(3));
                }
                ("c", Some(windows)) => {
                    let throttle = rate.charge(windows, number(2), limit, now_ms());
                    let measured = rate.measure(windows, now_ms());
                    assert_eq!((measured, throttle), (number(3), number(4) as u32), "{line}");
                    charged += 1;
                }
                ("u", Some(windows)) => rate.record(windows, -number(2), now_ms()),
                _ => panic!("{line}"),
            }
        }
        assert!(charged >= 6_000, "{charged} lines");
    }

    #[test]
    fn a_rate_at_rest_is_like_a_new_one() {
        let windows = Windows { samples: 11, window_ms: 1000 };
        let (mut old, mut new) = (Rate::default(), Rate::default());
        (0..20).for_each(|at| old.record(windows, 5000.0, at * 900));
        assert!(!old.is_at_rest(windows, 17_100 + 10_999) && old.is_at_rest(windows, 17_100 + 11_000));
        for at in 0..30 {
            let now_ms = 28_100 + at * 1300;
            assert_eq!(old.charge(windows, 900.0, 500.0, now_ms), new.charge(windows, 900.0, 500.0, now_ms));
        }
    }

    #[test]
    fn no_number_breaks_it() {
        for value in [f64::NAN, f64::INFINITY, f64::MIN, f64::MAX, 0.0] {
            for limit in [f64::MIN_POSITIVE, f64::MAX, f64::NAN, f64::INFINITY] {
                let mut rate = Rate::default();
                let windows = Windows { samples: 1, window_ms: 1 };
                for now_ms in [0, i64::MAX, i64::MAX] {
                    assert!(rate.charge(windows, value, limit, now_ms) <= i32::MAX as u32);
                }
            }
        }
    }
}
