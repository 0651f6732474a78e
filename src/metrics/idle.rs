//! How much of its time a shard waits for something to do.
//!
//! The shard's thread tells when its waits begin and end, any thread reads. A wait that goes on counts up to the moment of the
//! look, so that a shard that has nothing to do for an hour is not taken for a busy one. Spans of half a minute are told
//! together with the one before: less would jump, and the mean since the start would hide a shard that has become busy.

use std::time::Duration;

use super::counter::Counter;

/// Kafka's windows are of this length (`metrics.sample.window.ms`).
const SPAN_NANOS: u64 = 30_000_000_000;

/// The waits of one shard, in nanoseconds of the clock that never goes back.
#[derive(Default)]
pub(super) struct Waits {
    waited: Counter,
    /// When the wait under way has begun; 0 where there is none.
    since: Counter,
    /// When the span has begun; 0 before the first wait.
    began: Counter,
    /// What had been waited then.
    waited_before: Counter,
    last: Span,
}

/// The span before.
#[derive(Default)]
struct Span {
    length: Counter,
    waited: Counter,
}

/// How much of its time a shard has waited.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Idle {
    /// The sum of all waits.
    pub waited: Duration,
    /// The part of the last spans, from 0 to 1. `None` if no time has passed in them.
    pub share: Option<f64>,
}

impl Waits {
    pub(super) fn begin(&self, now_ns: u64) {
        if self.began.get() == 0 {
            self.began.set(now_ns);
        }
        self.since.set(now_ns);
    }

    pub(super) fn end(&self, now_ns: u64) {
        let wait = now_ns.saturating_sub(self.since.get());
        self.waited.add(wait);
        self.since.set(0);
        let (length, waited) = self.span(now_ns, self.waited.get(), wait);
        if length >= SPAN_NANOS {
            self.last.length.set(length);
            self.last.waited.set(waited);
            self.began.set(now_ns);
            self.waited_before.set(self.waited.get());
        }
    }

    /// Length and waits of the span up to `now_ns`, of which `wait` is the end. A wait that goes beyond the span's own length counts
    /// up to there: an hour of rest would hide what comes next.
    fn span(&self, now_ns: u64, waited: u64, wait: u64) -> (u64, u64) {
        let length = now_ns.saturating_sub(self.began.get());
        let beyond = length.saturating_sub(SPAN_NANOS).min(wait);
        (length - beyond, waited.saturating_sub(self.waited_before.get() + beyond))
    }

    pub(super) fn read(&self, now_ns: u64) -> Idle {
        let under_way = match self.since.get() {
            0 => 0,
            since => now_ns.saturating_sub(since),
        };
        let waited = self.waited.get() + under_way;
        let (length, waited_of) = match self.began.get() {
            0 => (0, 0),
            _ => self.span(now_ns, waited, under_way),
        };
        let (length, waited_of) = (length + self.last.length.get(), waited_of + self.last.waited.get());
        // The shard goes on while it is read: what it has waited may be ahead of the span.
        let share = (length > 0).then(|| (waited_of as f64 / length as f64).min(1.0));
        Idle { waited: Duration::from_nanos(waited), share }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> u64 {
        (seconds + 1) * 1_000_000_000
    }

    #[test]
    fn waits_are_told_of_the_last_spans() {
        let waits = Waits::default();
        assert_eq!(waits.read(at(5)), Idle { waited: Duration::ZERO, share: None });
        // It waits one second of two, up to the end of a span.
        for second in (0..30).step_by(2) {
            waits.begin(at(second));
            assert_eq!(waits.read(at(second + 1)).waited.as_secs(), second / 2 + 1, "a wait under way counts");
            waits.end(at(second + 1));
        }
        let told = waits.read(at(30));
        assert_eq!((told.waited.as_secs(), told.share), (15, Some(0.5)));
        waits.begin(at(30));
        waits.end(at(30));
        // Then it waits for nothing: the span before counts with the one that goes on, and not for longer.
        waits.begin(at(60));
        assert_eq!(waits.read(at(60)).share, Some(0.25));
        waits.end(at(60));
        assert_eq!(waits.read(at(75)).share, Some(0.0));
        assert_eq!(waits.read(at(75)).waited.as_secs(), 15);
    }

    #[test]
    fn a_long_rest_does_not_hide_what_comes_next() {
        let waits = Waits::default();
        waits.begin(at(0));
        assert_eq!(waits.read(at(3600)).share, Some(1.0));
        waits.end(at(3600));
        assert_eq!(waits.read(at(3630)).share, Some(0.5));
    }
}
