//! `listeners`, `advertised.listeners` and their security protocols, as one list of sockets to open.
//!
//! Names are upper case, as Kafka normalises them. How a listener is secured is left to `security`. Resolves nothing: an empty host stays `None` and a port 0 stays 0
//! until the broker knows better. Controller listeners of a combined `server.properties` are recognised and left out.

use super::Invalid;
use super::security::{ListenerSecurity, SaslSettings};
use crate::model::SecurityProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One socket to open.
#[derive(Clone, PartialEq, Debug)]
pub struct Listener {
    pub name: String,
    pub security_protocol: SecurityProtocol,
    /// `None` means all interfaces.
    pub host: Option<String>,
    /// 0 lets the kernel choose.
    pub port: u16,
    /// What clients are told; `None` for a listener that `advertised.listeners` leaves out.
    pub advertised: Option<Advertised>,
    /// How it is secured, as its protocol asks.
    pub security: ListenerSecurity,
}

/// The address that clients are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advertised {
    /// `None` means the machine's canonical host name.
    pub host: Option<String>,
    /// `None` means the port that is really bound.
    pub port: Option<u16>,
    /// Each client is told the address that it came to: nothing names one.
    pub is_by_connection: bool,
}

impl Listener {
    /// The one host that it listens on; `None` where it listens on all interfaces.
    pub fn named_host(&self) -> Option<&str> {
        self.host.as_deref().filter(|host| is_one(host))
    }
}

/// Whether a host is not the address of all interfaces.
fn is_one(host: &str) -> bool {
    !host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

/// The texts of the settings that speak about listeners.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    pub listeners: &'a str,
    pub advertised: Option<&'a str>,
    pub protocol_map: &'a str,
    pub controller_names: &'a str,
    pub inter_broker_name: Option<&'a str>,
    pub inter_broker_protocol: Option<&'a str>,
}

/// What stands in `listeners` or `advertised.listeners`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    pub name: String,
    pub host: Option<String>,
    pub port: u16,
}

/// The broker's listeners, and the names of controller listeners that are not opened.
pub fn resolve(settings: &Settings<'_>) -> Result<(Vec<Listener>, Vec<String>), Invalid> {
    let endpoints = endpoints("listeners", settings.listeners)?;
    distinct_names("listeners", &endpoints)?;
    distinct_ports(&endpoints)?;
    let protocols = protocol_map(settings.protocol_map)?;
    let controllers: Vec<String> = items(settings.controller_names).map(|n| n.to_uppercase()).collect();
    let (skipped, opened): (Vec<_>, Vec<_>) = endpoints.into_iter().partition(|e| controllers.contains(&e.name));
    if opened.is_empty() {
        return Err(Invalid::new("listeners", settings.listeners, "it names no listener for clients"));
    }
    let advertised = advertised(settings, &controllers, &opened)?;
    let mut listeners = Vec::new();
    for Endpoint { name, host, port } in opened {
        let security_protocol = protocol_of(&name, &protocols)?;
        let bound_port = |port: u16| (port != 0).then_some(port);
        let advertised = match &advertised {
            Some(all) => all.iter().find(|e| e.name == name).map(|e| {
                let (host, port) = (e.host.clone(), bound_port(e.port));
                Advertised { host, port, is_by_connection: false }
            }),
            None => Some(of_bound(host.as_deref(), bound_port(port))),
        };
        let security = ListenerSecurity::default();
        listeners.push(Listener { name, security_protocol, host, port, advertised, security });
    }
    routable(&listeners)?;
    inter_broker(settings, &listeners)?;
    Ok((listeners, skipped.into_iter().map(|e| e.name).collect()))
}

/// What clients of a listener are told where `advertised.listeners` is not set: the host that it names. One that names none
/// tells each client the address that it came to, unless [`keep_names`] finds that its clients need a name.
///
/// Deviation: Kafka tells them the machine's name, and refuses to start where the host is 0.0.0.0.
fn of_bound(host: Option<&str>, port: Option<u16>) -> Advertised {
    let named = host.filter(|host| is_one(host));
    Advertised { host: named.map(str::to_string), port, is_by_connection: named.is_none() }
}

/// The machine's name is told where a client needs one: certificates (TLS) and the keys of services (Kerberos) are made for
/// names. For listeners whose security is known.
pub(super) fn keep_names(listeners: &mut [Listener]) {
    for Listener { security_protocol, advertised, security, .. } in listeners {
        let needs_name = security_protocol.has_tls() || security.sasl.as_ref().is_some_and(SaslSettings::has_kerberos);
        if let Some(advertised) = advertised {
            advertised.is_by_connection &= !needs_name;
        }
    }
}

fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn endpoints(key: &'static str, text: &str) -> Result<Vec<Endpoint>, Invalid> {
    let read = |item: &str| {
        endpoint(item)
            .ok_or_else(|| Invalid::new(key, item, "a listener is written NAME://host:port, the host may be empty"))
    };
    items(text).map(read).collect()
}

