//! The driver for machines without a usable ring: epoll or kqueue through `mio`, edge-triggered, and a small pool of
//! threads for what may block.

use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::io::clock;
use crate::io::compute::Compute;
use crate::io::descriptors::Connections;
use crate::io::disk::File;
use crate::io::driver::{ConnectionKey, Driver, Ends, Event, ListenerKey, Listening, Operation, Released, Waker};
use crate::io::pool::Pool;
use crate::io::sockets::{self, Admitted, ListeningSocket, Streams};
use crate::model::{Instant, TimestampMs};
use crate::stdx::slab::{GENERATIONS, Key};

/// Events taken from the kernel at once.
const EVENTS_PER_WAIT: usize = 1024;
const WAKER: Token = Token(usize::MAX);
/// Tokens at or above this are listeners. Below it they are connection keys, whose generation is cut to fit.
const FIRST_LISTENER: usize = usize::MAX - 1024;
// A connection's key has two bits less, so it stays below.
const _: () = assert!((GENERATIONS as usize - 1) << 32 < FIRST_LISTENER - (1 << 32));
/// How long accepting rests after the process ran out of descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

struct MioWaker(mio::Waker);

impl Waker for MioWaker {
    fn wake(&self) {
        // Fails only when the poll it belongs to is gone, and with it the shard that could be woken.
        let _ = self.0.wake();
    }
}

/// The driver over epoll or kqueue.
pub(super) struct Readiness {
    poll: Poll,
    events: Events,
    waker: Arc<MioWaker>,
    listeners: Vec<ListeningSocket>,
    streams: Streams,
    pool: Pool,
    /// When accepting goes on after it failed for a want of descriptors.
    accept_again: Option<Instant>,
}

impl Readiness {
    pub(super) fn new(connections: Arc<Connections>, compute: Arc<Compute>) -> io::Result<Readiness> {
        let poll = Poll::new()?;
        let waker = Arc::new(MioWaker(mio::Waker::new(poll.registry(), WAKER)?));
        let pool = Pool::new(waker.clone(), compute);
        Ok(Readiness {
            poll,
            events: Events::with_capacity(EVENTS_PER_WAIT),
            waker,
            listeners: Vec::new(),
            streams: Streams::new(connections),
            pool,
            accept_again: None,
        })
    }

    /// Accepts all that waits: an edge is told once.
    fn accept(&mut self, listener: usize, out: &mut Vec<Event>) {
        while let Some(socket) = self.listeners[listener].open() {
            match socket.accept().and_then(|(stream, _)| self.register(stream)) {
                Ok((connection, ends)) => {
                    out.push(Event::Accepted { listener: ListenerKey(listener as u32), connection, ends });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if sockets::is_exhaustion(&error) => {
                    self.accept_again = Some(self.now() + ACCEPT_REST);
                    return;
                }
                // That connection went away while it waited; the next one may be well.
                Err(_) => {}
            }
        }
    }

    fn register(&mut self, stream: TcpStream) -> io::Result<(ConnectionKey, Ends)> {
        let ends = sockets::adopt(&stream)?;
        // What is said of one that finds no place is the same as of one that went away.
        let admitted = self.streams.admit(stream).ok_or(io::ErrorKind::ConnectionRefused)?;
        Ok((self.watch(admitted)?, ends))
    }

    fn watch(&mut self, admitted: Admitted) -> io::Result<ConnectionKey> {
        let descriptor = admitted.stream.as_raw_fd();
        let key = self.streams.insert(admitted);
        let token = Token(key.0.to_u64() as usize);
        assert!(token.0 < FIRST_LISTENER, "a connection's key is taken for no listener");
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut SourceFd(&descriptor), token, interest) {
            self.streams.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn watch_listener(&self, listener: ListenerKey) -> io::Result<()> {
        let token = Token(FIRST_LISTENER + listener.0 as usize);
        assert!(token != WAKER, "a listener's number is not taken for the waker");
        let Some(socket) = self.listeners[listener.0 as usize].open() else { return Ok(()) };
        self.poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), token, Interest::READABLE)
    }

    fn timeout(&self, until: Option<Instant>) -> Option<Duration> {
        let until = match (until, self.accept_again) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        until.map(|until| until.since(self.now()))
    }
}

impl Driver for Readiness {
    fn name(&self) -> &'static str {
        if cfg!(target_os = "linux") { "epoll" } else { "kqueue" }
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> TimestampMs {
        clock::wall()
    }

    fn listen(&mut self, address: SocketAddr, listening: &Listening) -> io::Result<(ListenerKey, SocketAddr)> {
        let listener = ListeningSocket::listen(address, listening)?;
        let (bound, key) = (listener.address(), ListenerKey(self.listeners.len() as u32));
        self.listeners.push(listener);
        self.watch_listener(key)?;
        Ok((key, bound))
    }

    fn set_refuses(&mut self, listener: ListenerKey, refuses: bool) -> io::Result<()> {
        let socket = &mut self.listeners[listener.0 as usize];
        if refuses {
            return socket.refuse();
        }
        socket.take_connections()?;
        self.watch_listener(listener)
    }

    fn stop_listening(&mut self) {
        self.listeners.clear();
        self.accept_again = None;
    }

    fn wait(&mut self, until: Option<Instant>, out: &mut Vec<Event>) -> io::Result<()> {
        let timeout = self.timeout(until);
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        let mut ready = Vec::new();
        for event in self.events.iter() {
            match event.token() {
                WAKER => out.push(Event::Woken),
                Token(token) if token >= FIRST_LISTENER => ready.push(token - FIRST_LISTENER),
                Token(token) => {
                    let key = ConnectionKey(Key::from_u64(token as u64));
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        self.streams.note_readable(key);
                        out.push(Event::Readable(key));
                    }
                    if event.is_read_closed() || event.is_error() {
                        self.streams.note_ended(key);
                        out.push(Event::Ended(key));
                    }
                    if event.is_writable() {
                        out.push(Event::Writable(key));
                    }
                }
            }
        }
        if self.accept_again.is_some_and(|again| again <= self.now()) {
            self.accept_again = None;
            ready = (0..self.listeners.len()).collect();
        }
        for listener in ready.into_iter().filter(|l| *l < self.listeners.len()).collect::<Vec<_>>() {
            self.accept(listener, out);
        }
        out.extend(self.pool.take_finished().into_iter().map(|(token, result)| Event::Done { token, result }));
        Ok(())
    }

    fn receive(&mut self, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.streams.receive(connection, buffer, most)
    }

    fn send(&mut self, connection: ConnectionKey, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.streams.send(connection, slices, more)
    }

    fn send_file(
        &mut self,
        connection: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        self.streams.send_file(connection, file, position, length)
    }

    fn close(&mut self, connection: ConnectionKey) {
        // Closing the last descriptor takes it out of epoll too.
        self.streams.remove(connection);
    }

    fn release(&mut self, connection: ConnectionKey) -> Option<Released> {
        let admitted = self.streams.remove(connection)?;
        let deregistered = self.poll.registry().deregister(&mut SourceFd(&admitted.stream.as_raw_fd()));
        deregistered.ok().map(|()| Released::new(admitted))
    }

    fn adopt(&mut self, released: Released) -> Option<ConnectionKey> {
        self.watch(released.take()?).ok()
    }

    fn yield_now(&mut self) {
        thread::yield_now();
    }

    fn submit(&mut self, token: u64, operation: Operation) {
        self.pool.submit(token, operation);
    }

    fn waker(&self) -> Arc<dyn Waker> {
        self.waker.clone()
    }
}
