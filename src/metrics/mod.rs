//! What the shards count: requests, bytes, times, connections, turns.
//!
//! Each shard has counters of its own, on cache lines that no other shard writes, and one [`Recorder`] that raises them.
//! Recording locks nothing and allocates nothing, but for the first request of an API on a shard. Reading may be a few counts
//! behind, and does not see all counters at one moment.
//!
//! Errors are those that answers tell, each as often as it stands in them: an answer may tell of some partitions only. Requests
//! that are refused have no answer; they are counted as why connections ended ([`Ending`]).
//!
//! Knows no API by name: they are numbers here.

mod counter;
mod histogram;
mod idle;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use counter::Counter;
use histogram::Histogram;
pub use histogram::Times;
pub use idle::Idle;
use idle::Waits;

/// Why a connection, or a request without one, has ended without its client being answered any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The client has closed it, or its host is gone.
    Client,
    /// Nothing was asked for `connections.max.idle.ms`.
    Idle,
    /// The broker stops.
    Stop,
    /// No frame of Kafka's protocol, or one larger than `socket.request.max.bytes`.
    BadFrame,
    /// A handshake that has failed or taken too long, bytes that the connection's cipher does not take, TLS on a plain listener.
    Tls,
    /// A request that the broker refuses to answer: an API or a version that is not offered, a body that cannot be read.
    Refused,
    /// A client that has not logged in, or not again in time.
    Authentication,
    /// Memory is short, and this one holds some of it.
    Memory,
    /// The machine has failed: a socket or a file.
    Failure,
}

impl Ending {
    pub const ALL: [Ending; 9] = [
        Ending::Client,
        Ending::Idle,
        Ending::Stop,
        Ending::BadFrame,
        Ending::Tls,
        Ending::Refused,
        Ending::Authentication,
        Ending::Memory,
        Ending::Failure,
    ];

    /// The word for it in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Ending::Client => "client",
            Ending::Idle => "idle",
            Ending::Stop => "stop",
            Ending::BadFrame => "bad_frame",
            Ending::Tls => "tls",
            Ending::Refused => "refused",
            Ending::Authentication => "authentication",
            Ending::Memory => "memory",
            Ending::Failure => "failure",
        }
    }
}

/// The counters of all shards.
pub struct Metrics {
    shards: Vec<Arc<Shard>>,
}

/// The counters of one shard: whole cache lines, in pairs as processors fetch them.
#[repr(align(128))]
struct Shard {
    has_recorder: AtomicBool,
    turns: Counter,
    wake_ups: Counter,
    waits: Waits,
    accepted: Counter,
    /// Connections that it serves, by the listener's place in the configuration.
    open: Box<[Counter]>,
    ended: [Counter; Ending::ALL.len()],
    bytes_in: Counter,
    bytes_out: Counter,
    apis: Box<[OnceLock<Box<Api>>]>,
}

/// The counters of one API on one shard.
#[derive(Default)]
#[repr(align(128))]
struct Api {
    requests: Counter,
    bytes_in: Counter,
    bytes_out: Counter,
    times: Histogram,
    /// Made with the first error.
    errors: OnceLock<Box<ErrorCounts>>,
}

/// Kafka's codes begin at -1.
const FIRST_CODE: i16 = -1;
/// Kafka 4.4 has 134 of them, -1 among them. What is beyond counts as the last.
const ERROR_CODES: usize = 192;

/// How often each error code was told, [`FIRST_CODE`] first.
struct ErrorCounts([Counter; ERROR_CODES]);

impl Default for ErrorCounts {
    fn default() -> ErrorCounts {
        ErrorCounts([const { Counter::new() }; ERROR_CODES])
    }
}

impl Default for Counter {
    fn default() -> Counter {
        Counter::new()
    }
}

impl Metrics {
    /// Counters at zero for so many shards and listeners, and for APIs with numbers below `apis`.
    pub fn new(shards: usize, listeners: usize, apis: usize) -> Metrics {
        let shard = || Shard {
            has_recorder: AtomicBool::new(false),
            turns: Counter::new(),
            wake_ups: Counter::new(),
            waits: Waits::default(),
            accepted: Counter::new(),
            open: (0..listeners).map(|_| Counter::new()).collect(),
            ended: [const { Counter::new() }; Ending::ALL.len()],
            bytes_in: Counter::new(),
            bytes_out: Counter::new(),
            apis: (0..apis).map(|_| OnceLock::new()).collect(),
        };
        Metrics { shards: (0..shards).map(|_| Arc::new(shard())).collect() }
    }

