//! A plain client for the commands that ask a running broker: one connection, one request at a time, over the crate's own
//! messages. PLAINTEXT, and SASL_PLAINTEXT with PLAIN.
//!
//! Deviation from Kafka's tools: it asks the broker that it came to, whatever address that one advertises. So health checks
//! within a container work where the advertised address is for clients outside of it.
//!
//! An answer borrows from the client until the next request.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::codec::{Message, Reader};
use crate::config::{jaas, listeners, properties};
use crate::io::exchange::FrameStream;
use crate::model::{ApiKey, ErrorCode};
use crate::stdx::secret::Secret;
use crate::wire::api::{self, api_versions, sasl_authenticate, sasl_handshake};
use crate::wire::frame;
use crate::wire::header::ResponseHeader;

/// How long a connection and each answer may take (`default.api.timeout.ms`).
const PATIENCE: Duration = Duration::from_secs(60);
/// An answer that is larger is none.
const MOST_ANSWER_BYTES: usize = 100 << 20;
const CLIENT_ID: &str = "klamm-cli";

/// Who logs in.
#[derive(Clone, Debug)]
pub(super) struct Login {
    name: String,
    password: Secret,
}

/// A connection that is logged in where it must be.
#[derive(Debug)]
pub(super) struct Client {
    /// Where it was reached, as it was named.
    address: String,
    exchange: FrameStream,
    correlation_id: i32,
    versions: BTreeMap<i16, (i16, i16)>,
    /// The last answer.
    answer: Vec<u8>,
}

/// What the settings of a client ask for; `None`: no login. The error is a sentence.
pub(super) fn login(path: &Path) -> Result<Option<Login>, String> {
    let settings: BTreeMap<String, String> =
        properties::parse(&super::text_of(path, "configuration of the client")?).into_iter().collect();
    let text = |key: &str| settings.get(key).map(|value| value.trim());
    match text("security.protocol").unwrap_or("PLAINTEXT").to_uppercase().as_str() {
        "PLAINTEXT" => return Ok(None),
        "SASL_PLAINTEXT" => {}
        other => {
            return Err(format!(
                "security.protocol={other}: there are PLAINTEXT and SASL_PLAINTEXT; Kafka's own tools have the others"
            ));
        }
    }
    match text("sasl.mechanism").unwrap_or("GSSAPI") {
        "PLAIN" => {}
        other => return Err(format!("sasl.mechanism={other}: there is PLAIN; Kafka's own tools have the others")),
    }
    let module = text("sasl.jaas.config").ok_or("sasl.jaas.config is missing")?;
    let module = jaas::of_setting(module).map_err(|reason| format!("sasl.jaas.config: {reason}"))?;
    let option = |key: &str| module.options.get(key).ok_or_else(|| format!("sasl.jaas.config has no {key}"));
    let name = String::from_utf8_lossy(option("username")?.expose()).into_owned();
    Ok(Some(Login { name, password: option("password")?.clone() }))
}

/// The host and the port of an address.
pub(super) fn host_and_port(address: &str) -> Result<(&str, u16), String> {
    let found = listeners::host_and_port(address.trim()).filter(|(host, _)| !host.is_empty());
    found.ok_or_else(|| format!("an address is written host:port, not {address:?}"))
}

impl Client {
    /// Connects to the first of these addresses, `host:port` with commas, that lets it.
    pub(super) fn connect(addresses: &str, login: Option<&Login>) -> Result<Client, String> {
        let mut last = "no address of a broker is given".to_string();
        for address in addresses.split(',').filter(|address| !address.trim().is_empty()) {
            let (host, port) = host_and_port(address)?;
            match FrameStream::open(host, port, PATIENCE) {
                Ok(exchange) => return Client::over((address.trim(), exchange), login),
                Err(error) => last = format!("cannot connect to {}: {error}", address.trim()),
            }
        }
        Err(last)
    }

