//! A door in front of a broker: a port that forwards to it and counts who came. A test that never opens the door never spoke
//! to the broker. Clients come here for their first request only: Metadata names the broker's own address.

use crate::Result;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub struct Door {
    port: u16,
    connections: Arc<AtomicUsize>,
    is_closed: Arc<AtomicBool>,
}

impl Door {
    pub fn open(broker: u16) -> Result<Door> {
        Door::open_slowly(broker, Duration::ZERO)
    }

    /// A door behind which each client waits for so long before the broker hears of it.
    pub fn open_slowly(broker: u16, wait: Duration) -> Result<Door> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (connections, is_closed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, closed) = (Arc::clone(&connections), Arc::clone(&is_closed));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                thread::sleep(wait);
                // A broker that refuses is the client's matter: it sees its connection closed.
                if let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, broker)) {
                    forward(client, server);
                }
            }
        });
        Ok(Door { port, connections, is_closed })
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn forward(client: TcpStream, server: TcpStream) {
    let pairs = [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))];
    for (from, to) in pairs {
        if let (Ok(from), Ok(to)) = (from, to) {
            thread::spawn(move || copy(from, to));
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forwards_and_counts() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let door = Door::open(echo.local_addr().expect("bound").port()).expect("open");
        let server = thread::spawn(move || {
            let (mut stream, _) = echo.accept().expect("a client");
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).expect("five bytes");
            stream.write_all(&bytes).expect("written");
        });
        assert_eq!(door.connections(), 0);
        let mut client = TcpStream::connect(door.address()).expect("the door");
        client.write_all(b"hello").expect("written");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).expect("an answer");
        assert_eq!((answer.as_slice(), door.connections()), (&b"hello"[..], 1));
        server.join().expect("no panic");
    }
}
