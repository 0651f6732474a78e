//! A bucket of tokens: what is taken comes back at the rate of the limit, and a client that was silent finds it full
//! (Kafka's `TokenBucket`, with what `ControllerMutationQuotaManager` makes of it).

use super::{Windows, whole_ms};

#[derive(Clone, Debug)]
pub struct Bucket {
    /// Negative where more was taken than there was.
    tokens: f64,
    refilled_ms: i64,
}

impl Default for Bucket {
    /// Full, whatever it will hold.
    fn default() -> Bucket {
        Bucket { tokens: f64::INFINITY, refilled_ms: 0 }
    }
}

impl Bucket {
    /// Takes tokens unless it lacks some already. `Err`: for how many milliseconds it will.
    pub fn take(&mut self, windows: Windows, value: f64, limit: f64, now_ms: i64) -> Result<(), u32> {
        self.refill(windows, limit, now_ms);
        match self.lacks_ms(limit) {
            0 if self.tokens >= 0.0 => {
                self.tokens = (self.tokens - value).min(burst(windows, limit));
                Ok(())
            }
            ms => Err(ms),
        }
    }

    /// Takes tokens in any case; answers for how many milliseconds it lacks some then. Negative ones are given back.
    pub fn charge(&mut self, windows: Windows, value: f64, limit: f64, now_ms: i64) -> u32 {
        self.refill(windows, limit, now_ms);
        self.tokens = (self.tokens - value).min(burst(windows, limit));
        self.lacks_ms(limit)
    }

    /// Whether it is full, so that a new one would say the same.
    pub fn is_at_rest(&self, windows: Windows, limit: f64, now_ms: i64) -> bool {
        self.refilled(limit, now_ms) >= burst(windows, limit)
    }

    fn refill(&mut self, windows: Windows, limit: f64, now_ms: i64) {
        self.tokens = self.refilled(limit, now_ms).min(burst(windows, limit));
        self.refilled_ms = now_ms;
    }

    fn refilled(&self, limit: f64, now_ms: i64) -> f64 {
        self.tokens + limit * (now_ms.saturating_sub(self.refilled_ms) as f64 / 1000.0)
    }

    fn lacks_ms(&self, limit: f64) -> u32 {
        if self.tokens < 0.0 { whole_ms(-self.tokens / limit * 1000.0) } else { 0 }
    }
}

fn burst(windows: Windows, limit: f64) -> f64 {
    f64::from(windows.samples) * (windows.window_ms as f64 / 1000.0) * limit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by `testdata/QuotaTranscript.java` with Kafka 4.4.0: `B samples window limit` begins a client, `s` is a strict
    /// request and `p` a permissive one: `s now value throttle`.
    #[test]
    fn buckets_are_kafkas() {
        let (mut bucket, mut windows, mut limit, mut asked) = (Bucket::default(), None, 0.0, 0);
        for line in include_str!("testdata/bucket.txt").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<f64>().unwrap();
            let now_ms = || words[1].parse::<i64>().unwrap();
            match (words[0], windows) {
                ("B", _) => {
                    windows = Some(Windows { samples: number(1) as u32, window_ms: number(2) as i64 * 1000 });
                    (bucket, limit) = (Bucket::default(), number(3));
                }
                ("s", Some(windows)) => {
                    let throttle = bucket.take(windows, number(2), limit, now_ms()).err().unwrap_or(0);
                    assert_eq!(throttle, number(3) as u32, "{line}");
                    asked += 1;
                }
                ("p", Some(windows)) => {
                    assert_eq!(bucket.charge(windows, number(2), limit, now_ms()), number(3) as u32, "{line}");
                    asked += 1;
                }
                _ => panic!("{line}"),
            }
        }
        assert!(asked >= 5_000, "{asked} lines");
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let windows = Windows { samples: 2, window_ms: 1000 };
        let mut bucket = Bucket::default();
        assert!(bucket.is_at_rest(windows, 1.0, 0));
        assert_eq!(bucket.take(windows, 5.0, 1.0, 0), Ok(()));
        assert_eq!(bucket.take(windows, 1.0, 1.0, 0), Err(3000));
        assert_eq!(bucket.charge(windows, -5.0, 1.0, 0), 0);
        assert!(bucket.is_at_rest(windows, 1.0, 0));
        // Never more than fits.
        bucket.charge(windows, -5.0, 1.0, 0);
        assert_eq!((bucket.take(windows, 3.0, 1.0, 0), bucket.take(windows, 1.0, 1.0, 0)), (Ok(()), Err(1000)));
    }

    #[test]
    fn no_number_breaks_it() {
        for value in [f64::NAN, f64::INFINITY, f64::MIN, f64::MAX] {
            for limit in [f64::MIN_POSITIVE, f64::MAX, f64::NAN, f64::INFINITY] {
                let mut bucket = Bucket::default();
                for now_ms in [0, i64::MAX] {
                    let windows = Windows { samples: u32::MAX, window_ms: 1000 };
                    assert!(bucket.charge(windows, value, limit, now_ms) <= i32::MAX as u32);
                    assert!(bucket.take(windows, value, limit, now_ms).err().unwrap_or(0) <= i32::MAX as u32);
                }
            }
        }
    }
}
