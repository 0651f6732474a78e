//! What a connection knows of its client: whom it stands for, what it speaks, where it came in.
//!
//! Beside [`Context`](super::context::Context), because both are what a handler may use of the server without naming it:
//! the server makes a session for each connection, a request that comes without a socket brings its own, handlers read
//! it through their `Request`.
//!
//! A session belongs to the shard of its connection. The few requests that change it (ApiVersions, and all that are judged by rules) do so through a
//! shared reference, as the same request is read meanwhile; a login changes it between two requests.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::model::Instant;
use crate::security::acl::Subject;
use crate::security::allowed::Allowed;
use crate::security::principal::Principal;
use crate::shard::login::{LoggedIn, Login};
use crate::shard::quotas::OwnMeters;

/// Bytes of a client's name, and of its version, that are kept; Kafka keeps all of them.
const MOST_SOFTWARE_BYTES: usize = 128;

/// How far a client has come in saying who it is.
#[derive(Debug)]
pub enum Authentication {
    /// Every request is handled. A listener without SASL begins here.
    Open,
    /// A login goes on. A listener with SASL begins here, and a session that logs in again comes here again. Only ApiVersions
    /// (18), SaslHandshake (17) and SaslAuthenticate (36) are handled (`SaslServerAuthenticator.handleKafkaRequest`).
    Pending(Box<Login>),
    /// It was refused; the connection ends.
    Failed,
}

impl Authentication {
    pub fn is_open(&self) -> bool {
        matches!(self, Authentication::Open)
    }

    /// Whether a step of the login is computed: until its end no frame is handled.
    pub fn is_computing(&self) -> bool {
        matches!(self, Authentication::Pending(login) if login.awaits.is_some())
    }
}

/// What a client says of itself in ApiVersions (KIP-511).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Software {
    pub name: String,
    pub version: String,
}

/// How a client reaches this broker, from which follows what it is told of the broker's address. Clones share the host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// Index of the listener that it came in by.
    pub listener: usize,
    /// The address that it came to, where its listener tells each client that; else `None`, and the listener's own endpoint
    /// is told.
    pub host: Option<Arc<str>>,
}

/// What one connection, or one request without a connection, brings to its handlers.
#[derive(Debug)]
pub struct Session {
    pub route: Route,
    pub peer: SocketAddr,
    pub principal: Principal,
    pub authentication: Authentication,
    /// What its client has used of its quotas.
    pub(crate) meters: OwnMeters,
    /// What it was seen to be allowed to do.
    pub(crate) allowed: RefCell<Allowed>,
    /// How the client has proved who it is; `None`: it has not.
    pub logged_in: Option<LoggedIn>,
    /// It has done so by a delegation token, which is not enough for everything.
    pub by_delegation_token: bool,
    is_own: bool,
    software: RefCell<Option<Software>>,
}

impl Session {
    /// The session of a client that has not said anything yet, on a listener that asks it nothing.
    pub fn anonymous(listener: usize, peer: SocketAddr) -> Session {
        Session {
            route: Route { listener, host: None },
            peer,
            principal: Principal::ANONYMOUS,
            authentication: Authentication::Open,
            meters: OwnMeters::default(),
            allowed: RefCell::default(),
            logged_in: None,
            by_delegation_token: false,
            is_own: false,
            software: RefCell::default(),
        }
    }

    /// The session of what the broker asks itself for. Only `server/inlet.rs` makes one; a test lists the code that asks so.
    pub fn of_the_broker() -> Session {
        Session { is_own: true, ..Session::anonymous(0, (Ipv4Addr::LOCALHOST, 0).into()) }
    }

    /// The broker's own requests are allowed, and may be of APIs that the release does not have that it is to be taken for.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The client as rules know it. Its host shows itself as Java writes it.
    pub fn subject(&self) -> Subject<'_> {
        Subject { principal: &self.principal, host: self.peer.into() }
    }

    /// The session of a client that must log in first.
    pub fn unauthenticated(listener: usize, peer: SocketAddr) -> Session {
        Session { authentication: Authentication::Pending(Box::default()), ..Session::anonymous(listener, peer) }
    }

    /// Whether the client must have logged in again by now.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.logged_in.as_ref().and_then(|logged_in| logged_in.expires).is_some_and(|expires| expires < now)
    }

    /// What the client has said last of its software.
    pub fn software(&self) -> Option<Software> {
        self.software.borrow().clone()
    }

    /// Keeps what a client says of its software, which ApiVersions has found valid: letters, digits, dashes and dots.
    pub fn set_software(&self, name: &str, version: &str) {
        assert!(name.is_ascii() && version.is_ascii(), "ApiVersions has looked at the words");
        let kept = |word: &str| word[..word.len().min(MOST_SOFTWARE_BYTES)].to_string();
        *self.software.borrow_mut() = Some(Software { name: kept(name), version: kept(version) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_valid_software_is_kept_and_no_more_of_it_than_the_limit() {
        let session = Session::anonymous(0, ([127, 0, 0, 1], 1).into());
        assert_eq!((session.software(), session.principal.to_string().as_str()), (None, "User:ANONYMOUS"));
        session.set_software("librdkafka", "2.11.0");
        session.set_software(&"x".repeat(4000), "1");
        let software = session.software().unwrap();
        assert_eq!((software.name.len(), software.version.as_str()), (MOST_SOFTWARE_BYTES, "1"));
    }
}
