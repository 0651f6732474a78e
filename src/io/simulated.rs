//! A simulated machine: a clock that moves when told, a network that splits and delays as its seed decides, and disk
//! operations that end later than they begin. One thread drives everything, so a seed gives the same run again.
//!
//! A driver of it never sleeps: a wait takes what has happened by now. The test moves the clock with
//! [`World::advance`] and gives each shard its turn.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::io::disk::File;
use crate::io::driver::{ConnectionKey, Driver, Ends, Event, ListenerKey, Listening, Operation, Released, Waker};
use crate::io::pool;
use crate::model::{Instant, TimestampMs};
use crate::stdx::mutex::Mutex;
use crate::stdx::random::Random;
use crate::stdx::slab::Slab;

/// Bytes that a simulated socket takes before it is full: small, so that it is full often.
const SOCKET_BYTES: usize = 64 * 1024;
/// The longest that bytes or a disk operation are under way.
const MAX_DELAY: Duration = Duration::from_millis(2);
/// Where the simulated wall clock begins: 2026-01-01.
const WALL_START_MS: i64 = 1_767_225_600_000;

/// How the machine behaves at the moment.
#[derive(Clone, Copy, Debug)]
pub struct NetworkConditions {
    /// The longest that bytes are under way.
    pub max_delay: Duration,
    /// The longest that a disk operation takes.
    pub max_operation: Duration,
    /// One of so many receives brings a whole piece, the others some bytes of it.
    pub whole_one_in: u64,
    /// Half of the disk operations happen at the end of their time instead of at the beginning.
    pub late_operations: bool,
}

impl Default for NetworkConditions {
    fn default() -> NetworkConditions {
        NetworkConditions { max_delay: MAX_DELAY, max_operation: MAX_DELAY, whole_one_in: 2, late_operations: false }
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    /// What is under way or has arrived, with its time of arrival; times never go down.
    chunks: VecDeque<(Instant, Vec<u8>)>,
    size_bytes: usize,
    closed: bool,
    /// The reader was told of everything that has arrived up to here.
    told: Instant,
    /// The writer found the pipe full and wants to hear of room.
    wants_room: bool,
}

/// The end of a connection on its way from one driver to another.
const NO_DRIVER: usize = usize::MAX;

struct Link {
    driver: usize,
    to_broker: Pipe,
    to_client: Pipe,
    closed_by_broker: bool,
}

struct State {
    now: Instant,
    random: Random,
    links: Slab<Link>,
    drivers: Vec<DriverState>,
    listeners: Vec<(SocketAddr, Vec<usize>)>,
    conditions: NetworkConditions,
    /// How far the wall clock is from where it would be if no test had set it.
    wall_skew_ms: i64,
    times_yielded: u64,
    last_listening: Option<Listening>,
    between_looks: Duration,
}

#[derive(Default)]
struct DriverState {
    events: Vec<(Instant, Event)>,
    /// Operations that happen when their time has passed.
    late: Vec<(Instant, u64, Operation)>,
    woken: bool,
}

/// The machine; clones are the same one.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

impl World {
    pub fn new(seed: u64) -> World {
        let state = State {
            now: Instant::default() + Duration::from_secs(1),
            random: Random::new(seed),
            links: Slab::default(),
            drivers: Vec::new(),
            listeners: Vec::new(),
            conditions: NetworkConditions::default(),
            wall_skew_ms: 0,
            times_yielded: 0,
            last_listening: None,
            between_looks: Duration::ZERO,
        };
        World(Arc::new(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }

    /// A driver for one more shard.
    pub fn driver(&self) -> Simulated {
        let mut state = self.state();
        state.drivers.push(DriverState::default());
        Simulated { world: self.clone(), number: state.drivers.len() - 1 }
    }

    pub fn now(&self) -> Instant {
        self.state().now
    }

    pub fn wall(&self) -> TimestampMs {
        let state = self.state();
        TimestampMs(WALL_START_MS + state.wall_skew_ms + (state.now.0 / 1_000_000) as i64)
    }

    /// Sets the wall clock forward or back.
    pub fn skew_wall(&self, by_ms: i64) {
        self.state().wall_skew_ms += by_ms;
    }

    /// How often a driver was told to give way.
    pub fn times_yielded(&self) -> u64 {
        self.state().times_yielded
    }

    /// How much time passes until a driver has looked at the clock.
    pub fn set_time_between_looks(&self, time: Duration) {
        self.state().between_looks = time;
    }

    /// What was asked of the socket that was the last to listen.
    pub fn last_listening(&self) -> Option<Listening> {
        self.state().last_listening
    }

    pub fn set_conditions(&self, conditions: NetworkConditions) {
        self.state().conditions = conditions;
    }

    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now = state.now + by;
    }

    /// What is under way to clients is lost with the machine, as far as they have not received it.
    pub fn lose_answers(&self) {
        let mut state = self.state();
        let keys: Vec<_> = state.links.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(link) = state.links.get_mut(key) {
                link.to_client.chunks.clear();
                link.to_client.size_bytes = 0;
            }
        }
    }

