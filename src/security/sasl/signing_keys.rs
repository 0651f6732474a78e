//! The keys of a provider as all shards see them: an immutable value that another thread exchanges, and what asks that thread
//! to look for more (`RefreshingHttpsJwks`).
//!
//! Deviation: however many names of keys clients make up, the thread is asked anew only when it has begun.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::jwks::KeySet;
use crate::model::TimestampMs;
use crate::stdx::mutex::Mutex;

/// Names of keys that are remembered as asked for, and for how long.
const MISSING_KEYS: usize = 16;
const MISSING_FOR_MS: i64 = 60_000;
/// A name that has more characters is none.
const LONGEST_KID: usize = 1000;

/// Told that there may be more keys.
pub type Ask = Box<dyn Fn() + Send + Sync>;

pub struct SigningKeys {
    current: ArcSwap<KeySet>,
    missing: Mutex<MissingKeys>,
    /// Asked, and not yet begun.
    is_asked: AtomicBool,
    ask: Ask,
}

impl SigningKeys {
    pub fn new(first: KeySet, ask: Ask) -> SigningKeys {
        let missing = Mutex::new(MissingKeys::default());
        SigningKeys { current: ArcSwap::from_pointee(first), missing, is_asked: AtomicBool::new(false), ask }
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        self.current.load_full()
    }

    /// A token names a key that is not there.
    pub(super) fn note_missing(&self, kid: &str, now: TimestampMs) {
        let is_news = kid.chars().nth(LONGEST_KID).is_none() && self.missing.lock().is_news(kid, now);
        if is_news && !self.is_asked.swap(true, Ordering::AcqRel) {
            (self.ask)();
        }
    }

    /// What is asked for from now on is not in what is fetched now.
    pub fn begin(&self) {
        self.is_asked.store(false, Ordering::Release);
    }

    pub fn publish(&self, keys: KeySet) {
        let mut missing = self.missing.lock();
        keys.kids().for_each(|kid| missing.forget(kid));
        self.current.store(Arc::new(keys));
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.current.load().len())
    }
}

/// What was asked for, and when it may be asked for again; what was looked at last is last.
#[derive(Default)]
struct MissingKeys(VecDeque<(String, i64)>);

impl MissingKeys {
    fn is_news(&mut self, kid: &str, now: TimestampMs) -> bool {
        let known = self.0.iter().position(|(known, _)| known == kid).and_then(|at| self.0.remove(at));
        let next_ms = match &known {
            Some((_, next_ms)) if *next_ms > now.0 => *next_ms,
            _ => now.0 + MISSING_FOR_MS,
        };
        let is_news = known.is_none_or(|(_, before_ms)| before_ms != next_ms);
        self.0.push_back((kid.to_string(), next_ms));
        if self.0.len() > MISSING_KEYS {
            self.0.pop_front();
        }
        is_news
    }

    fn forget(&mut self, kid: &str) {
        self.0.retain(|(known, _)| known != kid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// `RefreshingHttpsJwksTest`, and what comes while the thread is on its way.
    #[test]
    fn a_missing_key_is_asked_for_once_in_a_minute() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let ask = Box::new(move || _ = counted.fetch_add(1, Ordering::Relaxed));
        let keys = SigningKeys::new(KeySet::default(), ask);
        let asked = |kid: &str, now: i64| {
            let before = count.load(Ordering::Relaxed);
            keys.begin();
            keys.note_missing(kid, TimestampMs(now));
            count.load(Ordering::Relaxed) > before
        };
        assert!(asked("a", 0) && !asked("a", 0) && !asked("a", 59_999) && asked("a", 60_000));
        let longest = "é".repeat(LONGEST_KID);
        assert!(asked(&longest, 0) && !asked(&(longest + "x"), 0));
        // The one that was not looked at for longest is forgotten.
        for number in 0..MISSING_KEYS {
            assert!(asked(&number.to_string(), 0));
        }
        assert!(!asked("0", 0) && asked("more", 0) && !asked("0", 0) && asked("1", 0));
        // A key that has come and goes is asked for again.
        keys.publish(KeySet::parse(br#"{"keys":[{"kty":"oct","k":"AA","kid":"0"}]}"#).unwrap());
        assert!(asked("0", 0) && !asked("1", 0));
        // While it was not begun, it is not asked again.
        let before = count.load(Ordering::Relaxed);
        keys.begin();
        ["x", "y", "z"].into_iter().for_each(|kid| keys.note_missing(kid, TimestampMs(0)));
        assert_eq!(count.load(Ordering::Relaxed), before + 1);
    }
}
