//! A cipher between a socket and the frames of its connection: ciphertext that has come and is not understood yet,
//! plaintext that is understood and not taken yet, ciphertext that has not left yet.
//!
//! Readiness is told once per change, so the three keep to one rule: `WouldBlock` from [`Layer::receive`] means that the
//! socket has said so, or that a step of the handshake is computed elsewhere ([`Layer::is_computing`]).

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use super::null::Cipher;
use crate::io::disk::File;
use crate::io::driver::{Computing, ConnectionKey, Driver};
use crate::stdx::mutex::Mutex;

/// Plaintext that is encrypted in one step: what of it does not leave at once is kept, and no more.
pub(super) const STEP_BYTES: usize = 64 * 1024;
/// What the socket is asked for at once.
const RECEIVE_BYTES: usize = 32 * 1024;

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
}

impl Layer {
    pub(super) fn new(cipher: Cipher) -> Layer {
        Layer { place: Place::Here(cipher), kept: Vec::new(), out: Vec::new(), sent: 0 }
    }

    pub(super) fn receive(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> io::Result<usize> {
        loop {
            let Place::Here(cipher) = &mut self.place else { return Err(ErrorKind::WouldBlock.into()) };
            let taken = cipher.take(buffer, most);
            if taken > 0 {
                return Ok(taken);
            }
            let fed = cipher.feed(&self.kept).map_err(|reason| io::Error::new(ErrorKind::InvalidData, reason))?;
            self.kept.drain(..fed);
            cipher.take_ciphertext(&mut self.out);
            let must_compute = cipher.must_compute();
            self.flush(driver, key)?;
            if must_compute {
                return Err(ErrorKind::WouldBlock.into());
            }
            if fed == 0 && driver.receive(key, &mut self.kept, RECEIVE_BYTES)? == 0 {
                return Ok(0);
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
        let mut taken = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(STEP_BYTES - taken)];
            cipher.put(part);
            taken += part.len();
        }
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
        let mut bytes = vec![0; length.min(STEP_BYTES)];
        let read = file.read_at(&mut bytes, position)?;
        if read == 0 { Ok(0) } else { self.send(driver, key, &[IoSlice::new(&bytes[..read])]) }
    }

    pub(super) fn flush(&mut self, driver: &mut dyn Driver, key: ConnectionKey) -> io::Result<bool> {
        while self.has_unsent() {
            match driver.send(key, &[IoSlice::new(&self.out[self.sent..])], false) {
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        // A connection at rest has no buffer.
        (self.out, self.sent) = (Vec::new(), 0);
        Ok(true)
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.sent < self.out.len()
    }

    pub(super) fn has_received(&self) -> bool {
        matches!(&self.place, Place::Here(cipher) if cipher.plain_bytes() > 0)
    }

    pub(super) fn is_computing(&self) -> bool {
        match &self.place {
            Place::Here(cipher) => cipher.must_compute(),
            Place::Away(_) => true,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let plain = if let Place::Here(cipher) = &self.place { cipher.plain_bytes() } else { 0 };
        self.kept.len() + self.out.len() + plain
    }

    /// What is to be computed, if it has not begun.
    pub(super) fn begin_computing(&mut self) -> Option<Computing> {
        let Place::Here(cipher) = &self.place else { return None };
        if !cipher.must_compute() {
            return None;
        }
        let place = Arc::new(Mutex::new(None));
        let Place::Here(mut cipher) = std::mem::replace(&mut self.place, Place::Away(place.clone())) else { return None };
        Some(Box::new(move || {
            cipher.compute();
            *place.lock() = Some(cipher);
        }))
    }

    /// It is computed.
    pub(super) fn end_computing(&mut self) {
        let Place::Away(place) = &self.place else { return };
        let cipher = place.lock().take();
        self.place = Place::Here(cipher.expect("what was computed is left here before its end is told"));
    }
}
