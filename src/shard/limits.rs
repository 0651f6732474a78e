//! How many connections there may be: of the broker, of each listener, of each address, and how many new ones in a second
//! (`ConnectionQuotas`). One place for all shards; it is asked once for each connection.
//!
//! Like Kafka's acceptors, a listener takes its connections one after the other: the next one is looked at when the one
//! before has its place. Whom there is no place for waits.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::config::ConnectionLimits;
use crate::model::Instant;
use crate::security::quota::{Quotas, Rate, Windows};
use crate::stdx::mutex::Mutex;

/// Rates of addresses from which on those at rest are forgotten.
const SWEPT_FROM: usize = 1024;
/// How often a connection that waits for a place looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The place of one connection; given back when it is dropped.
pub struct ConnectionPlace {
    admissions: Arc<Admissions>,
    listener: usize,
    ip: IpAddr,
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.admissions.give_back(self.listener, self.ip);
    }
}

/// What is said to a new connection.
pub enum Judged {
    Admitted(ConnectionPlace),
    /// It is looked at again then.
    Waits(Instant),
    /// Too many come from its address: it is kept until then and closed, so that it does not come again at once.
    ClosedAt(Instant),
    /// Its address has so many connections, which is all that it may have.
    Closed(usize),
}

/// What is known of a connection that waits.
#[derive(Clone, Copy, Default, Debug)]
pub struct Arrival {
    /// It is counted as new; the time for which it makes the listener wait ends then.
    counted_until: Option<Instant>,
}

#[derive(Default)]
struct Counts {
    listeners: Vec<usize>,
    ips: BTreeMap<IpAddr, usize>,
    broker_rate: Rate,
    listener_rates: Vec<Rate>,
    ip_rates: BTreeMap<IpAddr, Rate>,
    sweep_at: usize,
    /// When a listener looks at its next connection.
    busy_until: Vec<Instant>,
}

/// The connections of all shards.
pub struct Admissions {
    windows: Windows,
    /// The listener that the limits of the broker do not hold for: other brokers come by it.
    protected: Option<usize>,
    counts: Mutex<Counts>,
    total: AtomicUsize,
    /// `max.connections`, as it was read last.
    most: AtomicUsize,
}

impl Admissions {
    /// `inter_broker` is protected if there is another listener.
    pub fn new(windows: Windows, listeners: usize, inter_broker: Option<usize>) -> Admissions {
        let counts = Counts {
            listeners: vec![0; listeners],
            listener_rates: vec![Rate::default(); listeners],
            busy_until: vec![Instant(0); listeners],
            sweep_at: SWEPT_FROM,
            ..Counts::default()
        };
        Admissions {
            windows,
            protected: inter_broker.filter(|_| listeners > 1),
            counts: Mutex::new(counts),
            total: AtomicUsize::new(0),
            most: AtomicUsize::new(usize::MAX),
        }
    }

    pub fn is_protected(&self, listener: usize) -> bool {
        self.protected == Some(listener)
    }

    /// Whether the broker has more connections than it may: others came by the protected listener, or there were more.
    pub fn is_exceeded(&self) -> bool {
        self.total.load(Relaxed) > self.most.load(Relaxed)
    }

