//! A listener between a client and its broker, who takes down what the client says.

use compat_tests::{Context, Result};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// It is there for one connection.
pub struct Tap {
    port: u16,
    heard: JoinHandle<std::io::Result<Vec<u8>>>,
}

impl Tap {
    pub fn on(broker: u16) -> Result<Tap> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let heard = thread::spawn(move || {
            let (mut client, _) = listener.accept()?;
            let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, broker))?;
            let (mut answers, mut back) = (server.try_clone()?, client.try_clone()?);
            thread::spawn(move || std::io::copy(&mut answers, &mut back));
            let (mut heard, mut bytes) = (Vec::new(), vec![0; 16 << 10]);
            while let Ok(count @ 1..) = client.read(&mut bytes) {
                heard.extend_from_slice(&bytes[..count]);
                server.write_all(&bytes[..count])?;
            }
            server.shutdown(Shutdown::Both)?;
            Ok(heard)
        });
        Ok(Tap { port, heard })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The frames that the client has sent, when it has gone.
    pub fn frames(self) -> Result<Vec<Vec<u8>>> {
        let heard = self.heard.join().ok().context("it has panicked")??;
        let (mut frames, mut rest) = (Vec::new(), heard.as_slice());
        while let Some((size, behind)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = behind.split_at(behind.len().min(u32::from_be_bytes(*size) as usize));
            frames.push(frame.to_vec());
            rest = behind;
        }
        Ok(frames)
    }
}
