//! A cipher between a socket and the frames of its connection: ciphertext that has come and is not understood yet,
//! plaintext that is understood and not taken yet, ciphertext that has not left yet.
//!
//! Readiness is told once per change, so the three keep to one rule: `WouldBlock` from [`Layer::receive`] means that the
//! socket has said so, or that a step of the handshake is computed elsewhere ([`Layer::is_computing`]).

use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;

use super::cipher::Cipher;
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
            let taken = cipher.receive(&mut self.kept, buffer, most);
            cipher.take_ciphertext(&mut self.out);
            let (must_compute, has_ended) = (cipher.must_compute(), cipher.has_ended());
            self.flush(driver, key)?;
            match taken {
                Ok(0) if must_compute => return Err(ErrorKind::WouldBlock.into()),
                Ok(0) if has_ended => return Ok(0),
                Ok(0) => {}
                Ok(taken) => return Ok(taken),
                Err(reason) => return Err(io::Error::new(ErrorKind::InvalidData, reason)),
            }
            // An error leaves what is kept as it is.
            if driver.receive(key, &mut self.kept, RECEIVE_BYTES)? == 0 {
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
        let mut pieces = Vec::with_capacity(slices.len());
        for slice in slices {
            let piece = &slice[..slice.len().min(STEP_BYTES - taken)];
            pieces.push(IoSlice::new(piece));
            taken += piece.len();
        }
        cipher.put(&pieces)?;
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

    pub(super) fn must_compute(&self) -> bool {
        matches!(&self.place, Place::Here(cipher) if cipher.must_compute())
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

    /// The certificate that the client has shown, once the handshake is over.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        match &self.place {
            Place::Here(cipher) if cipher.is_open() => cipher.peer_certificate(),
            _ => None,
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
