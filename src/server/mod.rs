//! One shard at work: its connections, their frames, the turn of its loop.
//!
//! A turn: wait; take in what happened; handle every frame that came; write each partition that was appended to once;
//! look at the parked requests that this may have ended; send each connection's answers once. Everything here belongs to
//! one thread. Frames of a connection are handled in order, and its answers leave in that order.

mod connection;
mod inbound;
mod outbound;
mod slots;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::handlers::{self, Answer, Looked, Outcome, Parked};
use crate::io::driver::{ConnectionKey, Done, Driver, Event, Operation};
use crate::model::{Instant, TimestampMs};
use crate::replication::partition::Partition;
use crate::replication::view::View;
use crate::replication::watch::ShardId;
use crate::server::connection::Connection;
use crate::server::outbound::Next;
use crate::server::slots::Sequence;
use crate::shard::context::{Context, Reply, Shared};
use crate::shard::dirty::Dirty;
use crate::shard::lot::Lot;
use crate::shard::mailbox::Mail;
use crate::stdx::slab::{Key, Slab};
use crate::storage::log::Flush;
use crate::wire::frame::{self, Split};

/// The hot buffer: what a core receives into. Larger falls out of the cache.
const HOT_BUFFER_BYTES: usize = 256 * 1024;
/// What one connection may have handled in one turn before the others get theirs.
const BYTES_PER_TURN: usize = 4 * HOT_BUFFER_BYTES;
/// Rounds of handling and writing within one turn before the network is looked at again.
const ROUNDS_PER_TURN: usize = 8;
/// Bytes of a file sent, or read into memory where they are cold, in one step.
const FILE_STEP_BYTES: usize = 1024 * 1024;
/// How long a stop waits for what is in flight.
const STOP_PATIENCE: Duration = Duration::from_millis(500);
/// How often idle connections are looked for at most and at least.
const IDLE_CHECK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// Who waits for an answer, and for what.
struct Waiting {
    connection: ConnectionKey,
    sequence: Sequence,
    parked: Parked,
}

/// What an operation of the disk was started for.
enum DiskJob {
    /// One file of a partition's sync.
    Sync(Rc<Sync>),
    /// Cold bytes that a connection will send.
    ColdRead(ConnectionKey),
}

/// A partition's sync: over when all of its files are synced.
struct Sync {
    partition: Arc<Partition>,
    flush: Flush,
    left: Cell<usize>,
    failure: RefCell<Option<String>>,
}

/// One shard. Make it on the thread that runs it.
pub struct Server {
    shard: ShardId,
    shared: Arc<Shared>,
    view: Arc<View>,
    driver: Box<dyn Driver>,
    handlers: handlers::State,
    connections: HashMap<ConnectionKey, Connection>,
    lot: Lot<Waiting>,
    dirty: Dirty,
    jobs: Slab<DiskJob>,
    hot: Vec<u8>,
    /// Connections with something to handle, and those with something to send.
    queue: Vec<ConnectionKey>,
    touched: Vec<ConnectionKey>,
    now: Instant,
    wall: TimestampMs,
    next_idle_check: Instant,
    stopping: Option<Instant>,
}

/// Why a connection was closed, for the log.
type Reason = String;

impl Server {
    pub fn new(shard: ShardId, shared: Arc<Shared>, driver: Box<dyn Driver>) -> Server {
        let (now, wall) = (driver.now(), driver.wall());
        Server {
            shard,
            view: shared.view.load_full(),
            handlers: handlers::State::new(&shared, shard),
            shared,
            driver,
            connections: HashMap::new(),
            lot: Lot::default(),
            dirty: Dirty::new(shard),
            jobs: Slab::default(),
            hot: vec![0; HOT_BUFFER_BYTES],
            queue: Vec::new(),
            touched: Vec::new(),
            now,
            wall,
            next_idle_check: Instant::NEVER,
            stopping: None,
        }
    }

    /// Listens on an address; `shared` says that another shard listens there already.
    pub fn listen(&mut self, address: SocketAddr, shared: bool) -> io::Result<SocketAddr> {
        self.driver.listen(address, shared).map(|(_, bound)| bound)
    }

    /// Requests that wait.
    pub fn parked(&self) -> usize {
        self.lot.len()
    }

