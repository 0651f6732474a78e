//! A cipher between a socket and the frames of its connection: ciphertext that has come and is not understood yet,
//! plaintext that is understood and not taken yet, ciphertext that has not left yet.
//!
//! Readiness is told once per change, so the three keep to one rule: `WouldBlock` from [`Layer::receive`] means that the
//! socket has said so and nothing waits here to be taken, or that a step of the handshake is computed elsewhere
//! ([`Layer::is_computing`]).

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use super::cipher::Cipher;
use crate::io::disk::File;
use crate::io::driver::{Computing, ConnectionKey, Driver};
use crate::security::tls;
use crate::stdx::mutex::Mutex;
use crate::stdx::spare;

/// Plaintext that is encrypted in one step: what of it does not leave at once is kept, and no more.
pub(super) const STEP_BYTES: usize = 64 * 1024;
/// What a connection may have sent that is not understood yet.
const RECEIVE_BYTES: usize = 32 * 1024;
/// What a client may send before its handshake is over. Java takes 32 KiB for each message of it; a hello has some hundred
/// bytes, a chain of three certificates of RSA some five thousand.
pub(crate) const HANDSHAKE_BYTES: usize = 16 * 1024;
/// Pieces that are encrypted in one step.
const MOST_PIECES: usize = 64;
/// What a client must be asked for to send one record, and may have sent before it has logged in.
pub(crate) const RECORD_BYTES: usize = tls::RECORD_BYTES;
const _: () = assert!(RECORD_BYTES <= RECEIVE_BYTES, "a record becomes whole");

/// Where the cipher is.
enum Place {
    Here(Cipher),
    /// A thread computes with it, and leaves it here.
    Away(Arc<Mutex<Option<Cipher>>>),
}

pub(in crate::server) struct Layer {
    place: Place,
    /// Ciphertext that has come and is not a whole record yet, or comes behind what is computed.
    kept: Vec<u8>,
    /// Ciphertext to be sent, and how much of it has left.
    out: Vec<u8>,
    sent: usize,
    /// What has come before the end of the handshake.
    handshake_bytes: usize,
}

impl Layer {
    pub(super) fn new(cipher: Cipher) -> Layer {
        Layer { place: Place::Here(cipher), kept: Vec::new(), out: Vec::new(), sent: 0, handshake_bytes: 0 }
    }

