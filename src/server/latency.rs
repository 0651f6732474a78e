//! How long answered requests took: told once for all that a turn has answered, with one look at the clock.

use crate::codec::ToldErrors;
use crate::model::{ApiKey, Instant};
use crate::server::Server;

/// Answers whose times are kept until then at most.
const MOST_KEPT: usize = 1024;

/// A request that is answered, and the turn that took in its frame.
pub(super) struct Answered {
    api: ApiKey,
    since: Instant,
}

impl Server {
    /// A request is answered with so many bytes, or with none, and with these errors.
    pub(super) fn note_answer(&mut self, api: ApiKey, since: Instant, bytes: usize, errors: &ToldErrors) {
        self.turn.metrics.answer(api as usize, bytes);
        for (code, count) in errors.iter() {
            self.turn.metrics.errors(api as usize, code, count);
        }
        self.answered.push(Answered { api, since });
        if self.answered.len() >= MOST_KEPT {
            self.record_latencies();
        }
    }

    /// The answers are handed to their connections.
    pub(super) fn record_latencies(&mut self) {
        if self.answered.is_empty() {
            return;
        }
        let now = self.driver.now();
        for Answered { api, since } in self.answered.drain(..) {
            assert!(now >= since, "the clock of a driver never goes back");
            self.turn.metrics.took(api as usize, now.since(since));
        }
    }
}
