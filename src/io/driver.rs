//! What a shard's loop asks of the machine: one small interface, several machines behind it.
//!
//! The network is *readiness*: the driver says that a connection can be read or written, once per change (edge
//! triggered), and the shard calls `receive` or `send` until they answer `WouldBlock`. Measured, this beats handing
//! bulk data to a ring, and it lets one hot buffer per core serve every connection. What may wait for the device is
//! *completion*: `submit` now, an [`Event::Done`] later.
//!
//! A driver belongs to one thread. Only its [`Waker`] may be used by others.

use std::any::Any;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::io::disk::File;
use crate::model::{Instant, TimestampMs};
use crate::stdx::slab::Key;

/// A connection of one driver, never mistaken for a later one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionKey(pub Key);

/// A listening socket, numbered in the order of the calls of [`Driver::listen`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenerKey(pub u32);

/// The two ends of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    pub peer: SocketAddr,
    /// The address of this machine that the client has reached.
    pub local: SocketAddr,
}

/// What happened since the last wait.
#[derive(Debug)]
pub enum Event {
    Accepted {
        listener: ListenerKey,
        connection: ConnectionKey,
        ends: Ends,
    },
    /// There may be something to receive, the end of the stream included.
    Readable(ConnectionKey),
    /// The client will send nothing more; what it sent before may still be there to receive.
    Ended(ConnectionKey),
    /// There may be room to send.
    Writable(ConnectionKey),
    /// A thread used the [`Waker`].
    Woken,
    /// What was submitted under this token has ended.
    Done {
        token: u64,
        result: io::Result<Done>,
    },
}

/// What a submitted operation brought.
#[derive(Debug)]
pub enum Done {
    Synced,
    Read(Vec<u8>),
    Ran,
}

/// Work that blocks and is on no hot path.
pub type Blocking = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Work that blocks for nothing and takes long.
pub type Computing = Box<dyn FnOnce() + Send>;

/// An operation that may wait for the device, or takes too long for a shard.
pub enum Operation {
    /// Makes a file's content durable.
    Sync(Arc<dyn File>),
    /// Reads up to `length` bytes; fewer only at the end of the file.
    Read { file: Arc<dyn File>, position: u64, length: usize },
    /// Runs something on a thread that may block.
    Run(Blocking),
    /// Computes for long, on a thread that does nothing else. What comes of it, it leaves where its owner finds it.
    Compute(Computing),
}

/// Wakes a driver out of its wait, from any thread. Waking twice is waking once.
pub trait Waker: Send + Sync {
    fn wake(&self);
}

/// An open connection on its way from one driver to another of its kind; dropping it closes it.
/// Only the machine that let it go knows what it is.
pub struct Released(Box<dyn Any + Send>);

impl Released {
    pub(super) fn new(socket: impl Any + Send) -> Released {
        Released(Box::new(socket))
    }

    /// The socket; `None` if it is of another kind of machine.
    pub(super) fn take<S: Any>(self) -> Option<S> {
        self.0.downcast().ok().map(|socket| *socket)
    }
}

/// Connections that the kernel has accepted and we have not. A burst of clients does not fill it; Kafka has 50, and a
/// thread that does nothing else.
const BACKLOG: i32 = 1024;

/// What a listening socket is like, and what the connections get from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listening {
    /// Another shard of this process listens there already: without it, an address in use is refused.
    pub shared: bool,
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// `None` leaves it to the kernel, which gives each connection what it needs. Otherwise the kernel takes what its own
    /// limits allow.
    pub send_buffer_bytes: Option<usize>,
    pub receive_buffer_bytes: Option<usize>,
}

impl Default for Listening {
    /// Not shared, and the kernel's buffers.
    fn default() -> Listening {
        Listening { shared: false, backlog: BACKLOG, send_buffer_bytes: None, receive_buffer_bytes: None }
    }
}

/// The machine as one shard sees it.
pub trait Driver {
    /// A word for the log: which machine this is.
    fn name(&self) -> &'static str;

    /// The clock that never goes back.
    fn now(&self) -> Instant;

    /// The wall clock.
    fn wall(&self) -> TimestampMs;

    /// Listens on an address; answers the address that it got (port 0 takes a free one).
    fn listen(&mut self, address: SocketAddr, listening: &Listening) -> io::Result<(ListenerKey, SocketAddr)>;

    /// Refuses connections to a listener as if nothing listened there, or takes them again. Its port stays this driver's; what
    /// waited to be accepted is reset.
    fn set_refuses(&mut self, listener: ListenerKey, refuses: bool) -> io::Result<()>;

    /// Accepts nothing any more; connections stay.
    fn stop_listening(&mut self);

    /// Waits until something happened or `until` is reached (`None`: as long as it takes), and appends what happened.
    fn wait(&mut self, until: Option<Instant>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Appends what is there, at most so many bytes, for which it makes room; 0 is the end of the stream, `WouldBlock` means
    /// wait for [`Event::Readable`].
    fn receive(&mut self, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize>;

    /// Sends what fits now. `more` says that something follows at once, so that no packet needs to leave yet.
    fn send(&mut self, connection: ConnectionKey, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize>;

    /// Sends bytes of a file that are in the page cache, without a copy in user space.
    fn send_file(
        &mut self,
        connection: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize>;

    /// Ends a connection; no event names it afterwards.
    fn close(&mut self, connection: ConnectionKey);

    /// Lets go of a connection that stays open, for another driver of this machine; no event names it afterwards.
    fn release(&mut self, connection: ConnectionKey) -> Option<Released>;

    /// Takes a connection that another driver has let go. There may be something to receive already. `None`: it cannot
    /// be watched here, and is closed.
    fn adopt(&mut self, released: Released) -> Option<ConnectionKey>;

    /// Lets those threads run first that wait for this processor, if there are any.
    fn yield_now(&mut self);

    fn submit(&mut self, token: u64, operation: Operation);

    fn waker(&self) -> Arc<dyn Waker>;
}
