//! TLS 1.2 and 1.3 of a listener, by `rustls` with `ring`: from keys and certificates to a [`Server`], from that to a
//! [`Connection`] for each client.
//!
//! Deviations from Java: keys of RSA below 2048 bits, SHA-1 signatures and certificates of X.509 version 1 are refused; there
//! are nine cipher suites, and the server's order holds. Renegotiation and data before the handshake's end (0-RTT) are not
//! offered.

mod client;
mod connection;
mod server;
mod suites;
mod verifier;

pub(crate) use client::config as client_config;
pub(crate) use connection::{Connection, RECORD_BYTES};
pub(crate) use server::{ClientAuth, Facts, Server, Settings};

#[cfg(test)]
pub(crate) mod tests;
