//! Sockets as both real drivers use them: made, accepted and used the same way, so that the drivers differ only in how
//! they wait.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::descriptors::{Connections, Place};
use crate::io::driver::{ConnectionKey, Ends, Listening};
use crate::io::file::{self, File};
use crate::stdx::slab::Slab;

#[cfg(target_os = "linux")]
const UNPACED: &[u8] = b"reno";

/// The connections of one driver.
pub(super) struct Streams {
    streams: Slab<Connected>,
    /// The count of the broker, to which those of its other drivers belong, too.
    connections: Arc<Connections>,
}

struct Connected {
    admitted: Admitted,
    reading: Reading,
}

/// A connection, and its place among those that there may be.
pub(super) struct Admitted {
    pub stream: TcpStream,
    _place: Place,
}

/// What a receive would find.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Perhaps,
    /// Nothing: the last one had room for more than was there, and no edge has come since (epoll(7), question 9). A call
    /// saved for each message that is alone.
    Nothing,
    /// What is left, then the end of the stream, of which no further edge will tell.
    End,
}

impl Streams {
    pub(super) fn new(connections: Arc<Connections>) -> Streams {
        Streams { streams: Slab::default(), connections }
    }

    /// Gives a new connection its place. `None` if there are as many as there may be; the stream is closed then.
    pub(super) fn admit(&self, stream: TcpStream) -> Option<Admitted> {
        self.connections.take().map(|place| Admitted { stream, _place: place })
    }

    pub(super) fn insert(&mut self, admitted: Admitted) -> ConnectionKey {
        ConnectionKey(self.streams.insert(Connected { admitted, reading: Reading::Perhaps }))
    }

