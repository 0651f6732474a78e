//! Logins: what a listener offers its clients, how far one has come with it, and what all shards count of them.
//!
//! Plain data. `handlers::authentication` makes the steps, the server keeps the times and the bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::{
    Config, Listener, MechanismKind, MechanismSettings, SaslSettings, SignedTokens, TokenValidation, UnsecuredTokens,
};
use crate::hosting::kerberos::ServiceKeys;
use crate::hosting::token_keys::TokenKeys;
use crate::model::{ApiKey, Instant, Mechanism};
use crate::security::crypto::Hash;
use crate::security::principal::Principal;
use crate::security::sasl::jwt::SignedValidator;
use crate::security::sasl::oauth::TokenValidator;
use crate::security::sasl::signing_keys::SigningKeys;
use crate::security::sasl::unsecured::UnsecuredValidator;
use crate::security::sasl::{Exchange, Step, Verifier};
use crate::stdx::mutex::Mutex;

/// The largest frame of a client that has not logged in, where `sasl.server.max.receive.size` is not set. Deviation: Kafka
/// takes half a megabyte of each client that it does not know. A token of PLAIN or SCRAM has some hundred bytes.
pub const UNAUTHENTICATED_FRAME_BYTES: usize = 16 * 1024;
/// The same where OAUTHBEARER or GSSAPI is offered, whose tokens are larger.
pub const UNAUTHENTICATED_TOKEN_BYTES: usize = 64 * 1024;
/// What clients may hold whose handshake or login goes on, on all shards together.
pub const UNAUTHENTICATED_BYTES: usize = 16 * 1024 * 1024;
const _: () = assert!(UNAUTHENTICATED_FRAME_BYTES * 100 < UNAUTHENTICATED_BYTES, "many clients can log in at once");

/// A listener's mechanisms.
#[derive(Debug)]
pub struct Offer {
    mechanisms: Vec<Offered>,
    /// The largest frame of a login.
    pub most_frame_bytes: usize,
}

/// One mechanism of a listener.
#[derive(Debug)]
pub struct Offered {
    pub verifier: Verifier,
    /// How long a session may last; `None`: there is no limit.
    pub max_reauth: Option<Duration>,
}

impl Offer {
    /// `is_size_set`: the user has set `sasl.server.max.receive.size`.
    fn new(settings: &SaslSettings, is_size_set: bool, (keys, service_keys): (&TokenKeys, &ServiceKeys)) -> Offer {
        let offered = |mechanism: &MechanismSettings| {
            let verifier = match &mechanism.kind {
                MechanismKind::Plain(users) => Verifier::Plain(Arc::new(users.clone())),
                MechanismKind::ScramSha256 => Verifier::Scram(Hash::Sha256),
                MechanismKind::ScramSha512 => Verifier::Scram(Hash::Sha512),
                MechanismKind::OAuthBearer(TokenValidation::Unsecured(tokens)) => {
                    Verifier::OAuthBearer(TokenValidator::Unsecured(Arc::new(validator(tokens))))
                }
                MechanismKind::OAuthBearer(TokenValidation::Signed(tokens)) => {
                    Verifier::OAuthBearer(TokenValidator::Signed(Arc::new(signed_validator(tokens, keys.of(tokens)))))
                }
                MechanismKind::Gssapi(kerberos) => Verifier::Gssapi(service_keys.of(kerberos)?),
            };
            let max_reauth = u64::try_from(mechanism.max_reauth_ms).ok().filter(|ms| *ms > 0);
            Some(Offered { verifier, max_reauth: max_reauth.map(Duration::from_millis) })
        };
        let size = match usize::try_from(settings.max_receive_size) {
            Ok(size) if is_size_set => size,
            // -1 is no limit in Kafka.
            _ if settings.mechanisms.iter().any(|one| one.kind.has_large_tokens()) => UNAUTHENTICATED_TOKEN_BYTES,
            _ => UNAUTHENTICATED_FRAME_BYTES,
        };
        Offer { mechanisms: settings.mechanisms.iter().filter_map(offered).collect(), most_frame_bytes: size }
    }