    /// The machine that the drivers ran on is gone: no driver listens, every connection has ended.
    pub fn cut_all(&self) {
        let mut state = self.state();
        state.listeners.clear();
        // What was submitted and has not happened never will.
        let left = std::mem::take(&mut state.drivers);
        state.drivers = left.iter().map(|_| DriverState::default()).collect();
        drop(state);
        drop(left);
        let mut state = self.state();
        let keys: Vec<_> = state.links.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(link) = state.links.get_mut(key) {
                link.closed_by_broker = true;
                link.to_client.closed = true;
                link.to_broker.closed = true;
            }
        }
    }

    /// A client's connection to a listening address, accepted by one of the shards there.
    pub fn connect(&self, address: SocketAddr) -> io::Result<Client> {
        let mut state = self.state();
        let found = state.listeners.iter().position(|(a, drivers)| *a == address && !drivers.is_empty());
        let listener = found.ok_or(ErrorKind::ConnectionRefused)?;
        let shards = state.listeners[listener].1.len() as u64;
        let chosen = state.random.below(shards) as usize;
        let driver = state.listeners[listener].1[chosen];
        let link = Link { driver, to_broker: Pipe::default(), to_client: Pipe::default(), closed_by_broker: false };
        let connection = ConnectionKey(state.links.insert(link));
        let at = state.now + state.delay();
        let ends = Ends { peer: SocketAddr::from(([127, 0, 0, 1], 40_000)), local: address };
        let accepted = Event::Accepted { listener: ListenerKey(listener as u32), connection, ends };
        state.drivers[driver].events.push((at, accepted));
        Ok(Client { world: self.clone(), connection })
    }
}

impl World {
    /// The broker's side ends a connection.
    fn close(&self, connection: ConnectionKey) {
        let mut state = self.state();
        if let Some(link) = state.links.get_mut(connection.0) {
            link.closed_by_broker = true;
            let gone = link.to_broker.closed;
            link.to_client.closed = true;
            link.to_broker.closed = true;
            if gone {
                state.links.remove(connection.0);
            }
        }
    }
}

impl State {
    fn delay(&mut self) -> Duration {
        self.up_to(self.conditions.max_delay)
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_nanos(self.random.below(most.as_nanos().max(1) as u64))
    }
}

