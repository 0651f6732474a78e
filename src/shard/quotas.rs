//! What clients have used of their quotas, counted for all shards together.
//!
//! A shard looks a meter up once for each client of a connection and charges it once for each request, under a lock that
//! is held for some arithmetic. Where no quota is set, none of this is reached.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::config::QuotaWindows;
use crate::model::Instant;
use crate::security::quota::{Bucket, Kind, Quotas, Rate, Tags, Windows};
use crate::stdx::mutex::Mutex;

/// Meters that there may be; what comes beyond shares one of each kind, as clients may make up their names.
const MOST_METERS: usize = 1 << 15;
/// Meters from which on those at rest are forgotten: they would say the same if they were made anew.
const SWEPT_FROM: usize = 1024;

enum State {
    Rate(Rate),
    Bucket(Bucket),
}

/// What has been used of one budget.
struct Meter(Mutex<State>);

/// A budget with the limit that holds for it.
#[derive(Clone)]
pub struct Metered {
    meter: Arc<Meter>,
    limit: f64,
    windows: Windows,
}

/// What it has counted is of no use to a reader.
impl fmt::Debug for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metered({})", self.limit)
    }
}

impl Metered {
    /// Records what was used; answers for how many milliseconds the client is to be left alone. A value that is taken back
    /// is negative.
    pub fn charge(&self, value: f64, now: Instant) -> u32 {
        let now_ms = now.millis();
        match &mut *self.meter.0.lock() {
            State::Rate(rate) => rate.charge(self.windows, value, self.limit, now_ms),
            State::Bucket(bucket) => bucket.charge(self.windows, value, self.limit, now_ms),
        }
    }

    /// Records what is used, unless the budget is exceeded already. `Err`: for how many milliseconds it will be.
    pub fn take(&self, value: f64, now: Instant) -> Result<(), u32> {
        match &mut *self.meter.0.lock() {
            State::Bucket(bucket) => bucket.take(self.windows, value, self.limit, now.millis()),
            State::Rate(_) => unreachable!("only changes of metadata are taken from a bucket"),
        }
    }

    /// What can be used at once without certainly being too much.
    pub fn most_at_once(&self) -> u64 {
        (self.limit * self.windows.full_seconds()) as u64
    }

    /// The longest time that a client with too much of a thread's time is left alone: one window.
    pub fn window_ms(&self) -> u32 {
        u32::try_from(self.windows.window_ms).unwrap_or(u32::MAX)
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        if Arc::strong_count(&self.meter) > 1 {
            return false;
        }
        match &*self.meter.0.lock() {
            State::Rate(rate) => rate.is_at_rest(self.windows, now.millis()),
            State::Bucket(bucket) => bucket.is_at_rest(self.windows, self.limit, now.millis()),
        }
    }
}

struct Table {
    meters: BTreeMap<(Kind, Tags), Metered>,
    sweep_at: usize,
}

/// The meters of all shards.
pub struct Meters {
    windows: Windows,
    controller_windows: Windows,
    table: Mutex<Table>,
}

impl Meters {
    pub fn new(of_clients: QuotaWindows, of_controller: QuotaWindows) -> Meters {
        let windows = |QuotaWindows { samples, seconds }| Windows { samples, window_ms: i64::from(seconds) * 1000 };
        Meters {
            windows: windows(of_clients),
            controller_windows: windows(of_controller),
            table: Mutex::new(Table { meters: BTreeMap::new(), sweep_at: SWEPT_FROM }),
        }
    }

    /// The windows of bytes, of time and of connections.
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// What a client has used; `None` if it has no quota of this kind. Looks for it in a table: a session keeps it.
    pub fn find(&self, quotas: &Quotas, kind: Kind, user: &str, client_id: &str, now: Instant) -> Option<Metered> {
        let (tags, limit) = quotas.find(kind, user, client_id)?;
        let mut table = self.table.lock();
        if let Some(metered) = table.meters.get_mut(&(kind, tags.clone())) {
            metered.limit = limit;
            return Some(metered.clone());
        }
        if table.meters.len() >= table.sweep_at {
            table.meters.retain(|_, metered| !metered.is_forgettable(now));
            table.sweep_at = (2 * table.meters.len()).max(SWEPT_FROM);
        }
        let is_full = table.meters.len() >= MOST_METERS;
        let tags = if is_full { Tags { user: String::new(), client: String::new() } } else { tags };
        let state = match kind {
            Kind::Mutation => State::Bucket(Bucket::default()),
            _ => State::Rate(Rate::default()),
        };
        let windows = if kind == Kind::Mutation { self.controller_windows } else { self.windows };
        let made = || Metered { meter: Arc::new(Meter(Mutex::new(state))), limit, windows };
        let metered = table.meters.entry((kind, tags)).or_insert_with(made);
        Some(Metered { limit, ..metered.clone() })
    }
}

/// The meters of the client that a connection has stood for last.
#[derive(Default, Debug)]
pub struct OwnMeters(RefCell<Own>);

