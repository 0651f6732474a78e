//! Timers as data: when each is due, and nothing that runs.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use crate::model::Instant;

/// Each key has one timer at most.
pub struct Timers<K> {
    due: BTreeSet<(Instant, K)>,
    by_key: HashMap<K, Instant>,
}

impl<K> Default for Timers<K> {
    fn default() -> Timers<K> {
        Timers { due: BTreeSet::new(), by_key: HashMap::new() }
    }
}

impl<K: Ord + Hash + Clone> Timers<K> {
    /// Sets a timer, in place of the one that the key has.
    pub fn set(&mut self, key: K, at: Instant) {
        self.cancel(&key);
        let known = self.by_key.insert(key.clone(), at);
        assert!(known.is_none() && self.due.insert((at, key)), "a timer is set once");
        assert_eq!(self.due.len(), self.by_key.len(), "both indexes hold the same timers");
    }

    pub fn cancel(&mut self, key: &K) -> bool {
        let Some(at) = self.by_key.remove(key) else { return false };
        let was_due = self.due.remove(&(at, key.clone()));
        assert!(was_due, "both indexes hold the same timers");
        was_due
    }

    pub fn get(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).copied()
    }

    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes out the next timer whose time has come.
    pub fn pop(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (at, key) = self.due.pop_first()?;
        assert_eq!(self.by_key.remove(&key), Some(at), "both indexes hold the same timers");
        Some(key)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, Instant)> {
        self.by_key.iter().map(|(key, at)| (key, *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_timer() {
        let mut timers = Timers::default();
        timers.set("a", Instant(5));
        timers.set("b", Instant(3));
        timers.set("a", Instant(1));
        assert_eq!((timers.next(), timers.due.len()), (Some(Instant(1)), 2));
        assert_eq!((timers.pop(Instant(0)), timers.pop(Instant(2)), timers.pop(Instant(2))), (None, Some("a"), None));
        assert!(timers.cancel(&"b") && !timers.cancel(&"b"));
        assert_eq!((timers.next(), timers.get(&"b")), (None, None));
    }
}
