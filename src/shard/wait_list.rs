//! Requests that wait: values with a deadline and the partitions whose progress may end their wait.
//!
//! A request stays in its place until it is taken; looking at it and leaving it costs nothing. Numbers of partitions
//! are those of [`Partition`](crate::replica::partition::Partition), unique within the process. Belongs to one shard.

use std::collections::BTreeSet;

use crate::model::Instant;
use crate::stdx::slab::{Key, Slab};

struct Parked<P> {
    value: P,
    deadline: Instant,
    watched: Vec<u64>,
}

/// The requests of one shard that wait.
pub struct WaitList<P> {
    parked: Slab<Parked<P>>,
    deadlines: BTreeSet<(Instant, Key)>,
    /// Partition and who watches it.
    watchers: BTreeSet<(u64, Key)>,
}

impl<P> Default for WaitList<P> {
    fn default() -> WaitList<P> {
        WaitList { parked: Slab::default(), deadlines: BTreeSet::new(), watchers: BTreeSet::new() }
    }
}

impl<P> WaitList<P> {
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// Parks a value until `deadline` at the latest.
    pub fn park(&mut self, value: P, deadline: Instant, mut watched: Vec<u64>) -> Key {
        watched.sort_unstable();
        watched.dedup();
        let watching = watched.clone();
        let key = self.parked.insert(Parked { value, deadline, watched });
        if deadline != Instant::NEVER {
            self.deadlines.insert((deadline, key));
        }
        for partition in watching {
            self.watchers.insert((partition, key));
        }
        key
    }

    /// The key of the request that is parked next: others can be told of it before.
    pub fn ticket(&self) -> Key {
        self.parked.next_key()
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut P> {
        self.parked.get_mut(key).map(|parked| &mut parked.value)
    }

    /// Takes a value out; nothing names it any more.
    pub fn take(&mut self, key: Key) -> Option<P> {
        let parked = self.parked.remove(key)?;
        self.deadlines.remove(&(parked.deadline, key));
        for partition in &parked.watched {
            self.watchers.remove(&(*partition, key));
        }
        Some(parked.value)
    }

    /// Who waits for progress of a partition.
    pub fn watching(&self, partition: u64) -> Vec<Key> {
        let all = (partition, Key::FIRST)..=(partition, Key::LAST);
        self.watchers.range(all).map(|(_, key)| *key).collect()
    }

    /// Everyone who waits.
    pub fn all(&self) -> Vec<Key> {
        self.parked.iter().map(|(key, _)| key).collect()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The next one whose time has come; it stays parked until it is taken, so take it before asking again.
    pub fn expired(&self, now: Instant) -> Option<Key> {
        self.deadlines.first().filter(|(deadline, _)| *deadline <= now).map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_taken_request_stays() {
        let mut wait_list = WaitList::default();
        let first = wait_list.park("first", Instant(10), vec![1, 2, 2]);
        let second = wait_list.park("second", Instant(5), vec![2]);
        let third = wait_list.park("third", Instant::NEVER, vec![]);
        assert_eq!(wait_list.watching(2), [first, second]);
        assert_eq!(wait_list.next_deadline(), Some(Instant(5)));
        assert_eq!(wait_list.expired(Instant(4)), None);
        assert_eq!(wait_list.expired(Instant(5)), Some(second));
        assert_eq!(wait_list.take(second), Some("second"));
        assert_eq!(wait_list.take(second), None);
        assert_eq!(wait_list.watching(2), [first]);
        assert_eq!(wait_list.take(first), Some("first"));
        assert!(wait_list.watchers.is_empty() && wait_list.deadlines.is_empty());
        assert_eq!(wait_list.all(), [third]);
    }
}