#[derive(Default, Debug)]
struct Own {
    epoch: u64,
    user: String,
    client_id: String,
    /// `None`: not looked for yet.
    found: [Option<Option<Metered>>; 4],
}

impl OwnMeters {
    /// As [`Meters::find`], which is asked once for each client, kind and state of the quotas.
    pub fn find(
        &self,
        meters: &Meters,
        quotas: &Quotas,
        kind: Kind,
        (user, client_id): (&str, &str),
        now: Instant,
    ) -> Option<Metered> {
        if !quotas.has(kind) {
            return None;
        }
        let mut own = self.0.borrow_mut();
        if own.epoch != quotas.epoch() || own.client_id != client_id || own.user != user {
            let (user, client_id) = (user.to_string(), client_id.to_string());
            *own = Own { epoch: quotas.epoch(), user, client_id, found: Default::default() };
        }
        let found = &mut own.found[kind as usize];
        found.get_or_insert_with(|| meters.find(quotas, kind, user, client_id, now)).clone()
    }

    /// The meter of the client that was looked for last.
    pub fn again(&self, meters: &Meters, quotas: &Quotas, kind: Kind, now: Instant) -> Option<Metered> {
        let own = self.0.borrow();
        if own.epoch == quotas.epoch()
            && let Some(found) = &own.found[kind as usize]
        {
            return found.clone();
        }
        let (user, client_id) = (own.user.clone(), own.client_id.clone());
        drop(own);
        self.find(meters, quotas, kind, (&user, &client_id), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const START: Instant = Instant(5_000_000_000);

    fn meters() -> Meters {
        let windows = QuotaWindows { samples: 11, seconds: 1 };
        Meters::new(windows, windows)
    }

    fn of_clients(value: f64) -> Quotas {
        let mut quotas = Quotas::default();
        quotas.set(&[("client-id".to_string(), None)], Kind::Produce.key(), Some(value));
        quotas.set(&[("user".to_string(), None)], Kind::Mutation.key(), Some(value));
        quotas
    }

    #[test]
    fn all_connections_of_a_client_use_one_budget() {
        let (meters, quotas) = (meters(), of_clients(100.0));
        let find = |client: &str| meters.find(&quotas, Kind::Produce, "u", client, START).unwrap();
        assert_eq!((find("a").charge(1000.0, START), find("b").charge(1000.0, START)), (0, 0));
        assert_eq!((find("a").charge(100.0, START), find("a").charge(-100.0, START)), (1000, 0));
        assert_eq!((find("a").most_at_once(), find("a").window_ms()), (1000, 1000));
        // A new limit holds for what was used before.
        let more = of_clients(1100.0);
        let raised = meters.find(&more, Kind::Produce, "u", "a", START).unwrap();
        assert_eq!(raised.charge(10_000.0, START), 0);
        assert!(meters.find(&quotas, Kind::Fetch, "u", "a", START).is_none());
        let changes = meters.find(&quotas, Kind::Mutation, "u", "a", START).unwrap();
        assert_eq!((changes.take(1101.0, START), changes.take(1.0, START)), (Ok(()), Err(10)));
    }

    #[test]
    fn a_session_looks_again_when_client_or_quotas_change() {
        let (meters, mut quotas, own) = (meters(), of_clients(100.0), OwnMeters::default());
        let limit = |quotas: &Quotas, client| {
            own.find(&meters, quotas, Kind::Produce, ("u", client), START).map(|metered| metered.limit)
        };
        assert_eq!((limit(&quotas, "a"), limit(&quotas, "a")), (Some(100.0), Some(100.0)));
        quotas.set(&[("client-id".to_string(), Some("b".to_string()))], Kind::Produce.key(), Some(7.0));
        assert_eq!((limit(&quotas, "b"), limit(&quotas, "a")), (Some(7.0), Some(100.0)));
        assert_eq!(limit(&Quotas::default(), "a"), None);
    }

    #[test]
    fn what_is_at_rest_is_forgotten_and_made_up_names_are_bounded() {
        let (meters, quotas) = (meters(), of_clients(100.0));
        let count = || meters.table.lock().meters.len();
        let charge =
            |n: usize, now| meters.find(&quotas, Kind::Produce, "", &n.to_string(), now).unwrap().charge(500.0, now);
        (0..SWEPT_FROM).for_each(|n| assert_eq!(charge(n, START), 0));
        let later = START + Duration::from_secs(11);
        let kept = meters.find(&quotas, Kind::Produce, "", "0", START).unwrap();
        charge(SWEPT_FROM, later);
        assert_eq!(count(), 2, "one is used, and one is new");
        drop(kept);
        let throttled = (0..MOST_METERS + 100).filter(|n| charge(*n, later) > 0).count();
        assert!((90..110).contains(&throttled), "{throttled}: those beyond share one");
        assert!(count() <= MOST_METERS + 1);
    }
}