impl Pipe {
    /// Takes what fits, to arrive at `at`.
    fn write(&mut self, slices: &[IoSlice<'_>], at: Instant) -> io::Result<usize> {
        if self.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = SOCKET_BYTES - self.size_bytes;
        let mut chunk: Vec<u8> = Vec::new();
        for slice in slices {
            chunk.extend_from_slice(&slice[..slice.len().min(room - chunk.len())]);
        }
        if chunk.is_empty() {
            self.wants_room = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let length = chunk.len();
        assert!(length <= room, "a socket takes what fits");
        let at = self.chunks.back().map_or(at, |(last, _)| at.max(*last));
        // What the reader was told of had arrived: a chunk without any delay comes behind it, or it would never hear of it.
        let at = at.max(self.told + Duration::from_nanos(1));
        self.size_bytes += length;
        self.chunks.push_back((at, chunk));
        Ok(length)
    }

    /// Takes what has arrived, at most so many bytes of it.
    fn read(&mut self, buffer: &mut Vec<u8>, most: usize, now: Instant) -> io::Result<usize> {
        let Some((at, chunk)) = self.chunks.front_mut() else {
            return if self.closed { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        };
        if *at > now {
            return Err(ErrorKind::WouldBlock.into());
        }
        let length = chunk.len().min(most);
        buffer.extend(chunk.drain(..length));
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
        assert!(length <= self.size_bytes, "no more is received than was sent");
        self.size_bytes -= length;
        Ok(length)
    }

    /// Whether something arrived since the reader was told last.
    fn tell(&mut self, now: Instant) -> bool {
        let arrived = self.chunks.iter().any(|(at, _)| *at > self.told && *at <= now);
        let ended = self.closed && self.told != Instant::NEVER && self.chunks.iter().all(|(at, _)| *at <= now);
        self.told = if ended { Instant::NEVER } else { now.max(self.told) };
        arrived || ended
    }
}

/// The client's end of a connection.
pub struct Client {
    world: World,
    connection: ConnectionKey,
}

impl Client {
    /// Sends what fits; `WouldBlock` if nothing does.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.world.state();
        let at = state.now + state.delay();
        let link = state.links.get_mut(self.connection.0).ok_or(ErrorKind::BrokenPipe)?;
        link.to_broker.write(&[IoSlice::new(bytes)], at)
    }

    /// Receives what has arrived; 0 is the end, `WouldBlock` nothing yet.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.world.state();
        let now = state.now;
        let Some(link) = state.links.get_mut(self.connection.0) else { return Ok(0) };
        let mut received = Vec::new();
        let read = link.to_client.read(&mut received, buffer.len(), now);
        buffer[..received.len()].copy_from_slice(&received);
        if read.is_ok() && std::mem::take(&mut link.to_client.wants_room) {
            let driver = link.driver;
            if let Some(driver) = state.drivers.get_mut(driver) {
                driver.events.push((now, Event::Writable(self.connection)));
            }
        }
        read
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if let Some(link) = state.links.get_mut(self.connection.0) {
            link.to_broker.closed = true;
            link.to_client.closed = true;
            if link.closed_by_broker {
                state.links.remove(self.connection.0);
            }
        }
    }
}

/// A connection that no driver watches at the moment.
struct Unwatched {
    world: World,
    connection: ConnectionKey,
}

impl Drop for Unwatched {
    fn drop(&mut self) {
        // Unless it was adopted.
        let is_left = self.world.state().links.get_mut(self.connection.0).is_some_and(|link| link.driver == NO_DRIVER);
        if is_left {
            self.world.close(self.connection);
        }
    }
}

struct WorldWaker {
    world: World,
    number: usize,
}

impl Waker for WorldWaker {
    fn wake(&self) {
        self.world.state().drivers[self.number].woken = true;
    }
}

/// One shard's driver.
pub struct Simulated {
    world: World,
    number: usize,
}

impl Simulated {
    fn perform_late(&mut self) {
        let due: Vec<_> = {
            let mut state = self.world.state();
            let now = state.now;
            let late = std::mem::take(&mut state.drivers[self.number].late);
            let (due, later) = late.into_iter().partition(|(at, _, _)| *at <= now);
            state.drivers[self.number].late = later;
            due
        };
        for (at, token, operation) in due {
            let result = pool::perform(operation);
            self.world.state().drivers[self.number].events.push((at, Event::Done { token, result }));
        }
    }
}

impl Driver for Simulated {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn now(&self) -> Instant {
        let mut state = self.world.state();
        state.now = state.now + state.between_looks;
        state.now
    }