    pub(super) fn receive(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> io::Result<usize> {
        if let Place::Away(_) = self.place {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut ciphertext = spare::take(&spare::CIPHERTEXT);
        ciphertext.extend_from_slice(&std::mem::take(&mut self.kept));
        let result = self.receive_by_way_of(&mut ciphertext, driver, key, buffer, most);
        // Its own size: a connection that brings a record byte by byte holds no more than these bytes.
        self.kept = ciphertext.to_vec();
        spare::give_back(&spare::CIPHERTEXT, ciphertext);
        result
    }

    fn receive_by_way_of(
        &mut self,
        ciphertext: &mut Vec<u8>,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> io::Result<usize> {
        loop {
            let Place::Here(cipher) = &mut self.place else { return Err(ErrorKind::WouldBlock.into()) };
            let taken = cipher.receive(ciphertext, buffer, most);
            cipher.take_ciphertext(&mut self.out);
            let (is_open, must_compute, has_ended) = (cipher.is_open(), cipher.must_compute(), cipher.has_ended());
            self.flush(driver, key)?;
            match taken {
                Ok(0) if must_compute => return Err(ErrorKind::WouldBlock.into()),
                Ok(0) if has_ended => return Ok(0),
                Ok(0) => {}
                Ok(taken) => return Ok(taken),
                Err(reason) => return Err(io::Error::new(ErrorKind::InvalidData, reason)),
            }
            let room = match is_open {
                true => RECEIVE_BYTES.min(most.max(RECORD_BYTES)).saturating_sub(ciphertext.len()),
                false => HANDSHAKE_BYTES - self.handshake_bytes,
            };
            if room == 0 {
                return Err(io::Error::new(ErrorKind::InvalidData, "the handshake has no end"));
            }
            let length = driver.receive(key, ciphertext, room)?;
            if length == 0 {
                return Ok(0);
            }
            if !is_open {
                self.handshake_bytes += length;
            }
        }
    }

    pub(super) fn send(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if !self.flush(driver, key)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Place::Here(cipher) = &mut self.place else { return Err(ErrorKind::WouldBlock.into()) };
        let (mut taken, count) = (0, slices.len().min(MOST_PIECES));
        let mut pieces = [IoSlice::new(&[]); MOST_PIECES];
        for (piece, slice) in pieces.iter_mut().zip(slices) {
            *piece = IoSlice::new(&slice[..slice.len().min(STEP_BYTES - taken)]);
            taken += piece.len();
        }
        cipher.put(&pieces[..count])?;
        self.out = spare::take(&spare::CIPHERTEXT);
        cipher.take_ciphertext(&mut self.out);
        // What does not leave now leaves before anything else: the bytes are taken.
        self.flush(driver, key)?;
        Ok(taken)
    }

    pub(super) fn send_file(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        if !self.flush(driver, key)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut bytes = spare::take(&spare::CIPHERTEXT);
        bytes.resize(length.min(STEP_BYTES), 0);
        let sent = match file.read_at(&mut bytes, position) {
            Ok(0) => Ok(0),
            Ok(read) => self.send(driver, key, &[IoSlice::new(&bytes[..read])]),
            Err(error) => Err(error),
        };
        spare::give_back(&spare::CIPHERTEXT, bytes);
        sent
    }

    pub(super) fn flush(&mut self, driver: &mut dyn Driver, key: ConnectionKey) -> io::Result<bool> {
        while self.has_unsent() {
            match driver.send(key, &[IoSlice::new(&self.out[self.sent..])], false) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.fit();
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        // A connection at rest has no buffer.
        spare::give_back(&spare::CIPHERTEXT, std::mem::take(&mut self.out));
        self.sent = 0;
        Ok(true)
    }

    /// A client that does not read holds what it has not read, and not the buffer of a large step.
    fn fit(&mut self) {
        let unsent = self.out.len() - self.sent;
        if self.out.capacity() > 2 * unsent {
            let rest = self.out[self.sent..].to_vec();
            spare::give_back(&spare::CIPHERTEXT, std::mem::replace(&mut self.out, rest));
            self.sent = 0;
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.out.len()
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(&self.place, Place::Here(cipher) if cipher.is_open())
    }

    pub(super) fn is_computing(&self) -> bool {
        match &self.place {
            Place::Here(cipher) => cipher.must_compute(),
            Place::Away(_) => true,
        }
    }

    pub(super) fn must_compute(&self) -> bool {
        matches!(&self.place, Place::Here(cipher) if cipher.must_compute())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let received = match &self.place {
            Place::Here(cipher) if cipher.is_open() => self.kept.len() + cipher.plain_bytes(),
            // What is kept is of it, and what the cipher has taken of it is not told.
            _ => self.handshake_bytes,
        };
        received + self.out.capacity()
    }

    /// What is to be computed, if it has not begun.
    pub(super) fn begin_computing(&mut self) -> Option<Computing> {
        let Place::Here(cipher) = &self.place else { return None };
        if !cipher.must_compute() {
            return None;
        }
        let place = Arc::new(Mutex::new(None));
        let Place::Here(mut cipher) = std::mem::replace(&mut self.place, Place::Away(place.clone())) else {
            return None;
        };
        Some(Box::new(move || {
            cipher.compute();
            *place.lock() = Some(cipher);
        }))
    }

    /// Says that nothing more comes, if the socket has room for it.
    pub(super) fn close(&mut self, driver: &mut dyn Driver, key: ConnectionKey) {
        if let Place::Here(cipher) = &mut self.place {
            cipher.close();
            cipher.take_ciphertext(&mut self.out);
            let _ = self.flush(driver, key);
        }
    }

    /// The certificate that the client has shown.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Here(cipher) => cipher.peer_certificate(),
            Place::Away(_) => None,
        }
    }

    /// It is computed.
    pub(super) fn end_computing(&mut self) {
        let Place::Away(place) = &self.place else { return };
        let cipher = place.lock().take();
        let mut cipher = cipher.expect("what was computed is left here before its end is told");
        cipher.take_ciphertext(&mut self.out);
        self.place = Place::Here(cipher);
    }
}
