//! The last requests of a shard, for people who want to see what their clients do: who asked what, how long it took and what
//! was told, with the bodies as they came.
//!
//! A shard collects what it has answered in a turn and adds it to its [`Ring`] before those answers leave, if no reader has the
//! ring at that moment; else it turns once more before it sends. So a client that has its answer finds its request, and a
//! shard never waits for a reader. A reader holds the ring for the copy of some hundred pointers. Bodies are kept by bytes and
//! go before the requests that they belong to.
//!
//! Of a flood a shard takes in a part: no reader keeps up with all, and each costs the shard some microseconds. Each API
//! has an allowance of its own, so that a flood of produces hides no join of a group. What is not taken in is counted.

mod lost;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use self::lost::Lost;
use self::lost::Missed;
use crate::codec::ToldErrors;
use crate::config::HttpSettings;
use crate::model::{ApiKey, Instant, TimestampMs};
use crate::shard::allowance::{Allowance, AllowanceLimit};
use crate::shard::session::Software;
use crate::stdx::mutex::Mutex;
use crate::stdx::slab::{Key, Slab};

/// Requests of one shard that are not answered and are kept in mind; beyond it new ones are not in the journal.
const MOST_OPEN: usize = 16_384;
/// The largest frame that is kept.
pub const MOST_FRAME_BYTES: usize = 1 << 20;
/// Bytes of a client's id that are kept.
const MOST_CLIENT_ID_BYTES: usize = 256;

/// Requests of one API that a shard takes in within a second, beyond as many as it keeps.
const REQUESTS_A_SECOND: u64 = 1000;
/// Bytes of bodies that a shard takes in within a second, beyond as many as it keeps.
const BODY_BYTES_A_SECOND: u64 = 8 << 20;

/// How a request ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExchangeEnd {
    Answered,
    /// There is no answer, as for a produce with `acks=0`.
    Silent,
    /// Its connection ended, for this reason.
    Closed(String),
}

/// A request with its answer, as a shard saw them.
#[derive(Debug)]
pub struct RequestExchange {
    /// Rising, within its shard.
    pub number: u64,
    pub shard: u8,
    pub came: Instant,
    /// The wall clock of the turn that it came in.
    pub at: TimestampMs,
    pub connection: u64,
    pub peer: SocketAddr,
    pub listener: usize,
    pub principal: String,
    pub client_id: String,
    pub software: Option<Software>,
    pub api: ApiKey,
    pub version: i16,
    pub request_bytes: usize,
    pub answer_bytes: usize,
    /// The time from the beginning of its turn to the beginning of its handling.
    pub queued: Duration,
    pub handled: Duration,
    /// The time from the end of its handling to its answer.
    pub waited: Duration,
    pub errors: ToldErrors,
    pub end: ExchangeEnd,
    /// Its bodies may be shown.
    pub keeps_bodies: bool,
    pub bodies: Weak<Bodies>,
}

/// The frames of an exchange, without the size in front.
#[derive(Debug)]
pub struct Bodies {
    pub request: Vec<u8>,
    pub answer: Vec<u8>,
    /// Where in the answer so many bytes of files belong, which are not kept.
    pub holes: Vec<(usize, u64)>,
}

impl Bodies {
    fn size_bytes(&self) -> usize {
        self.request.len() + self.answer.len() + size_of::<(usize, u64)>() * self.holes.len()
    }
}

/// An exchange with what its bodies are while they are kept.
pub struct Whole(Arc<RequestExchange>, Option<Arc<Bodies>>);

struct Held {
    exchanges: VecDeque<Arc<RequestExchange>>,
    bodies: VecDeque<Arc<Bodies>>,
    bodies_bytes: usize,
    /// How many exchanges there were.
    added: u64,
    /// Those that had to go, by their APIs.
    evicted: Vec<Lost>,
}

/// The last exchanges of one shard, for any thread to read.
pub struct Ring {
    most: usize,
    most_bytes: usize,
    held: Mutex<Held>,
    /// Exchanges that were not taken in, as they were too many, by their APIs.
    missed: Vec<Missed>,
}