    pub(super) fn get(&self, key: ConnectionKey) -> io::Result<&TcpStream> {
        let connected = self.streams.get(key.0).ok_or(io::ErrorKind::NotConnected)?;
        Ok(&connected.admitted.stream)
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<Admitted> {
        self.streams.remove(key.0).map(|connected| connected.admitted)
    }

    /// An edge has come: there may be something to receive.
    pub(super) fn note_readable(&mut self, key: ConnectionKey) {
        if let Some(connected) = self.streams.get_mut(key.0).filter(|connected| connected.reading == Reading::Nothing) {
            connected.reading = Reading::Perhaps;
        }
    }

    /// The edge that tells of the end of what the client sends.
    pub(super) fn note_ended(&mut self, key: ConnectionKey) {
        if let Some(connected) = self.streams.get_mut(key.0) {
            connected.reading = Reading::End;
        }
    }

    pub(super) fn receive(&mut self, key: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let connected = self.streams.get_mut(key.0).ok_or(io::ErrorKind::NotConnected)?;
        if connected.reading == Reading::Nothing {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = retry(|| append(&connected.admitted.stream, buffer, most))?;
        if length < most && connected.reading == Reading::Perhaps {
            connected.reading = Reading::Nothing;
        }
        Ok(length)
    }

    pub(super) fn send(&self, key: ConnectionKey, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let flags = if more { SendFlags::NOSIGNAL | more_flag() } else { SendFlags::NOSIGNAL };
        let stream = self.get(key)?;
        retry(|| Ok(rustix::net::sendmsg(stream, slices, &mut Default::default(), flags)?))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn send_file(
        &self,
        key: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        let Some(descriptor) = file.descriptor() else { return self.send_copied(key, file, position, length) };
        // SAFETY: `file` is borrowed for the whole call and keeps its descriptor open.
        #[allow(unsafe_code)]
        let source = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let stream = self.get(key)?;
        retry(|| {
            let mut offset = position;
            Ok(rustix::fs::sendfile(stream, source, Some(&mut offset), length)?)
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn send_file(
        &self,
        key: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        self.send_copied(key, file, position, length)
    }

    /// Where the kernel cannot send from a file itself: from where it lies in memory, or by way of a buffer.
    fn send_copied(&self, key: ConnectionKey, file: &dyn File, position: u64, length: usize) -> io::Result<usize> {
        const COPY_STEP_BYTES: usize = 64 * 1024;
        if let Some(sent) = file.lend(position, length, &mut |slices| self.send(key, slices, false)) {
            return sent;
        }
        let mut buffer = vec![0; length.min(COPY_STEP_BYTES)];
        let read = file.read_at(&mut buffer, position)?;
        self.send(key, &[IoSlice::new(&buffer[..read])], false)
    }
}

#[cfg(target_os = "linux")]
fn more_flag() -> SendFlags {
    SendFlags::MORE
}

#[cfg(not(target_os = "linux"))]
fn more_flag() -> SendFlags {
    SendFlags::empty()
}

/// Receives behind what a buffer holds, into memory that need not be filled before.
fn append(stream: &TcpStream, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    buffer.reserve(most);
    let room = &mut buffer.spare_capacity_mut()[..most];
    let ((received, _), _) = rustix::net::recv(stream, room, RecvFlags::empty())?;
    let length = received.len();
    assert!(length <= most, "{length} bytes were received into {most}");
    // SAFETY: the kernel has filled so many bytes of the room behind the buffer's end.
    #[allow(unsafe_code)]
    unsafe {
        buffer.set_len(buffer.len() + length);
    }
    Ok(length)
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A listener's place: its port is its own as long as it lives, also while it refuses connections.
pub(super) struct ListeningSocket {
    socket: TcpListener,
    address: SocketAddr,
    listening: Listening,
    refuses: bool,
}

impl ListeningSocket {
    /// Listens where other sockets of this process may share the port. Sharing a port works between any processes of one user,
    /// so an address that another process listens on already is refused first, as Kafka would.
    pub(super) fn listen(address: SocketAddr, listening: &Listening) -> io::Result<ListeningSocket> {
        if !listening.shared && address.port() != 0 {
            let probe = open(address)?;
            probe.set_reuse_address(true)?;
            probe.bind(&address.into())?;
        }
        let socket = bind(address, listening, true)?;
        let address = socket.local_addr()?;
        let mut bound = ListeningSocket { socket, address, listening: *listening, refuses: true };
        bound.take_connections()?;
        Ok(bound)
    }

    /// Its address, with the port that it got.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nothing listens: another socket holds the port, and the kernel resets what waited at the one before.
    pub(super) fn refuse(&mut self) -> io::Result<()> {
        // An address that may be used again is another's as soon as nothing listens there.
        (self.socket, self.refuses) = (bind(self.address, &self.listening, false)?, true);
        Ok(())
    }

    pub(super) fn take_connections(&mut self) -> io::Result<()> {
        let socket = socket2::SockRef::from(&self.socket);
        socket.set_reuse_address(true)?;
        socket.listen(self.listening.backlog)?;
        self.refuses = false;
        Ok(())
    }

    /// The socket, while it listens: of another one the kernel accepts nothing.
    pub(super) fn open(&self) -> Option<&TcpListener> {
        (!self.refuses).then_some(&self.socket)
    }
}

/// A socket that holds a port beside others of this process, and does not listen yet.
fn bind(address: SocketAddr, listening: &Listening, reuses: bool) -> io::Result<TcpListener> {
    let socket = open(address)?;
    socket.set_reuse_address(reuses)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Before it listens: the window that a connection may grow to is agreed on when it is made.
    if let Some(bytes) = listening.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = listening.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if address.ip().is_loopback() {
        send_unpaced(&socket);
    }
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What is accepted on such a socket sends as fast as its window allows, whatever the machine's congestion control. On
/// loopback there is no path to find out about, and `bbr` paces each connection to what it believes that path can take.
/// `reno` is in every Linux and open to every user; a kernel that refuses it leaves the machine's own.
#[cfg(target_os = "linux")]
fn send_unpaced(socket: &Socket) {
    let _ = socket.set_tcp_congestion(UNPACED);
}

#[cfg(not(target_os = "linux"))]
fn send_unpaced(_: &Socket) {}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

/// Makes an accepted socket ours: it never blocks, and small answers leave at once.
pub(super) fn adopt(stream: &TcpStream) -> io::Result<Ends> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    // As Kafka: a peer that vanished without a word is found out in the end.
    socket2::SockRef::from(stream).set_keepalive(true)?;
    Ok(Ends { peer: stream.peer_addr()?, local: stream.local_addr()? })
}

/// Whether accepting failed for a want of descriptors or memory, which passes, rather than for that one connection.
pub(super) fn is_exhaustion(error: &io::Error) -> bool {
    file::are_descriptors_exhausted(error) || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection that comes through such a socket.
    fn accepted(listening: &Listening) -> TcpStream {
        let listener = ListeningSocket::listen("127.0.0.1:0".parse().unwrap(), listening).unwrap();
        let _client = TcpStream::connect(listener.address()).unwrap();
        listener.open().expect("it listens").accept().unwrap().0
    }

    /// The sizes of its two buffers.
    fn buffers(listening: &Listening) -> (usize, usize) {
        let accepted = accepted(listening);
        let socket = socket2::SockRef::from(&accepted);
        (socket.send_buffer_size().unwrap(), socket.recv_buffer_size().unwrap())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_stays_on_the_machine_is_not_paced() {
        let accepted = accepted(&Listening::default());
        let name = socket2::SockRef::from(&accepted).tcp_congestion().unwrap();
        assert_eq!(name.split(|byte| *byte == 0).next(), Some(UNPACED));
    }

    #[test]
    fn buffers_have_the_size_that_was_asked_for_each() {
        let (own_send, own_receive) = buffers(&Listening::default());
        // Linux doubles what it is asked for, to make room for its own book-keeping.
        let doubled = if cfg!(target_os = "linux") { 2 } else { 1 };
        let send = Listening { send_buffer_bytes: Some(30_000), ..Listening::default() };
        assert_eq!(buffers(&send), (30_000 * doubled, own_receive));
        let receive = Listening { receive_buffer_bytes: Some(50_000), ..Listening::default() };
        assert_eq!(buffers(&receive), (own_send, 50_000 * doubled));
    }
}
