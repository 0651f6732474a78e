//! One shard at work: its connections, their frames, the turn of its loop.
//!
//! A turn: wait; take in what happened; handle every frame that came; write each partition that was appended to once;
//! look at the parked requests that this may have ended; send each connection's answers once. Everything here belongs to
//! one thread. Frames of a connection are handled in order, and its answers leave in that order.

mod admission;
mod authentication;
mod connection;
mod connections;
pub mod expiry;
mod faults;
mod handshakes;
mod inbound;
pub mod inlet;
mod journal;
mod latency;
mod limits;
mod login_faults;
mod outbound;
mod parking;
mod receiving;
pub mod report;
mod sending;
mod slots;
mod throttle;
mod transport;
mod writing;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::handlers;
use crate::hosting::doors::Door;
use crate::io::driver::{ConnectionKey, Driver, Ends, Event, Listening};
use crate::metrics::Ending;
use crate::model::Instant;
use crate::replica::watch::ShardId;
use crate::server::admission::MemoryAdmission;
use crate::server::authentication::LoginTimes;
use crate::server::connection::Connection;
use crate::server::connections::Connections;
use crate::server::faults::KeptBack;
use crate::server::handshakes::Handshakes;
use crate::server::inlet::Open;
use crate::server::latency::Answered;
use crate::server::limits::Entrance;
use crate::server::parking::{Produce, Waiting};
#[cfg(test)]
pub(crate) use crate::server::sending::FILE_STEP_BYTES;
use crate::server::sending::SENT_PER_TURN_BYTES;
use crate::server::throttle::Muted;
use crate::server::transport::Transport;
#[cfg(test)]
pub(crate) use crate::server::transport::layer::{HANDSHAKE_BYTES, RECORD_BYTES};
#[cfg(any(test, feature = "sim"))]
pub(crate) use crate::server::transport::null;
use crate::server::writing::DiskJob;
use crate::shard::context::{Shared, Turn};
use crate::shard::journal::Journal;
use crate::shard::limits::ConnectionPlace;
use crate::shard::mailbox::Handover;
use crate::shard::session::Session;
use crate::shard::wait_list::WaitList;
use crate::stdx::queue::Queue;
use crate::stdx::slab::Slab;
use crate::storage::recent::Kept;

/// The hot buffer: what a core receives into. Larger falls out of the cache.
const HOT_BUFFER_BYTES: usize = 256 * 1024;
/// Rounds of handling and writing within one turn before the network is looked at again.
const ROUNDS_PER_TURN: usize = 8;
/// How often idle connections are looked for at most and at least.
const IDLE_CHECK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));

/// One shard. Make it on the thread that runs it.
pub struct Server {
    turn: Turn,
    driver: Box<dyn Driver>,
    handlers: handlers::State,
    connections: Connections,
    /// Requests without a connection, until they are answered.
    inquiries: Slab<Open>,
    wait_list: WaitList<Waiting>,
    /// The produces of this turn, until it has written what they appended.
    produces: Queue<Produce>,
    /// What this turn has answered, until its times are recorded.
    answered: Vec<Answered>,
    admission: MemoryAdmission,
    muted: Muted,
    entrance: Entrance,
    handshakes: Handshakes,
    login_times: LoginTimes,
    kept: Kept,
    /// `None` where no requests are kept.
    journal: Option<Journal>,
    /// What rules of a test keep back.
    kept_back: Vec<KeptBack>,
    jobs: Slab<DiskJob>,
    hot: Vec<u8>,
    sent_per_turn_bytes: usize,
    /// Connections get the null cipher.
    #[cfg(any(test, feature = "sim"))]
    is_layered: bool,
    /// Connections with something to handle, and those with something to send.
    queue: Queue<ConnectionKey>,
    touched: Queue<ConnectionKey>,
    /// Empty between turns.
    events: Vec<Event>,
    next_idle_check: Instant,
    /// Told to stop: how long it serves the connections that it has as ever (`klamm.stop.grace.ms`): a consumer that ends
    /// together with its broker commits and leaves its group meanwhile, and need not wait out its time for a broker that is
    /// gone. Kafka's controlled shutdown takes longer than that.
    leaving: Option<Instant>,
    /// It begins nothing more: how long it waits at most for the answers to what has begun (`klamm.stop.patience.ms`).
    stopping: Option<Instant>,
}