impl Ring {
    /// `None` where no requests are kept.
    pub fn new(settings: Option<&HttpSettings>) -> Option<Ring> {
        let settings = settings.filter(|settings| settings.requests > 0)?;
        Some(Ring {
            most: settings.requests,
            most_bytes: settings.requests_bytes,
            held: Mutex::new(Held {
                exchanges: VecDeque::new(),
                bodies: VecDeque::new(),
                bodies_bytes: 0,
                added: 0,
                evicted: vec![Lost::NONE; ApiKey::ALL.len()],
            }),
            missed: ApiKey::ALL.iter().map(|_| Missed::default()).collect(),
        })
    }

    /// Adds exchanges unless a reader is here; what must go for them is left in `gone`, to be dropped elsewhere.
    fn try_add(&self, more: &mut Vec<Whole>, gone: &mut Vec<Whole>) -> bool {
        let Some(mut held) = self.held.try_lock() else { return false };
        for Whole(exchange, bodies) in more.drain(..) {
            if let Some(bodies) = bodies {
                held.bodies_bytes += bodies.size_bytes();
                held.bodies.push_back(bodies);
            }
            while held.bodies_bytes > self.most_bytes || held.bodies.len() > self.most {
                let Some(oldest) = held.bodies.pop_front() else { break };
                held.bodies_bytes -= oldest.size_bytes();
                gone.push(Whole(exchange.clone(), Some(oldest)));
            }
            if held.exchanges.len() == self.most
                && let Some(oldest) = held.exchanges.pop_front()
            {
                let evicted = &mut held.evicted[oldest.api as usize];
                *evicted = evicted.and(Lost { count: 1, newest: oldest.at });
                gone.push(Whole(oldest, None));
            }
            held.exchanges.push_back(exchange);
            held.added += 1;
        }
        assert!(held.exchanges.len() <= self.most, "a ring is bounded");
        true
    }

    fn requests_limit(&self) -> AllowanceLimit {
        AllowanceLimit { most: self.most as u64, in_a_second: REQUESTS_A_SECOND }
    }

    fn bodies_limit(&self) -> AllowanceLimit {
        AllowanceLimit { most: self.most_bytes as u64, in_a_second: BODY_BYTES_A_SECOND }
    }

    /// The exchanges from a number on, so many at most.
    pub fn starting_at(&self, number: u64, most: usize) -> Vec<Arc<RequestExchange>> {
        let held = self.held.lock();
        let first = held.exchanges.partition_point(|exchange| exchange.number < number);
        held.exchanges.range(first..).take(most).cloned().collect()
    }

    /// How many exchanges were added, and how many there were that are not kept.
    pub fn counts(&self) -> (u64, u64) {
        let held = self.held.lock();
        let missed: u64 = self.missed.iter().map(|missed| missed.get().count).sum();
        (held.added, held.added - held.exchanges.len() as u64 + missed)
    }

    /// Those that are not kept, of an API or of all, where the newest of an API came then or later.
    pub fn lost(&self, api: Option<ApiKey>, since: Option<TimestampMs>) -> Lost {
        let held = self.held.lock();
        let all = held.evicted.iter().copied().zip(&self.missed).enumerate();
        let of_api = all.filter(|(at, _)| api.is_none_or(|api| api as usize == *at));
        let lost = of_api.flat_map(|(_, (evicted, missed))| [evicted, missed.get()]);
        lost.filter(|lost| since.is_none_or(|since| lost.newest >= since)).fold(Lost::NONE, Lost::and)
    }
}

/// A request that is not answered.
struct OpenExchange {
    exchange: RequestExchange,
    request: Vec<u8>,
    handled_at: Instant,
}

/// What is known of a request when it comes.
pub struct AskedRequest<'a> {
    pub connection: u64,
    pub peer: SocketAddr,
    pub listener: usize,
    pub principal: String,
    pub client_id: &'a str,
    pub software: Option<Software>,
    pub api: ApiKey,
    pub version: i16,
    pub frame: &'a [u8],
    /// What is in its bodies may be shown.
    pub keeps_bodies: bool,
}