    /// A client on a connection that is open.
    pub(super) fn over((address, exchange): (&str, FrameStream), login: Option<&Login>) -> Result<Client, String> {
        let (versions, answer) = (BTreeMap::new(), Vec::new());
        let mut client = Client { address: address.to_string(), exchange, correlation_id: 0, versions, answer };
        // Every Kafka answers this version, and every client of ours needs no more of it.
        client.versions.insert(ApiKey::ApiVersions.id(), (0, 0));
        let told: api_versions::Response<'_> = client.ask(ApiKey::ApiVersions, &api_versions::Request::default())?;
        check(told.error_code, None)?;
        let offered = told.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version)));
        client.versions = offered.collect();
        login.map_or(Ok(()), |login| client.log_in(login))?;
        Ok(client)
    }

    /// Where it was reached, as it was named.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The APIs that the broker offers, with their versions.
    pub(super) fn versions(&self) -> &BTreeMap<i16, (i16, i16)> {
        &self.versions
    }

    fn log_in(&mut self, login: &Login) -> Result<(), String> {
        let request = sasl_handshake::Request { mechanism: "PLAIN".into() };
        let told: sasl_handshake::Response<'_> = self.ask(ApiKey::SaslHandshake, &request)?;
        if told.error_code != 0 {
            return Err(format!("the broker does not let clients in by PLAIN, but by {}", told.mechanisms.join(", ")));
        }
        let token = [b"\0", login.name.as_bytes(), b"\0", login.password.expose()].concat();
        let request = sasl_authenticate::Request { auth_bytes: token.into() };
        let told: sasl_authenticate::Response<'_> = self.ask(ApiKey::SaslAuthenticate, &request)?;
        check(told.error_code, told.error_message.as_deref())
    }

    /// The newest version up to `most` that both sides know.
    fn version(&self, key: ApiKey, most: i16) -> Result<i16, String> {
        let own = api::describe(key).ok_or_else(|| format!("{key} is not known"))?;
        let (least, newest) =
            self.versions.get(&key.id()).copied().ok_or_else(|| format!("the broker does not offer {key}"))?;
        let version = newest.min(own.max_stable_version()).min(most);
        match version >= least.max(own.min_version) {
            true => Ok(version),
            false => Err(format!("the broker offers {key} in versions {least} to {newest} only")),
        }
    }

    /// Asks and waits.
    pub(super) fn ask<'q, 'r, R: Message<'r>>(
        &'r mut self,
        key: ApiKey,
        request: &impl Message<'q>,
    ) -> Result<R, String> {
        self.ask_up_to((key, i16::MAX), request)
    }

    /// The same with the newest version up to `most`, for requests that a later one asks another way.
    pub(super) fn ask_up_to<'q, 'r, R: Message<'r>>(
        &'r mut self,
        (key, most): (ApiKey, i16),
        request: &impl Message<'q>,
    ) -> Result<R, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{key}: {error}");
        let (version, header_version) = self.post((key, most), request)?;
        self.answer = self.exchange.receive(MOST_ANSWER_BYTES).map_err(|error| failed(&error))?;
        let mut reader = Reader::new(&self.answer);
        let header = ResponseHeader::decode(&mut reader, header_version).map_err(|error| failed(&error))?;
        if header.correlation_id != self.correlation_id {
            return Err(failed(&"the answer is another request's"));
        }
        R::decode(&mut reader, version).map_err(|error| failed(&error))
    }

    /// Sends a request; answers its version, and that of the header of its answer. Not every request has an answer.
    pub(super) fn post<'q>(
        &mut self,
        (key, most): (ApiKey, i16),
        request: &impl Message<'q>,
    ) -> Result<(i16, i16), String> {
        let version = self.version(key, most)?;
        let description = api::describe(key).ok_or_else(|| format!("{key} is not known"))?;
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let mut bytes = Vec::new();
        frame::append_request(&mut bytes, description, (self.correlation_id, CLIENT_ID), request, version)
            .map_err(|error| format!("{key}: {error}"))?;
        self.exchange.send(&bytes).map_err(|error| format!("{key}: {error}"))?;
        Ok((version, description.response_header_version(version)))
    }
}

/// An error of the protocol as a sentence: the broker's own, or else the name of the code.
pub(super) fn check(code: i16, message: Option<&str>) -> Result<(), String> {
    let name = || ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |error| error.name().to_string());
    match message.filter(|message| !message.is_empty()) {
        _ if code == 0 => Ok(()),
        Some(message) => Err(message.to_string()),
        None => Err(name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(host_and_port("a:1"), Ok(("a", 1)));
        assert_eq!(host_and_port(" [::1]:9092"), Ok(("::1", 9092)));
        for wrong in ["", "a", ":1", "a:", "a:b", "a:70000"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_of_a_client_are_read_without_showing_its_password() {
        let home = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            let path = home.path().join("client.properties");
            std::fs::write(&path, text).unwrap();
            login(&path)
        };
        assert!(of("").unwrap().is_none());
        let module =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"a\" password=\"xyzzy\";";
        let plain = format!("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={module}\n");
        let login = of(&plain).unwrap().unwrap();
        assert_eq!((login.name.as_str(), login.password.expose()), ("a", &b"xyzzy"[..]));
        assert!(!format!("{login:?}").contains("xyzzy"));
        for wrong in ["security.protocol=SSL", "security.protocol=SASL_PLAINTEXT", &plain.replace("username", "user")] {
            assert!(of(wrong).is_err_and(|sentence| !sentence.contains("xyzzy")), "{wrong}");
        }
    }
}