/// Why a connection ends.
struct End {
    ending: Ending,
    /// What the log says of it; `None` where there is nothing to say.
    line: Option<String>,
}

impl End {
    /// The client has closed it, or its host is gone.
    fn by_client() -> End {
        End { ending: Ending::Client, line: None }
    }

    fn told(ending: Ending, line: impl Into<String>) -> End {
        End { ending, line: Some(line.into()) }
    }

    fn refused(line: String) -> End {
        End::told(Ending::Refused, line)
    }

    /// Its client has not logged in, of which the audit log tells.
    fn unauthenticated() -> End {
        End { ending: Ending::Authentication, line: None }
    }

    fn failure(line: impl Into<String>) -> End {
        End::told(Ending::Failure, line)
    }
}

impl Server {
    pub fn new(shard: ShardId, shared: Arc<Shared>, driver: Box<dyn Driver>) -> Server {
        let now = driver.now();
        let turn = Turn::new(shard, shared.clone(), now, driver.wall());
        Server {
            handlers: handlers::State::new(&shared, shard),
            kept: Kept::new(shared.config.tail_buffer_bytes),
            journal: shared.journals.get(usize::from(shard.0)).map(|ring| Journal::new(ring.clone(), shard.0, now)),
            turn,
            driver,
            connections: Connections::default(),
            inquiries: Slab::default(),
            wait_list: WaitList::default(),
            produces: Queue::default(),
            answered: Vec::new(),
            admission: MemoryAdmission::default(),
            muted: Muted::default(),
            entrance: Entrance::default(),
            handshakes: Handshakes::default(),
            login_times: LoginTimes::default(),
            kept_back: Vec::new(),
            jobs: Slab::default(),
            hot: Vec::with_capacity(HOT_BUFFER_BYTES),
            sent_per_turn_bytes: SENT_PER_TURN_BYTES,
            #[cfg(any(test, feature = "sim"))]
            is_layered: false,
            queue: Queue::default(),
            touched: Queue::default(),
            events: Vec::new(),
            next_idle_check: Instant::NEVER,
            leaving: None,
            stopping: None,
        }
    }

    /// Other than [`SENT_PER_TURN_BYTES`], which the simulated network's buffers never reach.
    #[cfg(any(test, feature = "sim"))]
    pub fn send_at_most(&mut self, bytes_per_turn: usize) {
        self.sent_per_turn_bytes = bytes_per_turn;
    }

    /// Its clients speak the null cipher.
    #[cfg(any(test, feature = "sim"))]
    pub fn layer(&mut self) {
        self.is_layered = true;
    }

    /// What stands between the sockets of new connections and their frames.
    fn transport(&self, listener: usize) -> Transport {
        #[cfg(any(test, feature = "sim"))]
        if self.is_layered {
            return Transport::null();
        }
        match self.turn.shared.doors.get(listener) {
            Door::Tls(door) => Transport::tls(door.accept()),
            Door::Plain => Transport::Plain,
        }
    }

    /// Listens on an address; `shared` says that another shard listens there already.
    pub fn listen(&mut self, address: SocketAddr, shared: bool) -> io::Result<SocketAddr> {
        let config = &self.turn.shared.config;
        let listening = Listening {
            shared,
            backlog: config.socket_listen_backlog_size.unwrap_or(Listening::default().backlog),
            send_buffer_bytes: config.socket_send_buffer_bytes,
            receive_buffer_bytes: config.socket_receive_buffer_bytes,
        };
        self.driver.listen(address, &listening).map(|(_, bound)| bound)
    }

    /// Requests that wait.
    #[cfg(test)]
    pub fn parked(&self) -> usize {
        self.wait_list.len()
    }

    /// Connections that it serves.
    #[cfg(test)]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    #[cfg(test)]
    pub fn most_handshakes_away(&self) -> usize {
        self.handshakes.most_away
    }

    /// Whom its clients stand for.
    #[cfg(test)]
    pub fn principals(&self) -> Vec<String> {
        self.connections.iter().map(|(_, connection)| connection.session.principal.to_string()).collect()
    }

    /// Turns until it is told to stop.
    pub fn run(&mut self) -> io::Result<()> {
        while self.turn()? {}
        Ok(())
    }