/// What is known of an answer.
pub struct ToldAnswer<'a> {
    /// The whole frame, the size in front, without what belongs into its holes.
    pub frame: &'a [u8],
    pub holes: Vec<(usize, u64)>,
    pub size_bytes: usize,
    pub errors: ToldErrors,
}

/// A shard's side of its ring, on its thread alone.
pub struct Journal {
    ring: Arc<Ring>,
    shard: u8,
    open: Slab<OpenExchange>,
    /// Bytes of the requests that are open.
    open_bytes: usize,
    done: Vec<Whole>,
    number: u64,
    /// How many requests of each API may be taken in, and how many bytes of bodies.
    requests: Vec<Allowance>,
    bodies: Allowance,
}

impl Journal {
    pub fn new(ring: Arc<Ring>, shard: u8, now: Instant) -> Journal {
        let requests = vec![Allowance::new(ring.requests_limit(), now); ApiKey::ALL.len()];
        let bodies = Allowance::new(ring.bodies_limit(), now);
        Journal { ring, shard, open: Slab::default(), open_bytes: 0, done: Vec::new(), number: 0, requests, bodies }
    }

    /// Whether a request is taken in, which is asked before anything is found out about it.
    pub fn takes(&mut self, api: ApiKey, now: Instant, wall: TimestampMs) -> bool {
        let takes = self.requests[api as usize].take(1, self.ring.requests_limit(), now);
        if !takes {
            self.ring.missed[api as usize].add(wall);
        }
        takes
    }

    /// A request is about to be handled, in the turn that began at `came`. `None`: too many are open.
    pub fn begin(&mut self, asked: AskedRequest<'_>, (came, at): (Instant, TimestampMs), now: Instant) -> Option<Key> {
        if self.open.len() >= MOST_OPEN {
            self.ring.missed[asked.api as usize].add(at);
            return None;
        }
        let mut client_id = asked.client_id.to_string();
        let kept = (0..=MOST_CLIENT_ID_BYTES).rev().find(|at| client_id.is_char_boundary((*at).min(client_id.len())));
        client_id.truncate(kept.unwrap_or_default());
        let exchange = RequestExchange {
            number: 0,
            shard: self.shard,
            came,
            at,
            connection: asked.connection,
            peer: asked.peer,
            listener: asked.listener,
            principal: asked.principal,
            client_id,
            software: asked.software,
            api: asked.api,
            version: asked.version,
            request_bytes: asked.frame.len(),
            answer_bytes: 0,
            queued: now.since(came),
            handled: Duration::ZERO,
            waited: Duration::ZERO,
            errors: ToldErrors::default(),
            end: ExchangeEnd::Silent,
            keeps_bodies: asked.keeps_bodies,
            bodies: Weak::new(),
        };
        let has_room = self.open_bytes + asked.frame.len() <= self.ring.most_bytes;
        let may_be_kept = asked.keeps_bodies && asked.frame.len() <= MOST_FRAME_BYTES && has_room;
        let is_kept = may_be_kept && self.bodies.take(asked.frame.len() as u64, self.ring.bodies_limit(), now);
        let request = if is_kept { asked.frame.to_vec() } else { Vec::new() };
        self.open_bytes += request.len();
        Some(self.open.insert(OpenExchange { exchange, request, handled_at: now }))
    }

    /// Its handler has come back.
    pub fn handled(&mut self, key: Key, now: Instant) {
        if let Some(open) = self.open.get_mut(key) {
            open.exchange.handled = now.since(open.handled_at);
            open.handled_at = now;
        }
    }

    /// It is answered, or there is no answer.
    pub fn answer(&mut self, key: Key, told: Option<ToldAnswer<'_>>, now: Instant) {
        let Some(mut open) = self.open.remove(key) else { return };
        open.exchange.waited = now.since(open.handled_at);
        let mut answer = Vec::new();
        let mut holes = Vec::new();
        if let Some(told) = told {
            open.exchange.end = ExchangeEnd::Answered;
            open.exchange.answer_bytes = told.size_bytes;
            open.exchange.errors = told.errors;
            let may_be_kept = !open.request.is_empty() && told.frame.len() <= MOST_FRAME_BYTES;
            if may_be_kept && self.bodies.take(told.frame.len() as u64, self.ring.bodies_limit(), now) {
                answer.extend_from_slice(told.frame);
                holes = told.holes;
            }
        }
        self.finish(open, answer, holes);
    }

