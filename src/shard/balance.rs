//! Which shard a new connection goes to: the one that has fewest.
//!
//! The kernel shares connections out by a hash, which leaves few of them uneven: of two, both are on the same of two shards
//! every other time. Two shards that decide at the same moment may choose the same third; the next connection mends it.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::replica::watch::ShardId;

/// How many connections each shard serves, or is about to.
pub struct Balance(Vec<AtomicUsize>);

impl Balance {
    pub fn new(shards: usize) -> Balance {
        Balance((0..shards).map(|_| AtomicUsize::new(0)).collect())
    }

    /// Counts one more connection, to the shard where it is to go: it stays `here` unless another one has fewer.
    pub fn place(&self, here: ShardId) -> ShardId {
        let count = |at: usize| self.0[at].load(Ordering::Relaxed);
        let least = (0..self.0.len()).min_by_key(|at| (count(*at), *at != here.0 as usize)).unwrap_or(here.0 as usize);
        self.0[least].fetch_add(1, Ordering::Relaxed);
        ShardId(least as u8)
    }

    /// A connection of a shard has ended.
    pub fn remove(&self, shard: ShardId) {
        self.0[shard.0 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_there_are_fewest_and_stay_between_equals() {
        let balance = Balance::new(3);
        let placed = [1, 1, 1, 2, 2].map(|here| balance.place(ShardId(here)).0);
        assert_eq!(placed, [1, 0, 2, 2, 0]);
        balance.remove(ShardId(2));
        assert_eq!([0, 0].map(|here| balance.place(ShardId(here)).0), [1, 2]);
    }
}
