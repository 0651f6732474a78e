//! What `klamm doctor` knows before it judges: the configuration with its notices, and what this machine says about it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::broker;
use crate::config::{Config, HttpListener, IoChoice, Layers, Listener, Notice};
use crate::hosting::doors;
use crate::io::look::{self, DirectoryLook};
use crate::io::machine::{self, Preference};
use crate::io::real_disk::RealDisk;
use crate::io::{clock, exchange, threads};
use crate::security::tls;
use crate::storage::directory::LOCK_FILE;

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) config: Config,
    pub(super) notices: Vec<Notice>,
    pub(super) listeners: Vec<ListenerFacts>,
    /// What `klamm.http.listeners` names, with whether each could be listened on.
    pub(super) http_listeners: Vec<(HttpListener, Result<(), ListenFailure>)>,
    pub(super) directories: Vec<(String, Result<DirectoryLook, String>)>,
    /// `None` is no limit.
    pub(super) most_descriptors: Option<u64>,
    /// Which driver will run, and why; or why none can.
    pub(super) driver: Result<machine::Choice, String>,
    /// Seconds since 1970.
    pub(super) now: i64,
}

#[derive(Debug)]
pub(super) struct ListenerFacts {
    pub(super) listener: Listener,
    /// The host that clients are told; `None`: each is told the address that it came to, or none at all.
    pub(super) told_host: Option<String>,
    pub(super) told_port: u16,
    /// The addresses of that host, as this machine resolves it.
    pub(super) told_addresses: Result<Vec<IpAddr>, String>,
    /// All of those are this machine's.
    pub(super) is_own: bool,
    /// Whether its address could be listened on.
    pub(super) listens: Result<(), ListenFailure>,
    /// `None` without TLS.
    pub(super) certificate: Option<Result<tls::Facts, String>>,
}

/// Why an address cannot be listened on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ListenFailure {
    Taken,
    Forbidden,
    /// This machine does not have the address.
    NotOurs,
    Other(String),
}

/// An error is the sentence with which the start would stop.
pub(super) fn gather(layers: &Layers) -> Result<Facts, String> {
    let (config, notices) = Config::load(layers).map_err(|invalid| invalid.to_string())?;
    let directory = |path: &String| {
        let look = look::directory(Path::new(path), LOCK_FILE).map_err(|error| error.to_string());
        (path.clone(), look)
    };
    let preference = match config.io {
        IoChoice::Auto => Preference::Auto,
        IoChoice::Uring => Preference::Uring,
        IoChoice::Epoll => Preference::Epoll,
    };
    let http_listener = |listener: &HttpListener| {
        let address = broker::host_address(&listener.host, listener.port);
        (listener.clone(), listens(address))
    };
    Ok(Facts {
        listeners: config.listeners.iter().map(listener).collect(),
        http_listeners: config.http.iter().flat_map(|http| &http.listeners).map(http_listener).collect(),
        directories: config.log_dirs.iter().map(directory).collect(),
        most_descriptors: look::most_descriptors(),
        driver: machine::choose(preference),
        now: clock::wall().0 / 1000,
        config,
        notices,
    })
}

fn listener(listener: &Listener) -> ListenerFacts {
    let advertised = listener.advertised.as_ref();
    let is_told = advertised.is_some_and(|told| !told.is_by_connection);
    let named = || listener.named_host().map(str::to_string);
    let told_host = is_told
        .then(|| advertised.and_then(|told| told.host.clone()).or_else(named).unwrap_or_else(threads::host_name));
    let resolved = |host: &String| exchange::addresses(host).map_err(|error| error.to_string());
    let is_own = told_host.as_deref().is_some_and(threads::is_own_host);
    let tls = listener.security.tls.as_ref();
    ListenerFacts {
        told_addresses: told_host.as_ref().map_or(Ok(Vec::new()), resolved),
        told_port: advertised.and_then(|told| told.port).unwrap_or(listener.port),
        told_host,
        is_own,
        listens: listens(broker::listening_address(listener)),
        certificate: tls.map(|settings| doors::shown(settings, &RealDisk::default())),
        listener: listener.clone(),
    }
}

fn listens(address: Result<SocketAddr, String>) -> Result<(), ListenFailure> {
    let address = address.map_err(ListenFailure::Other)?;
    look::listens(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenFailure::Taken,
        io::ErrorKind::PermissionDenied => ListenFailure::Forbidden,
        io::ErrorKind::AddrNotAvailable => ListenFailure::NotOurs,
        _ => ListenFailure::Other(error.to_string()),
    })
}

/// Where it is listened, for sentences; `None`: at every address.
pub(super) fn place(host: Option<&str>, port: u16) -> String {
    let unspecified = [IpAddr::from(Ipv4Addr::UNSPECIFIED), Ipv6Addr::UNSPECIFIED.into()];
    match host.map(|host| (host, host.parse::<IpAddr>())) {
        None => format!("every address, port {port}"),
        Some((_, Ok(ip))) if unspecified.contains(&ip) => format!("every address, port {port}"),
        Some((_, Ok(ip))) => SocketAddr::new(ip, port).to_string(),
        Some((host, Err(_))) => format!("{host}:{port}"),
    }
}

/// Whether only this machine can reach it.
pub(super) fn is_loopback(listener: &Listener) -> bool {
    listener.host.as_deref().is_some_and(crate::config::is_loopback)
}