fn endpoint(item: &str) -> Option<Endpoint> {
    let (name, address) = item.split_once("://")?;
    let (host, port) = host_and_port(address).filter(|_| !name.is_empty())?;
    let host = (!host.is_empty()).then(|| host.to_string());
    Some(Endpoint { name: name.to_uppercase(), host, port })
}

/// The host, which may be empty or an IPv6 address in brackets, and the port of an address.
pub fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').map_or(Some(host), |h| h.strip_suffix(']'))?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-%._:".contains(c);
    host.chars().all(allowed).then_some(())?;
    Some((host, port.parse().ok()?))
}

fn distinct_names(key: &'static str, endpoints: &[Endpoint]) -> Result<(), Invalid> {
    for (at, e) in endpoints.iter().enumerate() {
        if endpoints[..at].iter().any(|earlier| earlier.name == e.name) {
            return Err(Invalid::new(key, &e.name, "each listener must have a name of its own"));
        }
    }
    Ok(())
}

/// A port may be shared only by one IPv4 and one IPv6 address (KIP-797).
fn distinct_ports(endpoints: &[Endpoint]) -> Result<(), Invalid> {
    let is_v4 = |e: &Endpoint| e.host.as_ref().is_some_and(|h| h.parse::<Ipv4Addr>().is_ok());
    let is_v6 = |e: &Endpoint| e.host.as_ref().is_some_and(|h| h.parse::<Ipv6Addr>().is_ok());
    for (at, e) in endpoints.iter().enumerate().filter(|(_, e)| e.port != 0) {
        let mut sharing = endpoints[..at].iter().filter(|earlier| earlier.port == e.port);
        let families = |a: &Endpoint| (is_v4(a) && is_v6(e)) || (is_v6(a) && is_v4(e));
        if sharing.next().is_some_and(|a| !families(a)) || sharing.next().is_some() {
            let reason = "each listener must have a port of its own, but for one IPv4 and one IPv6 address";
            return Err(Invalid::new("listeners", e.port.to_string(), reason));
        }
    }
    Ok(())
}

fn protocol_map(text: &str) -> Result<Vec<(String, SecurityProtocol)>, Invalid> {
    let read = |item: &str| {
        let (name, protocol) = item.split_once(':')?;
        Some((name.trim().to_uppercase(), SecurityProtocol::parse(protocol.trim())?))
    };
    let reason = "entries are written NAME:PROTOCOL with one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";
    items(text)
        .map(|item| read(item).ok_or_else(|| Invalid::new("listener.security.protocol.map", item, reason)))
        .collect()
}

fn protocol_of(name: &str, protocols: &[(String, SecurityProtocol)]) -> Result<SecurityProtocol, Invalid> {
    let found = protocols.iter().find(|(n, _)| n == name).map(|(_, protocol)| *protocol);
    found.ok_or_else(|| {
        let reason = "listener.security.protocol.map names no security protocol for this listener";
        Invalid::new("listeners", name, reason)
    })
}

/// The endpoints of `advertised.listeners` less the controllers', or `None` where it is not set.
fn advertised(
    settings: &Settings<'_>,
    controllers: &[String],
    opened: &[Endpoint],
) -> Result<Option<Vec<Endpoint>>, Invalid> {
    const KEY: &str = "advertised.listeners";
    let Some(text) = settings.advertised.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let mut told = endpoints(KEY, text)?;
    distinct_names(KEY, &told)?;
    told.retain(|e| !controllers.contains(&e.name));
    if let Some(stranger) = told.iter().find(|e| !opened.iter().any(|o| o.name == e.name)) {
        return Err(Invalid::new(KEY, &stranger.name, "it is not the name of one of the listeners"));
    }
    if told.is_empty() {
        return Err(Invalid::new(KEY, text, "it names no listener for clients"));
    }
    Ok(Some(told))
}

fn routable(listeners: &[Listener]) -> Result<(), Invalid> {
    let hosts = listeners.iter().filter_map(|l| l.advertised.as_ref()?.host.as_deref());
    match hosts.into_iter().find(|host| *host == "0.0.0.0") {
        Some(host) => {
            let reason = "clients cannot connect to the address of all interfaces; name a host that they can reach";
            Err(Invalid::new("advertised.listeners", host, reason))
        }
        None => Ok(()),
    }
}