    /// Names are compared as they are.
    pub fn find(&self, name: &str) -> Option<&Offered> {
        self.mechanisms.iter().find(|offered| offered.verifier.mechanism().name() == name)
    }

    /// They stand in the order of the configuration.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.mechanisms.iter().map(|offered| offered.verifier.mechanism().name())
    }
}

fn validator(tokens: &UnsecuredTokens) -> UnsecuredValidator {
    UnsecuredValidator {
        principal_claim: tokens.principal_claim.clone(),
        scope_claim: tokens.scope_claim.clone(),
        required_scopes: tokens.required_scopes.clone(),
        clock_skew_ms: tokens.clock_skew_ms,
    }
}

fn signed_validator(tokens: &SignedTokens, keys: Arc<SigningKeys>) -> SignedValidator {
    SignedValidator {
        audiences: tokens.audiences.clone(),
        issuer: tokens.issuer.clone(),
        clock_skew_seconds: tokens.clock_skew_seconds,
        scope_claim: tokens.scope_claim.clone(),
        subject_claim: tokens.subject_claim.clone(),
        keys,
    }
}

/// What all shards share about logins.
#[derive(Debug)]
pub struct Logins {
    /// One for each listener; `None` asks for no login.
    offers: Vec<Option<Offer>>,
    /// `connection.failed.authentication.delay.ms`: how long a refused client waits for its answer.
    pub delay: Duration,
    /// `klamm.authentication.timeout.ms`: how long a client may take for its handshake and its login; `None`: for ever.
    pub timeout: Option<Duration>,
    /// What is held for clients that have not logged in.
    held_bytes: AtomicUsize,
}

impl Logins {
    /// `keys` are those that tokens are signed with, and those that the broker has in Kerberos: without the latter GSSAPI is not
    /// offered.
    pub fn new(config: &Config, keys: (&TokenKeys, &ServiceKeys)) -> Logins {
        let is_size_set = |listener: &str| {
            let own = format!("listener.name.{}.sasl.server.max.receive.size", listener.to_lowercase());
            config.statics.contains_key(&own) || config.statics.contains_key("sasl.server.max.receive.size")
        };
        let offer = |listener: &Listener| {
            let sasl = listener.security.sasl.as_ref()?;
            Some(Offer::new(sasl, is_size_set(&listener.name), keys))
        };
        let timeout_ms = u64::from(config.authentication_timeout_ms);
        Logins {
            offers: config.listeners.iter().map(offer).collect(),
            delay: Duration::from_millis(u64::from(config.failed_authentication_delay_ms)),
            timeout: (timeout_ms > 0).then(|| Duration::from_millis(timeout_ms)),
            held_bytes: AtomicUsize::new(0),
        }
    }

    /// What a listener asks of its clients; `None`: no login.
    pub fn offer(&self, listener: usize) -> Option<&Offer> {
        self.offers.get(listener)?.as_ref()
    }

    /// A client that has not logged in held `before` bytes and holds `after` now; `false` if all hold too much.
    pub fn change(&self, before: usize, after: usize) -> bool {
        if after < before {
            let held = self.held_bytes.fetch_sub(before - after, Ordering::Relaxed);
            assert!(held >= before - after, "what is given back was counted before");
            return true;
        }
        let held = self.held_bytes.fetch_add(after - before, Ordering::Relaxed) + (after - before);
        after == before || held <= UNAUTHENTICATED_BYTES
    }

    #[cfg(test)]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }
}

/// How far a client has come with its login, the first one or another one on the same connection.
#[derive(Debug)]
pub struct Login {
    pub stage: Stage,
    /// Who logs in again.
    pub again: Option<Again>,
    /// Another thread has the exchange with the last token; meanwhile no frame is handled.
    pub awaits: Option<Box<Awaited>>,
}

/// A step of an exchange that another thread makes.
#[derive(Debug)]
pub struct Awaited {
    /// Version and correlation id of the request to be answered; `None`: the client's token was none.
    pub request: Option<(i16, i32)>,
    pub asked: Option<CountedRequest>,
    pub ended: ReturnedExchange,
}

/// Where a thread leaves an exchange with what has become of it.
pub type ReturnedExchange = Arc<Mutex<Option<(Exchange, Step)>>>;