    /// The limit of the broker has changed.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    pub fn total(&self) -> usize {
        self.total.load(Relaxed)
    }

    /// Looks whether a connection may have a place now.
    pub fn judge(
        self: &Arc<Admissions>,
        (listener, ip): (usize, IpAddr),
        limits: &ConnectionLimits,
        quotas: &Quotas,
        waiting: &mut Arrival,
        now: Instant,
    ) -> Judged {
        let ip = ip.to_canonical();
        self.set_most(limits.broker.connections);
        let mut counts = self.counts.lock();
        let until = match waiting.counted_until {
            Some(until) => until,
            None if counts.busy_until[listener] > now => return Judged::Waits(counts.busy_until[listener]),
            None => {
                let until = now + self.count_new(&mut counts, listener, limits, now);
                counts.busy_until[listener] = until;
                *waiting.counted_until.insert(until)
            }
        };
        if until > now {
            return Judged::Waits(until);
        }
        let limit = limits.listeners[listener].connections;
        let is_full = !self.is_protected(listener) && self.total() >= limits.broker.connections;
        if counts.listeners[listener] >= limit || is_full {
            // The listener takes no other one meanwhile.
            counts.busy_until[listener] = now + LOOK_AGAIN;
            waiting.counted_until = Some(now + LOOK_AGAIN);
            return Judged::Waits(now + LOOK_AGAIN);
        }
        if let Some(until) = self.throttle_ip(&mut counts, listener, ip, quotas, now) {
            return Judged::ClosedAt(until);
        }
        let most = limits.of_ip(ip);
        let count = counts.ips.get(&ip).copied().unwrap_or(0);
        if count >= most {
            return Judged::Closed(most);
        }
        counts.ips.insert(ip, count + 1);
        counts.listeners[listener] += 1;
        self.total.fetch_add(1, Relaxed);
        Judged::Admitted(ConnectionPlace { admissions: self.clone(), listener, ip })
    }

    /// Counts a new connection; answers for how long the listener must wait, a window at most.
    fn count_new(&self, counts: &mut Counts, listener: usize, limits: &ConnectionLimits, now: Instant) -> Duration {
        let charge = |rate: &mut Rate, per_second: u32| {
            let ms = rate.charge(self.windows, 1.0, per_second.into(), now.millis());
            Duration::from_millis(ms.into()).min(self.window())
        };
        let own = charge(&mut counts.listener_rates[listener], limits.listeners[listener].per_second);
        if self.is_protected(listener) {
            return own;
        }
        own.max(charge(&mut counts.broker_rate, limits.broker.per_second))
    }

    /// When a connection of an address from which too many come is closed; it counts nowhere then.
    fn throttle_ip(
        &self,
        counts: &mut Counts,
        listener: usize,
        ip: IpAddr,
        quotas: &Quotas,
        now: Instant,
    ) -> Option<Instant> {
        let limit = quotas.connection_rate(ip)?;
        let (windows, now_ms) = (self.windows, now.millis());
        if counts.ip_rates.len() >= counts.sweep_at {
            counts.ip_rates.retain(|_, rate| !rate.is_at_rest(windows, now_ms));
            counts.sweep_at = (2 * counts.ip_rates.len()).max(SWEPT_FROM);
        }
        let rate = counts.ip_rates.entry(ip).or_default();
        let throttle_ms = rate.charge(windows, 1.0, limit, now_ms);
        if throttle_ms == 0 {
            return None;
        }
        rate.record(windows, -1.0, now_ms);
        counts.listener_rates[listener].record(windows, -1.0, now_ms);
        if !self.is_protected(listener) {
            counts.broker_rate.record(windows, -1.0, now_ms);
        }
        Some(now + Duration::from_millis(throttle_ms.into()).min(self.window()))
    }

    fn window(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.windows.window_ms).unwrap_or(u64::MAX))
    }

    fn give_back(&self, listener: usize, ip: IpAddr) {
        let mut counts = self.counts.lock();
        counts.listeners[listener] -= 1;
        match counts.ips.get_mut(&ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.ips.remove(&ip)),
        }
        self.total.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limit;

    const MANY: Limit = Limit { connections: usize::MAX, per_second: u32::MAX };
    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn admissions() -> Arc<Admissions> {
        Arc::new(Admissions::new(Windows { samples: 11, window_ms: 1000 }, 2, Some(0)))
    }

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            broker: MANY,
            listeners: vec![MANY; 2],
            per_ip: usize::MAX,
            per_ip_overrides: BTreeMap::new(),
        }
    }

    fn at(ms: u64) -> Instant {
        Instant(1_000_000_000 + ms * 1_000_000)
    }

    fn judge(admissions: &Arc<Admissions>, listener: usize, ip: IpAddr, limits: &ConnectionLimits, ms: u64) -> Judged {
        admissions.judge((listener, ip), limits, &Quotas::default(), &mut Arrival::default(), at(ms))
    }

    #[test]
    fn a_place_is_taken_and_given_back() {
        let admissions = admissions();
        let mut limits = limits();
        limits.listeners[1].connections = 1;
        let Judged::Admitted(first) = judge(&admissions, 1, A, &limits, 0) else { panic!("there is a place") };
        assert!(matches!(judge(&admissions, 1, A, &limits, 0), Judged::Waits(_)));
        // The other listener has places of its own.
        let Judged::Admitted(other) = judge(&admissions, 0, A, &limits, 0) else { panic!("there is a place") };
        assert_eq!((admissions.total(), admissions.counts.lock().ips.get(&A)), (2, Some(&2)));
        drop(first);
        assert!(matches!(judge(&admissions, 1, A, &limits, 100), Judged::Admitted(_)));
        drop(other);
        assert_eq!((admissions.total(), admissions.counts.lock().ips.len()), (0, 0));
    }

    #[test]
    fn the_broker_is_full_but_for_the_protected_listener() {
        let (admissions, mut limits) = (admissions(), limits());
        limits.broker.connections = 1;
        let Judged::Admitted(_first) = judge(&admissions, 1, A, &limits, 0) else { panic!("there is a place") };
        assert!(matches!(judge(&admissions, 1, B, &limits, 0), Judged::Waits(_)) && !admissions.is_exceeded());
        let Judged::Admitted(_second) = judge(&admissions, 0, B, &limits, 0) else { panic!("it is protected") };
        assert!(admissions.is_exceeded() && admissions.is_protected(0) && !admissions.is_protected(1));
        let alone = Admissions::new(Windows { samples: 11, window_ms: 1000 }, 1, Some(0));
        assert!(!alone.is_protected(0), "there is no other listener to take from");
    }

    #[test]
    fn an_address_has_its_limit() {
        let (admissions, mut limits) = (admissions(), limits());
        (limits.per_ip, limits.per_ip_overrides) = (1, BTreeMap::from([(B, 0)]));
        let Judged::Admitted(_first) = judge(&admissions, 1, A, &limits, 0) else { panic!("there is a place") };
        assert!(matches!(judge(&admissions, 0, A, &limits, 0), Judged::Closed(1)));
        assert!(matches!(judge(&admissions, 1, B, &limits, 0), Judged::Closed(0)));
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        assert!(matches!(judge(&admissions, 1, mapped, &limits, 0), Judged::Closed(1)));
        assert_eq!(admissions.total(), 1);
    }

    /// Connections that come as fast as they can are taken at the rate of the limit, beside those of the first windows. As a
    /// listener waits a window at most, they come in waves, as Kafka's do.
    #[test]
    fn new_connections_come_at_their_rate() {
        for (of_broker, of_listener) in [(20, u32::MAX), (u32::MAX, 20)] {
            let (admissions, mut limits) = (admissions(), limits());
            (limits.broker.per_second, limits.listeners[1].per_second) = (of_broker, of_listener);
            let (mut ms, mut taken) = (0, 0);
            // Two shards have one each that waits.
            let mut waiting = [Arrival::default(); 2];
            while ms < 60_000 {
                for one in &mut waiting {
                    if let Judged::Admitted(_) = admissions.judge((1, A), &limits, &Quotas::default(), one, at(ms)) {
                        *one = Arrival::default();
                        taken += 1;
                    }
                }
                ms += 5;
            }
            assert!((1100..=1470).contains(&taken), "{taken} in 60 s at 20 in a second, 200 of them at once");
            // The protected listener has nothing to do with it.
            assert!(matches!(judge(&admissions, 0, A, &limits, ms), Judged::Admitted(_)));
        }
    }

    #[test]
    fn an_address_with_a_rate_is_put_off_and_counts_nowhere() {
        let (admissions, mut limits) = (admissions(), limits());
        limits.broker.per_second = 100;
        let mut quotas = Quotas::default();
        let of_a = [("ip".to_string(), Some("10.0.0.1".to_string()))];
        quotas.set(&of_a, crate::security::quota::CONNECTION_RATE, Some(1.0));
        let ask_at = |ip, ms| admissions.judge((1, ip), &limits, &quotas, &mut Arrival::default(), at(ms));
        let ask = |ip| ask_at(ip, 0);
        for _ in 0..10 {
            assert!(matches!(ask(A), Judged::Admitted(_)));
        }
        let Judged::ClosedAt(until) = ask(A) else { panic!("that is too many") };
        assert_eq!(until, at(1000));
        assert!((0..989).all(|_| matches!(ask(B), Judged::Admitted(_))), "what was put off is not counted");
        assert!((0..20).all(|_| matches!(ask_at(A, 5000), Judged::ClosedAt(_))));
        assert!(matches!(ask_at(A, 11_500), Judged::Admitted(_)), "nor at its address");
    }
}
