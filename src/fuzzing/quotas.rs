//! Quotas: they come and go, clients use what they have, time passes. Whatever the numbers, the quota that holds is the first
//! one that is set, and a client is told of a time that an answer can carry.

use std::collections::BTreeMap;

use crate::config::QuotaWindows;
use crate::model::Instant;
use crate::security::quota::{Bucket, Kind, Quotas, Rate, Windows};
use crate::shard::quotas::Meters;

/// What is set: for whom, as `user client`, where `*` are those without their own and `-` is not looked at.
type Set = BTreeMap<(Kind, String, String), f64>;

struct Script {
    quotas: Quotas,
    set: Set,
    meters: Meters,
    windows: Windows,
    now_ms: u64,
    /// What is used with one limit of its own, beside the meters.
    rate: Rate,
    bucket: Bucket,
}

/// A line each: `set KIND USER CLIENT VALUE` (`end` takes it away), `charge KIND USER CLIENT VALUE`, `take USER CLIENT VALUE`,
/// `alone LIMIT VALUE`, `wait MS`; the first may be `windows SAMPLES SECONDS`.
pub fn quota_scripts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut script = Script::new(text.lines().next().unwrap_or_default());
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        script.step(&fields).unwrap_or_default();
    }
    script.end();
}

fn entity(user: &str, client: &str) -> Vec<(String, Option<String>)> {
    let part = |kind: &str, name: &str| (name != "-").then(|| (kind.into(), (name != "*").then(|| name.into())));
    part("client-id", client).into_iter().chain(part("user", user)).collect()
}

fn kind(text: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == text)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

impl Script {
    fn new(line: &str) -> Script {
        let fields: Vec<&str> = line.split(' ').collect();
        let given = match fields[..] {
            ["windows", samples, seconds] => samples.parse().ok().zip(seconds.parse().ok()),
            _ => None,
        };
        // As the configuration allows them; a rate keeps as many samples as it has seen windows.
        let (samples, seconds) = given.filter(|(samples, seconds)| *samples >= 1 && *seconds >= 1).unwrap_or((11, 1));
        let of = || QuotaWindows { samples, seconds };
        let meters = Meters::new(of(), of());
        let windows = meters.windows();
        let (quotas, set) = (Quotas::default(), Set::new());
        Script { quotas, set, meters, windows, now_ms: 0, rate: Rate::default(), bucket: Bucket::default() }
    }

    /// `None`: it is no step.
    fn step(&mut self, fields: &[&str]) -> Option<()> {
        match *fields {
            ["set", of, user, client, value] => self.set(kind(of)?, user, client, Some(number(value)?)),
            ["end", of, user, client] => self.set(kind(of)?, user, client, None),
            ["charge", of, user, client, value] => self.charge(kind(of)?, user, client, number(value)?),
            ["take", user, client, value] => {
                let found = self.meters.find(&self.quotas, Kind::Mutation, user, client, self.now())?;
                told(found.take(number(value)?, self.now()).err().unwrap_or(0));
            }
            ["alone", limit, value] => self.alone(number(limit)?, number(value)?),
            ["wait", ms] => self.now_ms = self.now_ms.saturating_add(ms.parse().ok()?).min(1 << 40),
            _ => {}
        }
        Some(())
    }

    fn now(&self) -> Instant {
        Instant(self.now_ms * 1_000_000)
    }

    fn set(&mut self, kind: Kind, user: &str, client: &str, value: Option<f64>) {
        self.quotas.set(&entity(user, client), kind.key(), value);
        let of = (kind, user.to_string(), client.to_string());
        self.set.remove(&of);
        if let Some(value) = value.filter(|value| value.is_finite() && *value > 0.0 && (user, client) != ("-", "-")) {
            self.set.insert(of, value);
        }
    }

    /// The first of these that is set.
    fn limit(&self, kind: Kind, user: &str, client: &str) -> Option<f64> {
        let order = [
            (user, client),
            (user, "*"),
            (user, "-"),
            ("*", client),
            ("*", "*"),
            ("*", "-"),
            ("-", client),
            ("-", "*"),
        ];
        order.iter().find_map(|(user, client)| self.set.get(&(kind, user.to_string(), client.to_string())).copied())
    }

    fn charge(&mut self, kind: Kind, user: &str, client: &str, value: f64) {
        // Names that stand for something else here.
        if [user, client].iter().any(|name| ["", "*", "-"].contains(name)) {
            return;
        }
        let found = self.quotas.find(kind, user, client).map(|(_, limit)| limit);
        assert_eq!(found, self.limit(kind, user, client), "{kind:?} of {user} with {client}");
        if let Some(metered) = self.meters.find(&self.quotas, kind, user, client, self.now()) {
            told(metered.charge(value, self.now()));
        }
    }

    /// What is at rest says the same as what is new.
    fn alone(&mut self, limit: f64, value: f64) {
        let (windows, now_ms) = (self.windows, self.now_ms as i64);
        if self.rate.is_at_rest(windows, now_ms) {
            let new = Rate::default().charge(windows, value, limit, now_ms);
            assert_eq!(self.rate.clone().charge(windows, value, limit, now_ms), new);
        }
        if self.bucket.is_at_rest(windows, limit, now_ms) {
            let new = Bucket::default().take(windows, value, limit, now_ms);
            assert_eq!(self.bucket.clone().take(windows, value, limit, now_ms), new);
        }
        told(self.rate.charge(windows, value, limit, now_ms));
        told(self.bucket.charge(windows, value, limit, now_ms));
    }

    fn end(mut self) {
        let mut built = Quotas::default();
        for ((kind, user, client), value) in &self.set {
            built.set(&entity(user, client), kind.key(), Some(*value));
        }
        assert!(self.quotas == built, "it does not depend on the order");
        for (kind, user, client) in std::mem::take(&mut self.set).into_keys() {
            self.quotas.set(&entity(&user, &client), kind.key(), None);
        }
        assert!(self.quotas == Quotas::default() && self.quotas.is_empty(), "nothing is left");
    }
}

/// A time that an answer can carry.
fn told(throttle_ms: u32) {
    assert!(i32::try_from(throttle_ms).is_ok(), "{throttle_ms} ms");
}
