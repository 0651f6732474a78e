//! A client's end of a simulated connection: the socket, or a cipher over it where the broker's shards have one.

use std::io::{self, ErrorKind};

use crate::io::simulated;
use crate::server::null;

/// What a cipher of a client does; the null one, and in tests TLS.
pub(super) trait Cipher {
    fn is_open(&self) -> bool;
    /// Takes whole records from the front; answers their bytes.
    fn feed(&mut self, bytes: &[u8]) -> usize;
    fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize;
    fn put(&mut self, plain: &[u8]);
    fn take_ciphertext(&mut self, into: &mut Vec<u8>);
}

impl Cipher for null::Cipher {
    fn is_open(&self) -> bool {
        self.is_open()
    }

    fn feed(&mut self, bytes: &[u8]) -> usize {
        self.feed(bytes).expect("the broker speaks the cipher")
    }

    fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        self.take(into, most)
    }

    fn put(&mut self, plain: &[u8]) {
        self.put(plain);
    }

    fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        self.take_ciphertext(into);
    }
}

pub(super) struct Link {
    socket: simulated::Client,
    cipher: Option<Box<dyn Cipher>>,
    kept: Vec<u8>,
    out: Vec<u8>,
}

impl Link {
    pub(super) fn new(socket: simulated::Client, is_layered: bool) -> Link {
        let cipher = is_layered.then(|| Box::new(null::Cipher::client()) as Box<dyn Cipher>);
        Link { socket, cipher, kept: Vec::new(), out: Vec::new() }
    }

    #[cfg(test)]
    pub(super) fn with(socket: simulated::Client, cipher: Box<dyn Cipher>) -> Link {
        Link { socket, cipher: Some(cipher), kept: Vec::new(), out: Vec::new() }
    }

    /// Sends what fits; `WouldBlock` if nothing does.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let Some(cipher) = &mut self.cipher else { return self.socket.send(bytes) };
        if !cipher.is_open() {
            return Err(ErrorKind::WouldBlock.into());
        }
        cipher.put(bytes);
        // All of it is taken; what the socket has no room for leaves first the next time.
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    /// Receives what has arrived; 0 is the end, `WouldBlock` nothing yet.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Err(error) = self.flush()
            && error.kind() != ErrorKind::WouldBlock
        {
            // The broker has closed it; what it sent before can still be read.
            self.out.clear();
        }
        let Some(cipher) = &mut self.cipher else { return self.socket.receive(buffer) };
        loop {
            let mut plain = Vec::new();
            let length = cipher.take(&mut plain, buffer.len());
            if length > 0 {
                buffer[..length].copy_from_slice(&plain);
                return Ok(length);
            }
            let fed = cipher.feed(&self.kept);
            self.kept.drain(..fed);
            cipher.take_ciphertext(&mut self.out);
            if fed == 0 {
                let mut received = [0; 4096];
                match self.socket.receive(&mut received)? {
                    0 => return Ok(0),
                    length => self.kept.extend_from_slice(&received[..length]),
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(cipher) = &mut self.cipher {
            cipher.take_ciphertext(&mut self.out);
        }
        while !self.out.is_empty() {
            let length = self.socket.send(&self.out)?;
            self.out.drain(..length);
        }
        Ok(())
    }
}
