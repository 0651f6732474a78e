//! A client's end of a simulated connection: the socket, or the null cipher over it where the broker's shards have it.

use std::io::{self, ErrorKind};

use crate::io::simulated;
use crate::server::null::Cipher;

pub(super) struct Link {
    socket: simulated::Client,
    cipher: Option<Cipher>,
    kept: Vec<u8>,
    out: Vec<u8>,
}

impl Link {
    pub(super) fn new(socket: simulated::Client, is_layered: bool) -> Link {
        Link { socket, cipher: is_layered.then(Cipher::client), kept: Vec::new(), out: Vec::new() }
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
            let fed = cipher.feed(&self.kept).expect("the broker speaks the cipher");
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
