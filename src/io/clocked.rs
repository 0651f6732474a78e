//! A driver whose clock can be set: it waits by a [`SettableClock`], and does everything else as the driver within.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::io::disk::File;
use crate::io::driver::{ConnectionKey, Driver, Event, ListenerKey, Listening, Operation, Released, Waker};
use crate::io::settable_clock::SettableClock;
use crate::model::{Instant, TimestampMs};
use crate::stdx::inbox::Bell;
use crate::stdx::mutex::Mutex;

#[derive(Default)]
struct Waiting {
    is_waiting: bool,
    /// It was woken since it last waited.
    is_woken: bool,
    /// What was submitted and has not ended.
    operations: usize,
    has_ended: bool,
}

/// The way to wake the driver, which tells whether its shard has something to do.
struct ShardBell {
    waker: Arc<dyn Waker>,
    waiting: Mutex<Waiting>,
}

impl Waker for ShardBell {
    fn wake(&self) {
        self.waiting.lock().is_woken = true;
        self.waker.wake();
    }
}

impl Bell for ShardBell {
    fn ring(&self) {
        self.wake();
    }

    /// A shard whose operations go on is going to handle how they end.
    fn is_waiting(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.is_waiting && !waiting.is_woken && waiting.operations == 0
    }

    fn has_ended(&self) -> bool {
        self.waiting.lock().has_ended
    }
}

/// A driver by another clock.
pub struct Clocked {
    driver: Box<dyn Driver>,
    clock: Arc<SettableClock>,
    bell: Arc<ShardBell>,
}

impl Clocked {
    pub fn new(driver: Box<dyn Driver>, clock: Arc<SettableClock>) -> Clocked {
        let bell = ShardBell { waker: driver.waker(), waiting: Mutex::default() };
        Clocked { driver, clock, bell: Arc::new(bell) }
    }

    fn bell(&self) -> Arc<dyn Bell> {
        self.bell.clone()
    }
}

impl Drop for Clocked {
    fn drop(&mut self) {
        self.bell.waiting.lock().has_ended = true;
    }
}

impl Driver for Clocked {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall(&self) -> TimestampMs {
        self.clock.wall()
    }

    fn listen(&mut self, address: SocketAddr, listening: &Listening) -> io::Result<(ListenerKey, SocketAddr)> {
        self.driver.listen(address, listening)
    }

    fn set_refuses(&mut self, listener: ListenerKey, refuses: bool) -> io::Result<()> {
        self.driver.set_refuses(listener, refuses)
    }

    fn stop_listening(&mut self) {
        self.driver.stop_listening();
    }

    fn wait(&mut self, until: Option<Instant>, events: &mut Vec<Event>) -> io::Result<()> {
        let (bell, before) = (self.bell(), events.len());
        let patience = self.clock.begin_wait(&bell, until.unwrap_or(Instant::NEVER));
        let until = patience.map(|patience| self.driver.now() + patience);
        self.bell.waiting.lock().is_waiting = true;
        let waited = self.driver.wait(until, events);
        let ended = events[before..].iter().filter(|event| matches!(event, Event::Done { .. })).count();
        let mut waiting = self.bell.waiting.lock();
        (waiting.is_waiting, waiting.is_woken) = (false, false);
        assert!(waiting.operations >= ended, "what ends was submitted");
        waiting.operations -= ended;
        drop(waiting);
        self.clock.end_wait(&bell);
        waited
    }

    fn receive(&mut self, connection: ConnectionKey, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        self.driver.receive(connection, buffer, most)
    }

    fn send(&mut self, connection: ConnectionKey, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        self.driver.send(connection, slices, more)
    }

    fn send_file(
        &mut self,
        connection: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        self.driver.send_file(connection, file, position, length)
    }

    fn close(&mut self, connection: ConnectionKey) {
        self.driver.close(connection);
    }

    fn release(&mut self, connection: ConnectionKey) -> Option<Released> {
        self.driver.release(connection)
    }

    fn adopt(&mut self, released: Released) -> Option<ConnectionKey> {
        self.driver.adopt(released)
    }

    fn yield_now(&mut self) {
        self.driver.yield_now();
    }

    fn submit(&mut self, token: u64, operation: Operation) {
        self.bell.waiting.lock().operations += 1;
        self.driver.submit(token, operation);
    }

    fn waker(&self) -> Arc<dyn Waker> {
        self.bell.clone()
    }
}