    fn wall(&self) -> TimestampMs {
        self.world.wall()
    }

    fn listen(&mut self, address: SocketAddr, listening: &Listening) -> io::Result<(ListenerKey, SocketAddr)> {
        let mut state = self.world.state();
        state.last_listening = Some(*listening);
        let at = state.listeners.iter().position(|(a, drivers)| *a == address && !drivers.is_empty());
        match at {
            Some(_) if !listening.shared => Err(ErrorKind::AddrInUse.into()),
            Some(at) => {
                state.listeners[at].1.push(self.number);
                Ok((ListenerKey(at as u32), address))
            }
            None => {
                state.listeners.push((address, vec![self.number]));
                Ok((ListenerKey(state.listeners.len() as u32 - 1), address))
            }
        }
    }

    fn set_refuses(&mut self, listener: ListenerKey, refuses: bool) -> io::Result<()> {
        let drivers = &mut self.world.state().listeners[listener.0 as usize].1;
        drivers.retain(|driver| *driver != self.number);
        if !refuses {
            drivers.push(self.number);
        }
        Ok(())
    }

    fn stop_listening(&mut self) {
        let number = self.number;
        for (_, drivers) in &mut self.world.state().listeners {
            drivers.retain(|driver| *driver != number);
        }
    }

    fn wait(&mut self, _until: Option<Instant>, out: &mut Vec<Event>) -> io::Result<()> {
        self.perform_late();
        let mut state = self.world.state();
        let (now, number) = (state.now, self.number);
        if std::mem::take(&mut state.drivers[number].woken) {
            out.push(Event::Woken);
        }
        let events = std::mem::take(&mut state.drivers[number].events);
        let (due, later) = events.into_iter().partition(|(at, _)| *at <= now);
        state.drivers[number].events = later;
        let due: Vec<(Instant, Event)> = due;
        out.extend(due.into_iter().map(|(_, event)| event));
        let mine: Vec<_> =
            state.links.iter().filter(|(_, l)| l.driver == number && !l.closed_by_broker).map(|(k, _)| k).collect();
        for key in mine {
            let Some(link) = state.links.get_mut(key) else { continue };
            if link.to_broker.tell(now) {
                out.push(Event::Readable(ConnectionKey(key)));
                if link.to_broker.closed {
                    out.push(Event::Ended(ConnectionKey(key)));
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        let mut state = self.world.state();
        let now = state.now;
        // Now and then the bytes come in pieces, as from a real network.
        let whole_one_in = state.conditions.whole_one_in;
        let limit = if state.random.chance(whole_one_in) { usize::MAX } else { state.random.below(64) as usize };
        let link = state.links.get_mut(connection.0).ok_or(ErrorKind::NotConnected)?;
        link.to_broker.read(buffer, most.min(limit.max(1)), now)
    }

    fn send(&mut self, connection: ConnectionKey, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        let mut state = self.world.state();
        let at = state.now + state.delay();
        let link = state.links.get_mut(connection.0).ok_or(ErrorKind::NotConnected)?;
        link.to_client.write(slices, at)
    }

    fn send_file(
        &mut self,
        connection: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        let mut bytes = vec![0; length.min(SOCKET_BYTES)];
        let read = file.read_at(&mut bytes, position)?;
        self.send(connection, &[IoSlice::new(&bytes[..read])], false)
    }

    fn close(&mut self, connection: ConnectionKey) {
        self.world.close(connection);
    }

    fn release(&mut self, connection: ConnectionKey) -> Option<Released> {
        let mut state = self.world.state();
        state.links.get_mut(connection.0)?.driver = NO_DRIVER;
        Some(Released::new(Unwatched { world: self.world.clone(), connection }))
    }

    fn adopt(&mut self, released: Released) -> Option<ConnectionKey> {
        let unwatched: Unwatched = released.take()?;
        let connection = unwatched.connection;
        if let Some(link) = self.world.state().links.get_mut(connection.0) {
            link.driver = self.number;
            link.to_broker.told = Instant::default();
        }
        Some(connection)
    }

    fn yield_now(&mut self) {
        self.world.state().times_yielded += 1;
    }

    fn submit(&mut self, token: u64, operation: Operation) {
        let (at, is_late) = {
            let mut state = self.world.state();
            let most = state.conditions.max_operation;
            let is_late = state.conditions.late_operations && state.random.chance(2);
            (state.now + state.up_to(most), is_late)
        };
        if is_late {
            return self.world.state().drivers[self.number].late.push((at, token, operation));
        }
        // Not under the lock: the operation may wake a driver.
        let result = pool::perform(operation);
        self.world.state().drivers[self.number].events.push((at, Event::Done { token, result }));
    }

    fn waker(&self) -> Arc<dyn Waker> {
        Arc::new(WorldWaker { world: self.world.clone(), number: self.number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 9092);

    /// Sends 200 kB through a full and splitting network; answers what arrived and the steps that it took.
    fn transfer(seed: u64) -> (Vec<u8>, usize) {
        let world = World::new(seed);
        let mut driver = world.driver();
        let address = SocketAddr::from(ADDRESS);
        driver.listen(address, &Listening::default()).unwrap();
        let client = world.connect(address).unwrap();
        let content: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
        let (mut sent, mut received, mut steps) = (0, Vec::new(), 0);
        while received.len() < content.len() {
            steps += 1;
            assert!(steps < 100_000, "the network stands still");
            sent += client.send(&content[sent..]).unwrap_or(0);
            world.advance(Duration::from_micros(100));
            let mut events = Vec::new();
            driver.wait(None, &mut events).unwrap();
            for event in events {
                let Event::Readable(key) = event else { continue };
                while driver.receive(key, &mut received, 1000).is_ok() {}
            }
        }
        assert_eq!(received, content);
        (received, steps)
    }

    #[test]
    fn everything_arrives_in_order_and_a_seed_repeats_it() {
        assert_eq!(transfer(1), transfer(1));
        assert_ne!(transfer(1).1, transfer(2).1);
    }

    #[test]
    fn what_takes_no_time_is_told_as_well() {
        let world = World::new(4);
        world.set_conditions(NetworkConditions { max_delay: Duration::ZERO, ..NetworkConditions::default() });
        let mut driver = world.driver();
        let address = SocketAddr::from(ADDRESS);
        driver.listen(address, &Listening::default()).unwrap();
        let client = world.connect(address).unwrap();
        for _ in 0..3 {
            driver.wait(None, &mut Vec::new()).unwrap();
            client.send(b"at once").unwrap();
            world.advance(Duration::from_micros(1));
            let mut events = Vec::new();
            driver.wait(None, &mut events).unwrap();
            assert!(matches!(events[..], [Event::Readable(_)]), "{events:?}");
        }
    }

    #[test]
    fn the_end_is_told_to_both_sides() {
        let world = World::new(3);
        let mut driver = world.driver();
        let address = SocketAddr::from(ADDRESS);
        assert!(world.connect(address).is_err());
        driver.listen(address, &Listening::default()).unwrap();
        let (first, second) = (world.connect(address).unwrap(), world.connect(address).unwrap());
        world.advance(MAX_DELAY);
        let mut events = Vec::new();
        driver.wait(None, &mut events).unwrap();
        let keys: Vec<_> = events
            .iter()
            .filter_map(|e| if let Event::Accepted { connection, .. } = e { Some(*connection) } else { None })
            .collect();
        let of = |client: &Client| *keys.iter().find(|key| **key == client.connection).unwrap();
        driver.close(of(&first));
        assert_eq!(first.receive(&mut [0; 1]).unwrap(), 0);
        let second_key = of(&second);
        drop(second);
        events.clear();
        driver.wait(None, &mut events).unwrap();
        assert!(matches!(events[..], [Event::Readable(key), Event::Ended(_)] if key == second_key));
        assert_eq!(driver.receive(second_key, &mut Vec::new(), 1).unwrap(), 0);
    }
}