    /// The one that counts for a shard. Taken once, by the shard's own thread.
    pub fn recorder(&self, shard: usize) -> Recorder {
        let shard = self.shards[shard].clone();
        assert!(!shard.has_recorder.swap(true, Ordering::Relaxed), "one thread counts for a shard");
        Recorder { shard, not_shared: PhantomData }
    }

    /// How many turns each shard has had so far.
    pub fn turns(&self) -> Vec<u64> {
        self.shards.iter().map(|shard| shard.turns.get()).collect()
    }

    /// How much of its time each shard has waited, as of a moment of its clock.
    pub fn idle(&self, now_ns: u64) -> Vec<Idle> {
        self.shards.iter().map(|shard| shard.waits.read(now_ns)).collect()
    }

    /// What each shard has counted so far.
    pub fn read(&self) -> Vec<Counts> {
        self.shards.iter().map(|shard| shard.read()).collect()
    }
}

impl Shard {
    fn read(&self) -> Counts {
        Counts {
            turns: self.turns.get(),
            wake_ups: self.wake_ups.get(),
            accepted: self.accepted.get(),
            open: self.open.iter().map(Counter::get).collect(),
            ended: std::array::from_fn(|at| self.ended[at].get()),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            apis: self.apis.iter().map(|api| api.get().map(|api| api.read()).unwrap_or_default()).collect(),
        }
    }
}

impl Api {
    fn read(&self) -> ApiCounts {
        ApiCounts {
            requests: self.requests.get(),
            bytes_in: self.bytes_in.get(),
            bytes_out: self.bytes_out.get(),
            times: self.times.read(),
            errors: self.errors.get().map(|errors| errors.read()).unwrap_or_default(),
        }
    }
}

impl ErrorCounts {
    fn read(&self) -> Vec<(i16, u64)> {
        let counts = (FIRST_CODE..).zip(self.0.iter().map(Counter::get));
        counts.filter(|(_, count)| *count > 0).collect()
    }
}

/// Counts for one shard, on its thread alone.
pub struct Recorder {
    shard: Arc<Shard>,
    not_shared: PhantomData<Cell<()>>,
}

impl Recorder {
    pub fn turn(&self) {
        self.shard.turns.add(1);
    }

    pub fn wake_up(&self) {
        self.shard.wake_ups.add(1);
    }

    /// The shard has nothing to do, and begins to wait.
    pub fn begin_wait(&self, now_ns: u64) {
        self.shard.waits.begin(now_ns);
    }

    /// Something has happened, or is due.
    pub fn end_wait(&self, now_ns: u64) {
        self.shard.waits.end(now_ns);
    }

    /// Serves a connection of a listener.
    pub fn accept(&self, listener: usize) {
        self.shard.accepted.add(1);
        self.shard.open[listener].add(1);
    }

    /// A connection of a listener is served no more.
    pub fn leave(&self, listener: usize, ending: Ending) {
        self.shard.open[listener].subtract(1);
        self.end(ending);
    }

    pub fn end(&self, ending: Ending) {
        self.shard.ended[ending as usize].add(1);
    }

    pub fn receive(&self, bytes: usize) {
        self.shard.bytes_in.add(bytes as u64);
    }

    pub fn send(&self, bytes: usize) {
        self.shard.bytes_out.add(bytes as u64);
    }

    /// A request has come.
    pub fn request(&self, api: usize, bytes: usize) {
        let api = self.api(api);
        api.requests.add(1);
        api.bytes_in.add(bytes as u64);
    }

    /// A request is answered, in so many bytes.
    pub fn answer(&self, api: usize, bytes: usize) {
        self.api(api).bytes_out.add(bytes as u64);
    }

    /// An answer tells an error so many times.
    pub fn errors(&self, api: usize, code: i16, count: u32) {
        let at = usize::try_from(i32::from(code) - i32::from(FIRST_CODE)).unwrap_or(usize::MAX).min(ERROR_CODES - 1);
        self.api(api).errors.get_or_init(Box::default).0[at].add(count.into());
    }

    /// How long an answered request took.
    pub fn took(&self, api: usize, time: Duration) {
        self.api(api).times.record(time);
    }

    fn api(&self, api: usize) -> &Api {
        self.shard.apis[api].get_or_init(Box::default)
    }
}

/// What a shard, or several together, have counted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Rounds of the shard's loop (`select-total` of `socket-server-metrics`).
    pub turns: u64,
    /// How often another thread has woken the shard from its sleep. No metric of Kafka's.
    pub wake_ups: u64,
    /// Connections that were accepted (`connection-creation-total`).
    pub accepted: u64,
    /// Connections that are open, by the listener's place in the configuration (`connection-count`).
    pub open: Vec<u64>,
    /// Connections that have ended, by [`Ending`] (`connection-close-total` is their sum), and requests without one that ended
    /// without an answer.
    pub ended: [u64; Ending::ALL.len()],
    /// Bytes that came in by sockets (`incoming-byte-total`); `BytesInPerSec` counts those of records by topic.
    pub bytes_in: u64,
    /// Bytes that left by sockets (`outgoing-byte-total`).
    pub bytes_out: u64,
    /// What was counted of each API; its number is the index.
    pub apis: Vec<ApiCounts>,
}