    /// It is not answered, because its connection ends.
    pub fn close(&mut self, key: Key, reason: &str, now: Instant) {
        let Some(mut open) = self.open.remove(key) else { return };
        open.exchange.waited = now.since(open.handled_at);
        open.exchange.end = ExchangeEnd::Closed(reason.to_string());
        self.finish(open, Vec::new(), Vec::new());
    }

    fn finish(&mut self, open: OpenExchange, answer: Vec<u8>, holes: Vec<(usize, u64)>) {
        let OpenExchange { mut exchange, request, .. } = open;
        self.open_bytes -= request.len();
        exchange.number = self.number;
        self.number += 1;
        let bodies = (!request.is_empty()).then(|| Arc::new(Bodies { request, answer, holes }));
        exchange.bodies = bodies.as_ref().map(Arc::downgrade).unwrap_or_default();
        self.done.push(Whole(Arc::new(exchange), bodies));
    }

    /// Whether everything is in the ring.
    pub fn is_flushed(&self) -> bool {
        self.done.is_empty()
    }

    /// Adds what the turn has answered to the ring, if no reader is there; whether all of it is there now.
    pub fn flush(&mut self) -> bool {
        let mut gone = Vec::new();
        self.is_flushed() || self.ring.try_add(&mut self.done, &mut gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(requests: usize, requests_bytes: usize) -> Arc<Ring> {
        let settings = HttpSettings { listeners: Vec::new(), hosts: Vec::new(), token: None, requests, requests_bytes };
        Arc::new(Ring::new(Some(&settings)).unwrap())
    }

    fn asked(frame: &[u8]) -> AskedRequest<'_> {
        AskedRequest {
            connection: 1,
            peer: ([127, 0, 0, 1], 1).into(),
            listener: 0,
            principal: "User:a".into(),
            client_id: "c",
            software: None,
            api: ApiKey::Fetch,
            version: 12,
            frame,
            keeps_bodies: true,
        }
    }

    fn exchange(journal: &mut Journal, frame: &[u8]) {
        exchange_at(journal, frame, Instant(1_000_000));
    }

    fn exchange_at(journal: &mut Journal, frame: &[u8], came: Instant) {
        let at = TimestampMs(5);
        let key = journal.begin(asked(frame), (came, at), came + Duration::from_micros(2)).unwrap();
        journal.handled(key, came + Duration::from_micros(5));
        let told = ToldAnswer { frame: b"answer", holes: Vec::new(), size_bytes: 6, errors: ToldErrors::default() };
        journal.answer(key, Some(told), came + Duration::from_micros(9));
    }

    #[test]
    fn the_last_are_kept_and_bodies_go_first() {
        let ring = ring(3, 40);
        let mut journal = Journal::new(ring.clone(), 7, Instant(0));
        for frame in [&b"0123456789"[..], b"1", b"2", b"3", b"4"] {
            exchange(&mut journal, frame);
        }
        assert!(ring.starting_at(0, 9).is_empty() && !journal.is_flushed());
        journal.flush();
        let kept = ring.starting_at(0, 9);
        assert!(journal.is_flushed());
        assert_eq!(kept.iter().map(|exchange| exchange.number).collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!((ring.starting_at(3, 9).len(), ring.starting_at(3, 1).len(), ring.counts()), (2, 1, (5, 2)));
        let evicted = Lost { count: 2, newest: TimestampMs(5) };
        assert_eq!((ring.lost(None, None), ring.lost(Some(ApiKey::Fetch), Some(TimestampMs(5)))), (evicted, evicted));
        assert_eq!(ring.lost(None, Some(TimestampMs(6))), Lost::NONE);
        let first = &kept[0];
        let micros = [first.queued, first.handled, first.waited].map(|time| time.as_micros());
        assert_eq!((micros, &first.end, first.answer_bytes), ([2, 3, 4], &ExchangeEnd::Answered, 6));
        assert_eq!(first.bodies.upgrade().unwrap().request, b"2");
        // Later, when as many bytes may be taken in again.
        exchange_at(&mut journal, &[0; 30], Instant(2_000_000));
        journal.flush();
        let kept = ring.starting_at(0, 9);
        assert!(kept[0].bodies.upgrade().is_none() && kept[2].bodies.upgrade().is_some());
    }

    /// Each API has its own allowance, and bodies have one of all.
    #[test]
    fn of_a_flood_not_every_request_is_taken_in() {
        let ring = ring(5, 100);
        // As late as the last step of `exchange`: nothing comes in between.
        let now = Instant(1_009_000);
        let mut journal = Journal::new(ring.clone(), 0, now);
        let mut taken = |api, now| (0..100).filter(|_| journal.takes(api, now, TimestampMs(7))).count();
        assert_eq!((taken(ApiKey::Produce, now), taken(ApiKey::JoinGroup, now)), (5, 5));
        assert_eq!(taken(ApiKey::Produce, now + Duration::from_millis(2)), 2);
        assert_eq!(ring.counts(), (0, 3 * 100 - 12));
        let lost = |api, since| ring.lost(Some(api), Some(TimestampMs(since))).count;
        assert_eq!((lost(ApiKey::Produce, 7), lost(ApiKey::JoinGroup, 0)), (193, 95));
        assert_eq!((lost(ApiKey::Produce, 8), lost(ApiKey::Fetch, 0)), (0, 0), "no later one, and no other API");
        assert_eq!(ring.lost(None, None), Lost { count: 288, newest: TimestampMs(7) });
        (0..3).for_each(|_| exchange(&mut journal, &[0; 40]));
        journal.flush();
        let kept = ring.starting_at(0, 9);
        let bodies = kept.iter().map(|exchange| exchange.bodies.upgrade().is_some());
        assert_eq!(bodies.collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn a_shard_does_not_wait_for_a_reader() {
        let ring = ring(3, 40);
        let mut journal = Journal::new(ring.clone(), 0, Instant(0));
        exchange(&mut journal, b"1");
        let reader = ring.held.lock();
        assert!(!journal.flush() && !journal.is_flushed());
        drop(reader);
        assert!(journal.flush() && journal.is_flushed() && ring.counts() == (1, 0));
    }

    #[test]
    fn what_is_open_is_bounded_and_what_was_not_taken_is_counted() {
        let ring = ring(3, 10);
        let mut journal = Journal::new(ring.clone(), 0, Instant(0));
        let mut begin = |frame: &[u8]| journal.begin(asked(frame), (Instant(5), TimestampMs(0)), Instant(5));
        let keys = [begin(b"123456"), begin(b"12345"), begin(b"1234")].map(Option::unwrap);
        let others = (keys.len()..MOST_OPEN).map(|_| begin(b"")).filter(Option::is_some).count();
        assert!(begin(b"1").is_none() && others == MOST_OPEN - keys.len());
        assert_eq!((ring.counts(), journal.open_bytes), ((0, 1), 10));
        keys.into_iter().for_each(|key| journal.close(key, "why", Instant(9)));
        assert_eq!(journal.open_bytes, 0);
        journal.flush();
        let kept = ring.starting_at(0, 9);
        let bodies = kept.iter().map(|exchange| exchange.bodies.upgrade().map(|bodies| bodies.request.len()));
        assert_eq!(bodies.collect::<Vec<_>>(), [Some(6), None, Some(4)]);
    }

    #[test]
    fn what_ends_without_an_answer_says_why() {
        let ring = ring(3, 0);
        let mut journal = Journal::new(ring.clone(), 0, Instant(0));
        let key = journal.begin(asked(b"f"), (Instant(5), TimestampMs(0)), Instant(5)).unwrap();
        journal.close(key, "the client has gone", Instant(9));
        journal.answer(key, None, Instant(9));
        journal.flush();
        let kept = ring.starting_at(0, 9);
        assert_eq!((kept.len(), &kept[0].end), (1, &ExchangeEnd::Closed("the client has gone".into())));
        assert!(kept[0].bodies.upgrade().is_none(), "no bytes are kept where none may be");
    }
}
