//! The HTTP side's settings: where it listens, which names it goes by, what a client must show.

use super::listeners::host_and_port;
use super::{Invalid, Settings, Value};
use crate::stdx::secret::Secret;

const LISTENERS: &str = "klamm.http.listeners";
const TOKEN: &str = "klamm.http.token";
const HOSTS: &str = "klamm.http.hosts";
const REQUESTS: &str = "klamm.http.requests";
const REQUESTS_BYTES: &str = "klamm.http.requests.bytes";
const SCHEME: &str = "http://";
/// A token that can be guessed protects nothing.
const LEAST_TOKEN_BYTES: usize = 16;

/// The HTTP side of a broker that has one.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// There is at least one.
    pub listeners: Vec<HttpListener>,
    /// Names that requests may be addressed to beside those of the loopback and the listeners' own.
    pub hosts: Vec<String>,
    /// What every request but a look at the health must carry.
    pub token: Option<Secret>,
    /// How many requests each shard keeps for `/v1/requests`; 0 is none.
    pub requests: usize,
    /// How many bytes of their bodies each shard keeps.
    pub requests_bytes: usize,
}

/// An address to listen on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpListener {
    pub host: String,
    pub port: u16,
}

impl HttpListener {
    /// Whether only this machine reaches it.
    fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host, as it stands in a URL without its brackets, can only be this machine.
pub fn is_loopback(host: &str) -> bool {
    let is_loopback = |address: std::net::IpAddr| address.to_canonical().is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

/// `None` where no listener is set.
pub(super) fn resolve(settings: &Settings<'_>) -> Result<Option<HttpSettings>, Invalid> {
    let listeners = settings.list(LISTENERS);
    if listeners.is_empty() {
        return Ok(None);
    }
    let listeners = listeners.iter().map(|item| listener(item)).collect::<Result<Vec<_>, _>>()?;
    let token = match settings.value(TOKEN) {
        Some(Value::Secret(token)) => Some(token),
        _ => None,
    };
    if let Some(token) = &token
        && (token.expose().len() < LEAST_TOKEN_BYTES || !token.expose().iter().all(u8::is_ascii_graphic))
    {
        let reason = format!("a token has at least {LEAST_TOKEN_BYTES} characters, all of them printable ASCII");
        return Err(Invalid::new(TOKEN, "[hidden]", reason));
    }
    if let Some(open) = listeners.iter().find(|listener| !listener.is_loopback() && token.is_none()) {
        let reason = format!("other machines reach this address, so that {TOKEN} must be set");
        return Err(Invalid::new(LISTENERS, format!("{SCHEME}{}:{}", open.host, open.port), reason));
    }
    Ok(Some(HttpSettings {
        listeners,
        hosts: settings.list(HOSTS).into_iter().map(|host| host.to_ascii_lowercase()).collect(),
        token,
        requests: settings.size(REQUESTS) as usize,
        requests_bytes: settings.size(REQUESTS_BYTES) as usize,
    }))
}

fn listener(item: &str) -> Result<HttpListener, Invalid> {
    let address = item.trim().strip_prefix(SCHEME).map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let found = address.and_then(host_and_port).filter(|(host, _)| !host.is_empty());
    let found = found.map(|(host, port)| HttpListener { host: host.to_string(), port });
    found.ok_or_else(|| Invalid::new(LISTENERS, item, "an HTTP listener is written http://host:port"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn resolved(settings: &[(&str, &str)]) -> Result<Option<HttpSettings>, String> {
        let texts: BTreeMap<_, _> = settings.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
        resolve(&Settings::of_static(&texts)).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn without_a_listener_there_is_no_http_side() {
        assert!(resolved(&[(TOKEN, "x")]).unwrap().is_none());
    }

    #[test]
    fn other_machines_need_a_token_that_does_not_show() {
        let local = resolved(&[(LISTENERS, "http://127.0.0.1:0,http://[::1]:8080/")]).unwrap().unwrap();
        let hosts: Vec<_> = local.listeners.iter().map(|l| (l.host.as_str(), l.port)).collect();
        assert_eq!(hosts, [("127.0.0.1", 0), ("::1", 8080)]);
        let open = resolved(&[(LISTENERS, "http://0.0.0.0:8080")]).unwrap_err();
        assert_eq!(
            open,
            "Invalid value http://0.0.0.0:8080 for configuration klamm.http.listeners: other machines reach this \
             address, so that klamm.http.token must be set"
        );
        let short = resolved(&[(LISTENERS, "http://0.0.0.0:1"), (TOKEN, "hunter2")]).unwrap_err();
        assert!(!short.contains("hunter2") && short.contains("at least 16"), "{short}");
        let with = resolved(&[(LISTENERS, "http://h:1"), (TOKEN, "0123456789abcdef"), (HOSTS, "A.example")]);
        let with = with.unwrap().unwrap();
        assert!(!format!("{with:?}").contains("0123456789") && with.hosts == ["a.example"]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in ["127.0.0.1:80", "https://127.0.0.1:80", "http://:80", "http://127.0.0.1", "http://a:1/x"] {
            assert!(resolved(&[(LISTENERS, wrong), (TOKEN, "0123456789abcdef")]).is_err(), "{wrong}");
        }
    }
}