/// What was counted of one API.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ApiCounts {
    /// Requests whose handling has begun (`kafka.network:type=RequestMetrics,name=RequestsPerSec,request=…`).
    pub requests: u64,
    /// Bytes of their frames (the sum of `RequestBytes`).
    pub bytes_in: u64,
    /// Bytes of their answers. No metric of Kafka's.
    pub bytes_out: u64,
    /// Times from the turn that took in the frame to the moment when its answer is handed to the connection (`TotalTimeMs` without
    /// `ResponseSendTimeMs`). A frame that must wait for the ones before it has not begun, as in Kafka, where the socket is not
    /// read meanwhile.
    pub times: Times,
    /// Error codes other than 0 in answers, with how often each was told (`ErrorsPerSec`, which counts 0 as well), in order.
    pub errors: Vec<(i16, u64)>,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.turns += other.turns;
        self.wake_ups += other.wake_ups;
        self.accepted += other.accepted;
        self.open.resize(self.open.len().max(other.open.len()), 0);
        self.open.iter_mut().zip(&other.open).for_each(|(own, more)| *own += more);
        self.ended.iter_mut().zip(other.ended).for_each(|(own, more)| *own += more);
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.apis.resize_with(self.apis.len().max(other.apis.len()), ApiCounts::default);
        self.apis.iter_mut().zip(&other.apis).for_each(|(own, more)| own.add(more));
    }
}

impl ApiCounts {
    pub fn add(&mut self, other: &ApiCounts) {
        self.requests += other.requests;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.times.add(&other.times);
        for (code, count) in &other.errors {
            match self.errors.binary_search_by_key(code, |(code, _)| *code) {
                Ok(at) => self.errors[at].1 += count,
                Err(at) => self.errors.insert(at, (*code, *count)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_count_for_themselves_and_are_added_up() {
        let metrics = Metrics::new(2, 2, 3);
        let (one, two) = (metrics.recorder(0), metrics.recorder(1));
        one.turn();
        one.request(2, 100);
        one.answer(2, 7);
        one.took(2, Duration::from_micros(4));
        two.request(2, 50);
        one.errors(2, 3, 2);
        two.errors(2, -1, 1);
        two.errors(2, 3, 1);
        two.errors(2, i16::MAX, 1);
        two.end(Ending::Refused);
        one.accept(1);
        one.accept(1);
        one.leave(1, Ending::Client);
        two.accept(0);
        let read = metrics.read();
        assert_eq!((read[0].turns, read[1].turns, read[0].apis[2].requests), (1, 0, 1));
        assert_eq!(read[1].ended[Ending::Refused as usize], 1);
        let mut sum = Counts::default();
        read.iter().for_each(|counts| sum.add(counts));
        assert_eq!((&*read[0].open, &*sum.open, sum.accepted), (&[0, 1][..], &[1, 1][..], 3));
        let api = &sum.apis[2];
        assert_eq!(api.errors, [(-1, 1), (3, 3), (FIRST_CODE + ERROR_CODES as i16 - 1, 1)]);
        assert_eq!((api.requests, api.bytes_in, api.bytes_out, api.times.count()), (2, 150, 7, 1));
        assert_eq!(sum.apis[0], ApiCounts::default());
    }

    #[test]
    fn no_two_shards_share_a_cache_line() {
        let metrics = Metrics::new(2, 1, 1);
        let at = |shard: usize| Arc::as_ptr(&metrics.shards[shard]) as usize;
        let whole = [at(0), at(1), size_of::<Shard>(), size_of::<Api>()];
        assert!(whole.iter().all(|bytes| bytes.is_multiple_of(128)) && align_of::<Api>() == 128);
    }

    #[test]
    fn endings_have_a_place_and_a_name_each() {
        for (at, ending) in Ending::ALL.iter().enumerate() {
            assert_eq!(*ending as usize, at);
            assert!(Ending::ALL[..at].iter().all(|other| other.name() != ending.name()));
        }
    }

    #[test]
    #[should_panic(expected = "one thread counts for a shard")]
    fn a_shard_has_one_recorder() {
        let metrics = Metrics::new(1, 1, 1);
        let _first = metrics.recorder(0);
        metrics.recorder(0);
    }
}