    /// Turns until it is told to stop.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn()? {}
        Ok(())
    }

    /// One turn; `false` when the shard has stopped.
    pub fn turn(&mut self) -> io::Result<bool> {
        let mut events = Vec::new();
        let until = self.wait_until();
        self.driver.wait(until, &mut events)?;
        self.now = self.driver.now();
        self.wall = self.driver.wall();
        let mail = self.shared.mailbox(self.shard).take();
        self.view = self.shared.view.load_full();
        for event in events {
            self.handle_event(event);
        }
        self.handle_mail(mail);
        self.handle_expired();
        self.work();
        self.send_touched();
        self.close_idle();
        Ok(!self.has_stopped())
    }

    fn wait_until(&self) -> Option<Instant> {
        if !self.queue.is_empty() || !self.shared.mailbox(self.shard).may_sleep() {
            return Some(self.driver.now());
        }
        let idle_check = if self.connections.is_empty() { Instant::NEVER } else { self.next_idle_check };
        let stop = self.stopping.unwrap_or(Instant::NEVER);
        let until = self.lot.next_deadline().unwrap_or(Instant::NEVER).min(idle_check).min(stop);
        (until != Instant::NEVER).then_some(until)
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Accepted { listener, connection, peer } => self.accept(connection, listener.0 as usize, peer),
            Event::Readable(key) => {
                if let Some(connection) = self.connections.get_mut(&key) {
                    connection.readable = true;
                    self.enqueue(key);
                }
            }
            Event::Ended(key) => self.handle_ended(key),
            Event::Writable(key) => {
                if let Some(connection) = self.connections.get_mut(&key) {
                    connection.writable = true;
                    self.touch(key);
                }
            }
            Event::Woken => {}
            Event::Done { token, result } => self.handle_done(token, result),
        }
    }

    /// A client that has gone is not kept waiting: its fetch would hold memory until its time, which it has chosen.
    fn handle_ended(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.has_ended = true;
        if let Some(parked) = connection.parked {
            self.give_up_waiting(parked);
        }
    }

    fn give_up_waiting(&mut self, key: Key) {
        if self.lot.get_mut(key).is_some_and(|waiting| waiting.parked.waits_for_more()) {
            self.look(key, true);
        }
    }

    fn accept(&mut self, key: ConnectionKey, listener: usize, peer: SocketAddr) {
        if self.stopping.is_some() {
            return self.driver.close(key);
        }
        if self.connections.is_empty() {
            self.next_idle_check = self.now + self.idle_interval();
        }
        self.connections.insert(key, Connection::new(peer, listener, self.now));
        self.enqueue(key);
    }

    fn enqueue(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(&key)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.queue.push(key);
        }
    }

    fn touch(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(&key)
            && !std::mem::replace(&mut connection.touched, true)
        {
            self.touched.push(key);
        }
    }

    fn close(&mut self, key: ConnectionKey, reason: Option<Reason>) {
        if let Some(connection) = self.connections.remove(&key) {
            self.driver.close(key);
            // Nobody is left to be answered. Produces stay: their turn's end, or a sync, ends them.
            connection.parked.and_then(|parked| self.lot.take(parked));
            if let Some(reason) = reason {
                warn!("connection closed: peer={} shard={}: {reason}", connection.peer, self.shard.0);
            }
        }
    }

    // What others tell.

    fn handle_mail(&mut self, mail: Mail<Reply>) {
        if mail.progress_anywhere {
            for key in self.lot.all() {
                self.look(key, false);
            }
        } else {
            for partition in mail.progress {
                self.look_at_watchers(partition);
            }
        }
        for reply in mail.replies {
            self.handle_reply(reply);
        }
        if mail.stop && self.stopping.is_none() {
            self.stopping = Some(self.now + STOP_PATIENCE);
            self.driver.stop_listening();
        }
    }

    fn handle_reply(&mut self, reply: Reply) {
        if let Some(waiting) = self.lot.get_mut(reply.parked) {
            waiting.parked.receive(reply.result);
            self.look(reply.parked, false);
        }
    }

    fn handle_expired(&mut self) {
        while let Some(key) = self.lot.expired(self.now) {
            self.look(key, true);
        }
        if self.stopping.is_some() {
            // Whoever merely waits for more is answered with what there is.
            for key in self.lot.all() {
                self.give_up_waiting(key);
            }
        }
    }

    fn look_at_watchers(&mut self, partition: u64) {
        for key in self.lot.watching(partition) {
            self.look(key, false);
        }
    }

    /// Looks whether a parked request can be answered; an expired one is answered in any case.
    fn look(&mut self, key: Key, expired: bool) {
        let Some(waiting) = self.lot.get_mut(key) else { return };
        let mut context = Context {
            shared: &self.shared,
            view: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
        };
        match waiting.parked.look(&mut self.handlers, &mut context, expired) {
            Looked::Wait => debug_assert!(!expired, "an expired request is answered"),
            Looked::Answer(answer) => self.resume(key, Some(answer)),
            Looked::Silent => self.resume(key, None),
        }
    }

    fn resume(&mut self, key: Key, answer: Option<Answer>) {
        let Some(waiting) = self.lot.take(key) else { return };
        if let Some(connection) = self.connections.get_mut(&waiting.connection) {
            connection.fill(waiting.sequence, answer);
            if !waiting.parked.is_produce() {
                connection.parked = None;
            }
            self.enqueue(waiting.connection);
            self.touch(waiting.connection);
        }
    }

    // Handling and writing.

    /// Handles what has come and writes what was appended, until there is nothing left or others must have their turn.
    fn work(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            let queue = std::mem::take(&mut self.queue);
            for key in &queue {
                if let Err(reason) = self.advance(*key) {
                    self.close(*key, reason);
                }
            }
            let wrote = self.write_dirty();
            if !wrote && self.queue.is_empty() {
                return;
            }
        }
    }

    /// Receives from a connection and handles its frames as far as it may go now. `Err(None)` is the quiet end.
    fn advance(&mut self, key: ConnectionKey) -> Result<(), Option<Reason>> {
        match self.connections.get_mut(&key) {
            Some(connection) => connection.queued = false,
            None => return Ok(()),
        }
        let mut hot = std::mem::take(&mut self.hot);
        let result = self.advance_with(key, &mut hot);
        self.hot = hot;
        result
    }

    fn advance_with(&mut self, key: ConnectionKey, hot: &mut [u8]) -> Result<(), Option<Reason>> {
        let mut budget = BYTES_PER_TURN;
        self.handle_kept(key)?;
        loop {
            let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
            if connection.is_blocked() || connection.inbound.is_held() || !connection.readable {
                return Ok(());
            }
            if budget == 0 {
                self.enqueue(key);
                return Ok(());
            }
            let received = self.receive(key, hot)?;
            budget = budget.saturating_sub(received);
        }
    }

    /// Handles the frames that were kept when the connection could not go on.
    fn handle_kept(&mut self, key: ConnectionKey) -> Result<(), Option<Reason>> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        if connection.inbound.len() == 0 || connection.is_blocked() {
            return Ok(());
        }
        let (kept, mut at) = connection.inbound.take();
        let (handled, held) = self.handle_frames(key, &kept[at..])?;
        at += handled;
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.inbound.restore(kept, at, held);
        }
        Ok(())
    }

    /// One receive, and the frames that it completed; answers the bytes that came.
    fn receive(&mut self, key: ConnectionKey, hot: &mut [u8]) -> Result<usize, Option<Reason>> {
        let limit = self.shared.config.socket_request_max_bytes as usize;
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(0) };
        if let Some(room) = connection.inbound.large_frame_room(hot.len(), limit) {
            let size = room.len();
            let received = self.driver.receive(key, room);
            let length = *received.as_ref().unwrap_or(&0);
            connection.inbound.received(size - length);
            let Some(length) = arrived(connection, received, now)? else { return Ok(0) };
            self.handle_kept(key)?;
            return Ok(length);
        }
        let kept = connection.inbound.move_into(hot);
        let received = self.driver.receive(key, &mut hot[kept..]);
        let length = *received.as_ref().unwrap_or(&0);
        let filled = &hot[..kept + length];
        let arrived = arrived(connection, received, now)?;
        if arrived.is_none() {
            connection.inbound.keep(filled, false);
            return Ok(0);
        }
        let (handled, held) = self.handle_frames(key, filled)?;
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.inbound.keep(&filled[handled..], held);
        }
        Ok(length)
    }

    /// Handles whole frames from the front; answers the bytes handled, and whether a whole frame was left.
    fn handle_frames(&mut self, key: ConnectionKey, bytes: &[u8]) -> Result<(usize, bool), Option<Reason>> {
        let limit = self.shared.config.socket_request_max_bytes as usize;
        let mut at = 0;
        loop {
            let frame = match frame::split(&bytes[at..], limit) {
                Split::Complete(frame) => frame,
                Split::Need(_) => return Ok((at, false)),
                Split::Bad(error) => return Err(Some(error.to_string())),
            };
            let Some(connection) = self.connections.get_mut(&key) else { return Ok((bytes.len(), false)) };
            if !connection.may_handle(handlers::is_produce(frame)) {
                return Ok((at, true));
            }
            at += frame::SIZE_BYTES + frame.len();
            self.handle_frame(key, frame)?;
        }
    }

    fn handle_frame(&mut self, key: ConnectionKey, frame: &[u8]) -> Result<(), Option<Reason>> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        let mut context = Context {
            shared: &self.shared,
            view: &self.view,
            shard: self.shard,
            now: self.now,
            wall: self.wall,
            dirty: &mut self.dirty,
        };
        match handlers::handle(&mut self.handlers, &mut context, frame, connection.listener) {
            Outcome::Answer(answer) => connection.answer_now(Some(answer)),
            Outcome::Silent => connection.answer_now(None),
            Outcome::Close(reason) => return Err(Some(reason)),
            Outcome::Wait { parked, deadline, watched } => {
                let sequence = connection.answer_later(parked.is_produce());
                self.park(Waiting { connection: key, sequence, parked }, deadline, watched);
            }
        }
        self.touch(key);
        Ok(())
    }

    fn park(&mut self, waiting: Waiting, deadline: Instant, watched: Vec<u64>) {
        let (owner, is_produce) = (waiting.connection, waiting.parked.is_produce());
        let key = self.lot.park(waiting, deadline, watched);
        let mut has_ended = false;
        if let Some(connection) = self.connections.get_mut(&owner).filter(|_| !is_produce) {
            connection.parked = Some(key);
            has_ended = connection.has_ended;
        }
        let (shared, shard) = (&self.shared, self.shard);
        let look_now = self.lot.get_mut(key).is_some_and(|waiting| waiting.parked.start(shared, shard, key));
        if look_now {
            self.look(key, false);
        }
        if has_ended {
            self.give_up_waiting(key);
        }
    }

    /// Writes every partition that this turn appended to, once; `true` if there was one.
    fn write_dirty(&mut self) -> bool {
        let partitions = self.dirty.take();
        for partition in &partitions {
            let flush = partition.write_pending(self.wall);
            self.follow_up(partition, flush);
        }
        !partitions.is_empty()
    }

    /// Starts the sync that is asked for, and tells whoever waits for the partition.
    fn follow_up(&mut self, partition: &Arc<Partition>, flush: Option<Flush>) {
        if let Some(flush) = flush {
            self.start_sync(partition.clone(), flush);
        }
        for shard in partition.waiting.take().iter().filter(|shard| *shard != self.shard) {
            self.shared.mailbox(shard).tell_progress(partition.number);
        }
        self.look_at_watchers(partition.number);
    }

    fn handle_done(&mut self, token: u64, result: io::Result<Done>) {
        match self.jobs.remove(Key::from_u64(token)) {
            Some(DiskJob::Sync(sync)) => self.handle_synced(&sync, result),
            Some(DiskJob::ColdRead(key)) => self.handle_cold_read(key, result),
            None => {}
        }
    }

    /// Syncs every file at once. New names are rare; their directories are synced on a thread that may block.
    fn start_sync(&mut self, partition: Arc<Partition>, flush: Flush) {
        let mut operations: Vec<_> = flush.files.iter().cloned().map(Operation::Sync).collect();
        if let Some(directories) = flush.directories_sync() {
            operations.push(Operation::Run(directories));
        }
        let sync = Sync { partition, flush, left: Cell::new(operations.len()), failure: RefCell::default() };
        let sync = Rc::new(sync);
        for operation in operations {
            let token = self.jobs.insert(DiskJob::Sync(sync.clone())).to_u64();
            self.driver.submit(token, operation);
        }
    }

    fn handle_synced(&mut self, sync: &Sync, result: io::Result<Done>) {
        sync.left.set(sync.left.get() - 1);
        if let Err(error) = result {
            sync.failure.replace(Some(error.to_string()));
        }
        if sync.left.get() == 0 {
            let result = sync.failure.take().map_or(Ok(()), Err);
            let next = sync.partition.handle_synced(&sync.flush, result, self.wall);
            self.follow_up(&sync.partition, next);
        }
    }

    // Sending.

    fn send_touched(&mut self) {
        for key in std::mem::take(&mut self.touched) {
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.touched = false;
            }
            if let Err(error) = self.send(key) {
                // The client is gone, which is its right; anything else is worth a line.
                let is_gone = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
                self.close(key, (!is_gone).then(|| error.to_string()));
            }
        }
    }

    fn send(&mut self, key: ConnectionKey) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(&key) else { return Ok(()) };
        let was_full = connection.is_blocked();
        while connection.writable && !connection.reading_cold {
            let sent = match connection.outbound.next() {
                Next::Nothing => break,
                Next::Memory { slices, more } => self.driver.send(key, &slices, more),
                Next::File(slice) => {
                    let step = (slice.length as usize).min(FILE_STEP_BYTES);
                    if !slice.file.is_resident(slice.position.0, step as u64) {
                        let (file, position) = (slice.file.clone(), slice.position.0);
                        let token = self.jobs.insert(DiskJob::ColdRead(key)).to_u64();
                        self.driver.submit(token, Operation::Read { file, position, length: step });
                        connection.reading_cold = true;
                        break;
                    }
                    self.driver.send_file(key, &*slice.file, slice.position.0, step)
                }
            };
            match sent {
                Ok(0) => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "a segment is shorter than its index says"));
                }
                Ok(length) => connection.outbound.sent(length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => connection.writable = false,
                Err(error) => return Err(error),
            }
        }
        if was_full && !connection.is_blocked() {
            self.enqueue(key);
        }
        Ok(())
    }

    fn handle_cold_read(&mut self, key: ConnectionKey, result: io::Result<Done>) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.reading_cold = false;
        match result {
            Ok(Done::Read(bytes)) if !bytes.is_empty() => {
                connection.outbound.replace_file_front(bytes);
                self.touch(key);
            }
            Ok(_) => self.close(key, Some("a segment is shorter than its index says".into())),
            Err(error) => self.close(key, Some(format!("cannot read a segment: {error}"))),
        }
    }

    // Ends.

    fn idle_interval(&self) -> Duration {
        let idle_ms = u64::try_from(self.shared.config.connections_max_idle_ms).unwrap_or(u64::MAX);
        Duration::from_millis(idle_ms / 4).clamp(IDLE_CHECK.0, IDLE_CHECK.1)
    }

    fn close_idle(&mut self) {
        let idle_ms = self.shared.config.connections_max_idle_ms;
        if self.now < self.next_idle_check || idle_ms < 0 {
            return;
        }
        self.next_idle_check = self.now + self.idle_interval();
        let limit = Duration::from_millis(idle_ms as u64);
        let is_idle =
            |connection: &Connection| connection.is_at_rest() && self.now.since(connection.last_active) > limit;
        let idle: Vec<_> = self.connections.iter().filter(|(_, c)| is_idle(c)).map(|(key, _)| *key).collect();
        for key in idle {
            self.close(key, None);
        }
    }

    fn has_stopped(&mut self) -> bool {
        let Some(until) = self.stopping else { return false };
        let at_rest =
            self.lot.is_empty() && self.jobs.is_empty() && self.connections.values().all(Connection::is_at_rest);
        if !at_rest && self.now < until {
            return false;
        }
        info!("shard {} stopped with {} connections", self.shard.0, self.connections.len());
        for key in self.connections.keys().copied().collect::<Vec<_>>() {
            self.close(key, None);
        }
        true
    }
}

/// What a receive brought: `None` if nothing is there yet, `Err` if the connection has ended.
fn arrived(
    connection: &mut Connection,
    received: io::Result<usize>,
    now: Instant,
) -> Result<Option<usize>, Option<Reason>> {
    match received {
        Ok(0) => Err(None),
        Ok(length) => {
            connection.last_active = now;
            Ok(Some(length))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            connection.readable = false;
            Ok(None)
        }
        Err(_) => Err(None),
    }
}