fn inter_broker(settings: &Settings<'_>, listeners: &[Listener]) -> Result<(), Invalid> {
    let (key, name) = match (settings.inter_broker_name, settings.inter_broker_protocol) {
        (Some(_), Some(protocol)) => {
            let reason = "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.";
            return Err(Invalid::new("security.inter.broker.protocol", protocol, reason));
        }
        (Some(name), None) => ("inter.broker.listener.name", name),
        // The listener that has the protocol's own name.
        (None, Some(protocol)) => ("security.inter.broker.protocol", protocol),
        (None, None) => return Ok(()),
    };
    let known = listeners.iter().any(|l| l.name == name.to_uppercase() && l.advertised.is_some());
    let reason = "it is not the name of an advertised listener";
    if known { Ok(()) } else { Err(Invalid::new(key, name, reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT";

    fn settings<'a>(listeners: &'a str, advertised: Option<&'a str>) -> Settings<'a> {
        Settings {
            listeners,
            advertised,
            protocol_map: MAP,
            controller_names: "CONTROLLER",
            inter_broker_name: None,
            inter_broker_protocol: None,
        }
    }

    fn advertised_of(listeners: &str, advertised: Option<&str>) -> Vec<Option<(Option<String>, Option<u16>)>> {
        let (all, _) = resolve(&settings(listeners, advertised)).unwrap();
        all.into_iter().map(|l| l.advertised.map(|a| (a.host, a.port))).collect()
    }

    #[test]
    fn stock_combined_mode_opens_the_client_listener_only() {
        let told = "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093";
        let (listeners, skipped) = resolve(&settings("PLAINTEXT://:9092,CONTROLLER://:9093", Some(told))).unwrap();
        assert_eq!(skipped, ["CONTROLLER"]);
        assert_eq!(listeners.len(), 1);
        assert_eq!((listeners[0].host.as_deref(), listeners[0].port), (None, 9092));
        let advertised = listeners[0].advertised.clone().unwrap();
        assert_eq!((advertised.host.as_deref(), advertised.port), (Some("localhost"), Some(9092)));
    }

    #[test]
    fn advertised_falls_back_to_the_listener_itself() {
        let own = |host: Option<&str>, port| Some((host.map(str::to_string), port));
        assert_eq!(advertised_of("PLAINTEXT://:9092", None), [own(None, Some(9092))]);
        assert_eq!(advertised_of("PLAINTEXT://127.0.0.1:0", None), [own(Some("127.0.0.1"), None)]);
        assert_eq!(
            advertised_of("PLAINTEXT://:0,inside://[::1]:19092", Some("INSIDE://db-1:1")),
            [None, own(Some("db-1"), Some(1))]
        );
    }

    #[test]
    fn clients_are_told_the_address_they_came_to_where_nothing_names_one() {
        let is_by_connection = |listeners: &str, advertised: Option<&str>| {
            let (mut all, _) = resolve(&settings(listeners, advertised)).unwrap();
            keep_names(&mut all);
            all.into_iter().map(|l| l.advertised.unwrap().is_by_connection).collect::<Vec<_>>()
        };
        let all = "PLAINTEXT://:1,INSIDE://0.0.0.0:2";
        assert_eq!(is_by_connection(all, None), [true, true]);
        assert_eq!(is_by_connection(all, Some("PLAINTEXT://h:1,INSIDE://:2")), [false, false]);
        assert_eq!(is_by_connection("PLAINTEXT://[::]:1,INSIDE://127.0.0.1:2,SSL://:3", None), [true, false, false]);
        assert_eq!(advertised_of("INSIDE://0.0.0.0:2,SSL://[::]:0", None), [Some((None, Some(2))), Some((None, None))]);
    }

    #[test]
    fn nonsense_is_refused_with_the_key_and_the_reason() {
        let table = [
            ("PLAINTEXT://:9092,PLAINTEXT://:9093", None, "listeners"),
            ("PLAINTEXT://:9092,INSIDE://:9092", None, "listeners"),
            ("PLAINTEXT//:9092", None, "listeners"),
            ("PLAINTEXT://:70000", None, "listeners"),
            ("PLAINTEXT://a b:9092", None, "listeners"),
            ("STRANGE://:9092", None, "listeners"),
            ("CONTROLLER://:9093", None, "listeners"),
            ("", None, "listeners"),
            ("PLAINTEXT://0.0.0.0:9092", Some("PLAINTEXT://0.0.0.0:9092"), "advertised.listeners"),
            ("PLAINTEXT://:9092", Some("OTHER://h:1"), "advertised.listeners"),
            ("PLAINTEXT://:9092", Some("CONTROLLER://h:1"), "advertised.listeners"),
        ];
        for (listeners, advertised, key) in table {
            let refused = resolve(&settings(listeners, advertised)).unwrap_err();
            assert_eq!(refused.key, key, "{listeners}: {refused}");
        }
        assert!(resolve(&settings("PLAINTEXT://127.0.0.1:9092,INSIDE://[::1]:9092", None)).is_ok());
        let wrong = Settings { inter_broker_name: Some("NOWHERE"), ..settings("PLAINTEXT://:1", None) };
        assert_eq!(resolve(&wrong).unwrap_err().key, "inter.broker.listener.name");
    }
}