/// A request of a login, as it is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedRequest {
    pub api: ApiKey,
    pub version: i16,
    pub since: Instant,
    pub frame_bytes: usize,
}

impl Default for Login {
    fn default() -> Login {
        Login { stage: Stage::Begin, again: None, awaits: None }
    }
}

/// Where a login stands (`SaslServerAuthenticator.SaslState`).
#[derive(Debug)]
pub enum Stage {
    /// ApiVersions or SaslHandshake comes next.
    Begin,
    /// ApiVersions was answered; SaslHandshake comes next.
    Handshake,
    /// Tokens come: as SaslAuthenticate requests, or, after a handshake of version 0, as they are.
    Tokens { exchange: Exchange, mechanism: Mechanism, with_headers: bool },
    /// A login again by another mechanism, which fails at the next frame.
    OtherMechanism(Mechanism),
}

/// Who logs in again, and how it did so before: neither may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Again {
    pub mechanism: Mechanism,
    pub principal: Principal,
}

/// A login that has succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedIn {
    pub mechanism: Mechanism,
    /// Then the client must have logged in again; `None`: never.
    pub expires: Option<Instant>,
    /// When it last began to do so.
    pub began_again: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn logins(more: &[(&str, &str)]) -> Logins {
        let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required user_a=\"b\";";
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        let own = [
            ("listeners", "IN://127.0.0.1:0,OUT://127.0.0.1:0"),
            ("listener.security.protocol.map", "IN:PLAINTEXT,OUT:SASL_PLAINTEXT"),
            ("inter.broker.listener.name", "IN"),
            ("sasl.enabled.mechanisms", "SCRAM-SHA-512,PLAIN"),
            ("listener.name.out.plain.sasl.jaas.config", jaas),
            ("listener.name.out.scram-sha-512.sasl.jaas.config", scram),
        ];
        let overrides = own.iter().chain(more).map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Logins::new(
            &Config::load(&Layers { overrides, ..Layers::default() }).unwrap().0,
            (&TokenKeys::default(), &ServiceKeys::default()),
        )
    }

    #[test]
    fn a_listener_offers_what_it_is_configured_for() {
        let logins = logins(&[("listener.name.out.plain.connections.max.reauth.ms", "5000")]);
        assert!(logins.offer(0).is_none() && logins.offer(2).is_none());
        let offer = logins.offer(1).unwrap();
        assert_eq!(offer.names().collect::<Vec<_>>(), ["SCRAM-SHA-512", "PLAIN"]);
        assert_eq!(offer.find("PLAIN").unwrap().max_reauth, Some(Duration::from_secs(5)));
        assert_eq!(offer.find("SCRAM-SHA-512").unwrap().max_reauth, None);
        assert!(offer.find("plain").is_none() && offer.find("SCRAM-SHA-256").is_none());
        assert_eq!((logins.delay, logins.timeout), (Duration::from_millis(100), Some(Duration::from_secs(60))));
        assert_eq!(offer.most_frame_bytes, UNAUTHENTICATED_FRAME_BYTES);
    }

    #[test]
    fn the_largest_frame_is_what_the_user_sets() {
        let size = |key, value| logins(&[(key, value)]).offer(1).unwrap().most_frame_bytes;
        assert_eq!(size("sasl.server.max.receive.size", "524288"), 524_288);
        assert_eq!(size("listener.name.out.sasl.server.max.receive.size", "100"), 100);
        assert_eq!(size("sasl.server.max.receive.size", "-1"), UNAUTHENTICATED_FRAME_BYTES);
        assert!(logins(&[("klamm.authentication.timeout.ms", "0")]).timeout.is_none());
    }

    #[test]
    fn unknown_clients_hold_no_more_than_the_limit() {
        let logins = logins(&[]);
        assert!(logins.change(0, UNAUTHENTICATED_BYTES));
        assert!(!logins.change(0, 1) && logins.change(1, 1) && logins.change(1, 0));
        assert!(logins.change(UNAUTHENTICATED_BYTES, 7));
        assert_eq!(logins.held_bytes(), 7);
    }
}