    /// One turn; `false` when the shard has stopped.
    pub fn turn(&mut self) -> io::Result<bool> {
        // With its beginning: a shard that waits for its first event turns.
        self.turn.metrics.turn();
        let mut events = std::mem::take(&mut self.events);
        let until = self.wait_until();
        self.turn.metrics.begin_wait(self.driver.now().0);
        self.driver.wait(until, &mut events)?;
        self.turn.begin(self.driver.now(), self.driver.wall());
        self.turn.metrics.end_wait(self.turn.now.0);
        let mail = self.turn.shared.mailbox(self.turn.shard).take();
        // Behind the mail: it may tell of what only the newest view shows.
        if self.turn.look() {
            self.read_limits();
            self.follow_brokers();
        }
        for event in events.drain(..) {
            self.handle_event(event);
        }
        self.events = events;
        self.handle_mail(mail);
        self.end_farewell();
        self.handle_expired();
        self.unmute();
        self.let_kept_go_on();
        self.mind_entrance();
        self.run_coordinator_timers();
        self.end_logins();
        self.ration();
        self.work();
        self.record_latencies();
        // A client that has its answer may look for the request at once: it is in the journal before the answer leaves.
        let is_noted = self.journal.as_mut().is_none_or(Journal::flush);
        // A shard that stops sends all the same: it has few turns left.
        if is_noted || self.stopping.is_some() {
            self.send_touched();
        }
        if !self.touched.is_empty() || !is_noted {
            // A client was sent all that a turn allows and goes on, long enough for threads that wait for the processor; or
            // such a thread reads the journal.
            self.driver.yield_now();
        }
        if is_noted {
            // With answers that wait for the journal no connection is idle.
            self.close_idle();
        }
        Ok(!self.has_stopped())
    }

