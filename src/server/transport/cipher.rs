//! The ciphers that a connection may have: TLS, and the null one of the simulation.

use std::io::{self, IoSlice};

#[cfg(any(test, feature = "sim"))]
use super::null;
use crate::security::tls;

pub(in crate::server) enum Cipher {
    Tls(Box<tls::Connection>),
    #[cfg(any(test, feature = "sim"))]
    Null(null::Cipher),
}

impl Cipher {
    /// Takes what ciphertext holds and appends its plaintext, at most so many bytes; answers how many. What is not taken stays.
    pub(super) fn receive(
        &mut self,
        ciphertext: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        most: usize,
    ) -> Result<usize, String> {
        let (mut fed, mut taken) = (0, 0);
        let result = loop {
            taken += self.take(plain, most - taken);
            match self.feed(&ciphertext[fed..]) {
                Ok(0) => break Ok(taken),
                Ok(length) => fed += length,
                Err(reason) => break Err(reason),
            }
        };
        ciphertext.drain(..fed);
        // What came before a bad record is handled first.
        if taken > 0 { Ok(taken) } else { result }
    }

    fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        match self {
            Cipher::Tls(tls) => tls.take(into, most),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.take(into, most),
        }
    }

    /// Takes whole records from the front; answers their bytes. None while plaintext waits or something is to be computed.
    fn feed(&mut self, bytes: &[u8]) -> Result<usize, String> {
        match self {
            Cipher::Tls(tls) => tls.feed(bytes),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.feed(bytes),
        }
    }

    pub(super) fn put(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        match self {
            Cipher::Tls(tls) => tls.put(pieces),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => {
                pieces.iter().for_each(|piece| null.put(piece));
                Ok(())
            }
        }
    }

    pub(super) fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        match self {
            Cipher::Tls(tls) => tls.take_ciphertext(into),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.take_ciphertext(into),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match self {
            Cipher::Tls(tls) => tls.is_open(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.is_open(),
        }
    }

    pub(super) fn must_compute(&self) -> bool {
        match self {
            Cipher::Tls(tls) => tls.must_compute(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.must_compute(),
        }
    }

    pub(super) fn compute(&mut self) {
        match self {
            Cipher::Tls(tls) => tls.compute(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.compute(),
        }
    }

    pub(super) fn plain_bytes(&self) -> usize {
        match self {
            Cipher::Tls(tls) => tls.plain_bytes(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(null) => null.plain_bytes(),
        }
    }

    /// The client has said that nothing more comes.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Cipher::Tls(tls) => tls.has_ended(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(_) => false,
        }
    }

    pub(super) fn close(&mut self) {
        match self {
            Cipher::Tls(tls) => tls.close(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(_) => {}
        }
    }

    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Cipher::Tls(tls) => tls.peer_certificate(),
            #[cfg(any(test, feature = "sim"))]
            Cipher::Null(_) => None,
        }
    }
}
