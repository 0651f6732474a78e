//! Requests and answers on a connection of a client's own, for the commands that speak to a broker. Blocks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Bytes of the size in front of each frame.
const SIZE_BYTES: usize = 4;
/// What is received at once, so that an announced size alone takes no memory.
const STEP_BYTES: u64 = 64 * 1024;

/// A connection to a broker.
#[derive(Debug)]
pub struct FrameStream {
    stream: TcpStream,
}

/// The addresses that a name has, on this machine. Asks the resolver.
pub fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    found.dedup();
    match found.is_empty() {
        true => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        false => Ok(found),
    }
}

/// Connects to the first address of the host that lets it, within this time for each of them.
pub(super) fn connect(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut last = None;
    for ip in addresses(host)? {
        match TcpStream::connect_timeout(&SocketAddr::new(ip, port), patience) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("a name has an address, or is an error"))
}

impl FrameStream {
    /// Connects to the first address of the host that lets it. `patience` is for each of them, and for each answer.
    pub fn open(host: &str, port: u16, patience: Duration) -> io::Result<FrameStream> {
        let stream = connect(host, port, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(FrameStream { stream })
    }

    /// Sends frames that need no answer.
    pub fn send(&mut self, frames: &[u8]) -> io::Result<()> {
        self.stream.write_all(frames)
    }

    /// The next frame that comes, without its size, which may be `most_bytes`.
    pub fn receive(&mut self, most_bytes: usize) -> io::Result<Vec<u8>> {
        let mut size = [0; SIZE_BYTES];
        self.stream.read_exact(&mut size).map_err(told)?;
        let size = i32::from_be_bytes(size);
        let length = usize::try_from(size).ok().filter(|length| *length <= most_bytes).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("what answers there speaks no Kafka: a frame of size {size}"),
            )
        })?;
        let mut frame = Vec::new();
        while frame.len() < length {
            let step = STEP_BYTES.min((length - frame.len()) as u64);
            if (&self.stream).take(step).read_to_end(&mut frame).map_err(told)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(frame)
    }
}

/// A time limit in words, which the system calls "would block".
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "there was no answer in time")
        }
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the connection was closed"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// What a client makes of these bytes.
    fn received(bytes: &'static [u8]) -> io::Result<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || listener.accept().unwrap().0.write_all(bytes).unwrap());
        let mut exchange = FrameStream::open("127.0.0.1", port, Duration::from_secs(10)).unwrap();
        server.join().unwrap();
        exchange.receive(1 << 20)
    }

    #[test]
    fn frames_come_whole_or_not_at_all() {
        assert_eq!(received(b"\0\0\0\x03abc").unwrap(), b"abc");
        assert_eq!(received(b"\0\0\0\0").unwrap(), b"");
        for (bytes, kind) in [
            (&b"\0\0\0\x03ab"[..], io::ErrorKind::UnexpectedEof),
            (b"", io::ErrorKind::UnexpectedEof),
            (b"HTTP/1.1 400", io::ErrorKind::InvalidData),
            (b"\xff\xff\xff\xff", io::ErrorKind::InvalidData),
        ] {
            assert_eq!(received(bytes).unwrap_err().kind(), kind, "{bytes:?}");
        }
    }
}