    fn wait_until(&self) -> Option<Instant> {
        if !self.queue.is_empty()
            || !self.touched.is_empty()
            || !self.turn.is_done()
            || self.journal.as_ref().is_some_and(|journal| !journal.is_flushed())
            || !self.turn.shared.mailbox(self.turn.shard).may_sleep()
        {
            return Some(self.driver.now());
        }
        let idle_check = if self.connections.is_empty() { Instant::NEVER } else { self.next_idle_check };
        let stop = self.stopping.or(self.leaving).unwrap_or(Instant::NEVER);
        let ration = self.admission.next_look(self.turn.now);
        let coordinators = self.turn.next_coordinator_deadline();
        let until = self
            .wait_list
            .next_deadline()
            .unwrap_or(Instant::NEVER)
            .min(idle_check)
            .min(stop)
            .min(coordinators)
            .min(self.login_times.next())
            .min(ration)
            .min(self.muted.next())
            .min(self.next_kept_back())
            .min(self.entrance.next());
        (until != Instant::NEVER).then_some(until)
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Accepted { listener, connection, ends } => self.enter(connection, listener.0 as usize, ends),
            Event::Readable(key) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.readable = true;
                    self.enqueue(key);
                }
            }
            Event::Ended(key) => self.handle_ended(key),
            Event::Writable(key) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.writable = true;
                    self.touch(key);
                }
            }
            Event::Woken => self.turn.metrics.wake_up(),
            Event::Done { token, result } => self.handle_done(token, result),
        }
    }

    /// A connection stays here, or goes to the shard that has fewest: the kernel shares them out by chance.
    fn accept(&mut self, key: ConnectionKey, listener: usize, ends: Ends, admission: ConnectionPlace) {
        let shard = self.turn.shared.balance.place(self.turn.shard);
        if shard == self.turn.shard {
            return self.serve(key, listener, ends, admission);
        }
        match self.driver.release(key) {
            Some(socket) => self.turn.shared.mailbox(shard).hand_over(Handover { socket, listener, ends, admission }),
            None => self.turn.shared.balance.remove(shard),
        }
    }

    /// Another shard has accepted it and counted it to this one.
    pub(super) fn take_over(&mut self, Handover { socket, listener, ends, admission }: Handover) {
        // Its broker may have gone down on the way.
        let is_wanted = self.leaving.is_none() && !self.is_down(listener);
        let adopted = if is_wanted { self.driver.adopt(socket) } else { None };
        match adopted {
            Some(key) => self.serve(key, listener, ends, admission),
            None => self.turn.shared.balance.remove(self.turn.shard),
        }
    }

    fn serve(&mut self, key: ConnectionKey, listener: usize, ends: Ends, admission: ConnectionPlace) {
        if self.connections.is_empty() {
            let never_closes = self.turn.shared.config.connections_max_idle_ms < 0;
            self.next_idle_check = if never_closes { Instant::NEVER } else { self.turn.now + self.idle_interval() };
        }
        self.turn.metrics.accept(listener);
        let mut session = match self.turn.shared.logins.offer(listener) {
            Some(_) => Session::unauthenticated(listener, ends.peer),
            None => Session::anonymous(listener, ends.peer),
        };
        session.route.host = self.turn.shared.host_of(listener, ends.local);
        let mut connection = Connection::new(session, self.transport(listener), self.turn.now);
        connection._place = Some(admission);
        self.connections.insert(key, connection);
        self.watch_login(key);
        self.enqueue(key);
    }

    fn enqueue(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.queue.push(key);
        }
    }

    fn touch(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key)
            && !std::mem::replace(&mut connection.touched, true)
        {
            self.touched.push(key);
        }
    }

    fn close(&mut self, key: ConnectionKey, end: End) {
        if let Some(mut connection) = self.connections.remove(key) {
            connection.transport.close(&mut *self.driver, key);
            self.turn.metrics.leave(connection.session.route.listener, end.ending);
            self.driver.close(key);
            self.muted.remove(connection.muted_until, key);
            self.turn.shared.balance.remove(self.turn.shard);
            self.turn.shared.memory.change(connection.counted_bytes, 0);
            self.forget_login(key, &connection);
            // No client is left to be answered. Produces stay: their turn's end, or a sync, ends them.
            if let Some(waiting) = connection.parked.and_then(|parked| self.wait_list.take(parked)) {
                self.fail_exchange(waiting.begun.noted, journal::GONE);
            }
            match end.line {
                // Any host can drive it up, so that it is told at a fixed rate.
                Some(reason) if end.ending == Ending::Tls => self.tell_refused_tls(&connection, &reason),
                Some(reason) => {
                    warn!("connection closed: peer={} shard={}: {reason}", connection.session.peer, self.turn.shard.0);
                }
                None => {}
            }
        }
    }

    /// Handles what has come and writes what was appended, until there is nothing left or others must have their turn.
    fn work(&mut self) {
        for _ in 0..ROUNDS_PER_TURN {
            let queue = self.queue.take();
            for key in &queue {
                if let Err(end) = self.advance(*key) {
                    self.close(*key, end);
                }
            }
            self.queue.give_back(queue);
            self.begin_marker_jobs();
            let wrote = self.write_dirty();
            if !wrote && self.queue.is_empty() && self.turn.is_done() {
                return;
            }
        }
    }

    fn idle_interval(&self) -> Duration {
        let idle_ms = u64::try_from(self.turn.shared.config.connections_max_idle_ms).unwrap_or(u64::MAX);
        Duration::from_millis(idle_ms / 4).clamp(IDLE_CHECK.0, IDLE_CHECK.1)
    }

    fn close_idle(&mut self) {
        let idle_ms = self.turn.shared.config.connections_max_idle_ms;
        if self.turn.now < self.next_idle_check || idle_ms < 0 {
            return;
        }
        self.next_idle_check = self.turn.now + self.idle_interval();
        let limit = Duration::from_millis(idle_ms as u64);
        let is_idle = |c: &Connection| c.owes_nothing_now() && self.turn.now.since(c.last_active) > limit;
        let idle: Vec<_> = self.connections.iter().filter(|(_, c)| is_idle(c)).map(|(key, _)| key).collect();
        for key in idle {
            self.close(key, End { ending: Ending::Idle, line: None });
        }
    }

    fn end_farewell(&mut self) {
        let has_none = self.connections.is_empty() && self.inquiries.is_empty();
        let is_over = |until| self.turn.now >= until || has_none;
        if self.stopping.is_none() && self.leaving.is_some_and(is_over) {
            self.stopping = Some(self.turn.now + self.turn.shared.config.stop_patience);
        }
    }

    fn has_stopped(&mut self) -> bool {
        let Some(until) = self.stopping else { return false };
        let at_rest = self.wait_list.is_empty()
            && self.inquiries.is_empty()
            && self.jobs.is_empty()
            && self.connections.iter().all(|(_, connection)| connection.is_at_rest());
        if !at_rest && self.turn.now < until {
            return false;
        }
        info!("shard {} stopped with {} connections", self.turn.shard.0, self.connections.len());
        for key in self.connections.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.close(key, End { ending: Ending::Stop, line: None });
        }
        self.end_inquiries();
        true
    }
}
