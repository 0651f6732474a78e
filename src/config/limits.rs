//! Limits of connections, and the windows over which quotas are measured.
//!
//! What has the prefix of a listener limits that listener; without one it limits the broker, and each listener that has no
//! own (`ConnectionQuotas`). They may change while the broker runs. Deviation: the addresses in
//! `max.connections.per.ip.overrides` are numbers, as nothing here asks for what a host name stands for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::settings::Settings;
use super::value::Value;
use super::{Invalid, definitions};

const CONNECTIONS: &str = "max.connections";
const CREATION_RATE: &str = "max.connection.creation.rate";
const PER_IP: &str = "max.connections.per.ip";
const OVERRIDES: &str = "max.connections.per.ip.overrides";

/// Over how many windows of how many seconds a quota is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaWindows {
    pub samples: u32,
    pub seconds: u32,
}

impl QuotaWindows {
    pub(super) fn of_clients(settings: &Settings<'_>) -> QuotaWindows {
        QuotaWindows::of(settings, "quota.window.num", "quota.window.size.seconds")
    }

    pub(super) fn of_controller(settings: &Settings<'_>) -> QuotaWindows {
        QuotaWindows::of(settings, "controller.quota.window.num", "controller.quota.window.size.seconds")
    }

    fn of(settings: &Settings<'_>, samples: &str, seconds: &str) -> QuotaWindows {
        QuotaWindows { samples: settings.size(samples).max(1), seconds: settings.size(seconds).max(1) }
    }
}

/// How many connections there may be, and how many new ones in a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    pub connections: usize,
    pub per_second: u32,
}

/// What limits connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    pub broker: Limit,
    /// Their own limits, in the order of the listeners.
    pub listeners: Vec<Limit>,
    pub per_ip: usize,
    pub per_ip_overrides: BTreeMap<IpAddr, usize>,
}

impl ConnectionLimits {
    /// What holds now for these listeners. What cannot be read counts as not set: it was checked before.
    pub fn resolve<'n>(settings: &Settings<'_>, listeners: impl Iterator<Item = &'n str>) -> ConnectionLimits {
        let number = |name: &str| u32::try_from(settings.long(name)).unwrap_or(0);
        let broker = Limit { connections: number(CONNECTIONS) as usize, per_second: number(CREATION_RATE) };
        let of_listener = |listener: &str, key: &str| {
            let own = settings.raw(&format!("listener.name.{}.{key}", listener.to_lowercase()));
            match own.and_then(|text| definitions::broker(key)?.parse(text).ok()) {
                Some(Value::Int(value)) => u32::try_from(value).unwrap_or(0),
                _ => number(key),
            }
        };
        let limit = |listener: &'n str| Limit {
            connections: of_listener(listener, CONNECTIONS) as usize,
            per_second: of_listener(listener, CREATION_RATE),
        };
        ConnectionLimits {
            broker,
            listeners: listeners.map(limit).collect(),
            per_ip: number(PER_IP) as usize,
            per_ip_overrides: overrides(&settings.text(OVERRIDES).unwrap_or_default()).unwrap_or_default(),
        }
    }

    /// How many connections an address may have.
    pub fn of_ip(&self, ip: IpAddr) -> usize {
        self.per_ip_overrides.get(&ip).copied().unwrap_or(self.per_ip)
    }
}

/// `KafkaConfig.validateValues`, and what else would make a limit none.
pub(super) fn check(settings: &Settings<'_>) -> Result<(), Invalid> {
    let text = settings.text(OVERRIDES).unwrap_or_default();
    let overrides = overrides(&text).map_err(|reason| Invalid::new(OVERRIDES, &text, reason))?;
    if settings.long(PER_IP) == 0 && overrides.is_empty() {
        let reason = format!("{PER_IP} can be set to zero only if {OVERRIDES} property is set.");
        return Err(Invalid::new(PER_IP, "0", reason));
    }
    for name in settings.names().filter(|name| name.starts_with("listener.name.")) {
        let of_listener = definitions::listener_override(name).map(|definition| definition.name);
        // Only these are a listener's own; Kafka says nothing of the others, which protect nothing.
        if of_listener.is_some_and(|key| key == PER_IP || key == OVERRIDES) {
            let reason = "it limits the broker, not one of its listeners: set it without the prefix";
            return Err(Invalid::new(name, settings.raw(name).unwrap_or_default(), reason));
        }
    }
    Ok(())
}

/// Addresses with how many connections each may have.
fn overrides(text: &str) -> Result<BTreeMap<IpAddr, usize>, String> {
    let mut found = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        // An address of version 6 has colons of its own.
        let (address, number) =
            pair.rsplit_once(':').ok_or_else(|| format!("{pair} is not an address and a number"))?;
        let address = address.trim().trim_matches(['[', ']']);
        let ip: IpAddr = address.parse().map_err(|_| format!("{address} is not an IP address"))?;
        let number = number.trim().parse::<u32>().map_err(|_| format!("{number} is not a number of connections"))?;
        found.insert(ip.to_canonical(), number as usize);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::tests::{load, map};

    fn limits(more: &[(&str, &str)], dynamic: &[(&str, &str)]) -> ConnectionLimits {
        let listeners = ("listeners", "A://:1,B://:2");
        let map_of = ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT");
        let (config, _): (Config, _) =
            load(&[&[listeners, map_of, ("inter.broker.listener.name", "A")][..], more].concat()).unwrap();
        let (dynamic, none) = (map(dynamic), map(&[]));
        ConnectionLimits::resolve(&config.settings(&dynamic, &none), ["A", "B"].into_iter())
    }

    #[test]
    fn what_has_a_prefix_limits_its_listener() {
        let most = i32::MAX as usize;
        let of = |limits: &ConnectionLimits| {
            let all = std::iter::once(&limits.broker).chain(&limits.listeners);
            all.map(|limit| (limit.connections, limit.per_second)).collect::<Vec<_>>()
        };
        assert_eq!(of(&limits(&[], &[])), [(most, most as u32); 3]);
        let own =
            [("listener.name.b.max.connections", "5"), ("max.connections", "9"), ("max.connection.creation.rate", "7")];
        assert_eq!(of(&limits(&own, &[])), [(9, 7), (9, 7), (5, 7)]);
        // While it runs.
        assert_eq!(
            of(&limits(&own, &[("max.connections", "3"), ("listener.name.a.max.connection.creation.rate", "2")])),
            [(3, 7), (3, 2), (5, 7)]
        );
    }

    #[test]
    fn addresses_have_limits_of_their_own() {
        let limits = limits(
            &[
                ("max.connections.per.ip", "0"),
                ("max.connections.per.ip.overrides", "10.0.0.1:3, [::1]:4,::ffff:10.0.0.2:5"),
            ],
            &[],
        );
        let of = |ip: &str| limits.of_ip(ip.parse().unwrap());
        assert_eq!([of("10.0.0.1"), of("::1"), of("10.0.0.2"), of("10.0.0.9")], [3, 4, 5, 0]);
        let said = |pairs: &[(&str, &str)]| load(pairs).unwrap_err().reason;
        assert_eq!(
            said(&[("max.connections.per.ip", "0")]),
            "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
        );
        for bad in ["host:1", "10.0.0.1", "10.0.0.1:x", "10.0.0.1:-1"] {
            assert!(!said(&[("max.connections.per.ip.overrides", bad)]).is_empty());
        }
        assert!(said(&[("listener.name.plaintext.max.connections.per.ip", "5")]).contains("without the prefix"));
    }
}
