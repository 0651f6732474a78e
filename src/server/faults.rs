//! What rules of a test do to requests: errors instead of them or behind them, delays, connections that end, answers that do
//! not come. Without a rule each request pays for one look at a counter, without `klamm.faults` for one at `None`.
//!
//! A request that is kept from being handled, or an answer that is kept from its client, is a value with a deadline; it
//! holds up what is behind it on its connection, as a slow broker would.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::faults::{self, Deed, RequestFacts, Struck};
use crate::handlers::{self, Answer, Handler, Order};
use crate::io::driver::ConnectionKey;
use crate::metrics::Ending;
use crate::model::{ApiKey, Instant, Uuid};
use crate::record::header;
use crate::replica::view::View;
use crate::server::inlet::Asking;
use crate::server::journal::GONE;
use crate::server::parking::{Asker, Begun};
use crate::server::throttle::header_of;
use crate::server::{End, Server};
use crate::storage::log::Slice;
use crate::wire::api;
use crate::wire::frame::SIZE_BYTES;
use crate::wire::json;
use crate::wire::refusal::{self, ErrorPlace, WhyRefused};

/// Rules do not look into a request with more elements of arrays, and do not change such an answer.
const MOST_ELEMENTS: usize = 100_000;

/// What a rule keeps back.
pub(super) struct KeptBack {
    begun: Begun,
    struck: Struck,
    /// When it goes on by itself.
    until: Instant,
    what: What,
    /// The broker's own request that it waits for, which is given up with it.
    _asking: Option<Asking>,
}

impl KeptBack {
    pub(super) fn is_of(&self, connection: ConnectionKey) -> bool {
        matches!(self.begun.asker, Asker::Connection(key, _) if key == connection)
    }

    pub(super) fn frame_bytes(&self) -> usize {
        match &self.what {
            What::Frame(_, frame) | What::Login(_, frame) => frame.capacity(),
            What::Answer(_) => 0,
        }
    }
}

pub(super) enum What {
    /// A request that was not handled.
    Frame(&'static Handler, Vec<u8>),
    /// The same of a login.
    Login(&'static Handler, Vec<u8>),
    Answer(Option<Answer>),
}

/// What became of a request that a rule has struck before it was handled.
pub(super) enum Spared {
    /// It is handled; the rule may want its answer.
    Handled(Option<Struck>),
    /// It is answered or kept back.
    Gone,
}

impl Server {
    /// Asks the rules about a request, and does what one wants before it is handled. An error ends the connection.
    #[inline]
    pub(super) fn spare(
        &mut self,
        key: ConnectionKey,
        row: &'static Handler,
        frame: &[u8],
        begun: impl Fn(Asker) -> Begun,
    ) -> Result<Spared, End> {
        let Some(struck) = self.strike(key, row, frame, false) else { return Ok(Spared::Handled(None)) };
        let noted = begun(Asker::Broker).noted;
        let spared = self.suffer_before(key, row, frame, (struck, begun));
        if let Err(end) = &spared {
            self.fail_exchange(noted, end.line.as_deref().unwrap_or(GONE));
        }
        spared
    }

    /// The rule that strikes a request, if one does.
    #[inline]
    pub(super) fn strike(
        &self,
        key: ConnectionKey,
        row: &'static Handler,
        frame: &[u8],
        is_login: bool,
    ) -> Option<Struck> {
        let board = self.turn.shared.faults.as_ref().filter(|board| board.is_on())?;
        let header = header_of(frame)?;
        let session = &self.connections.get(key)?.session;
        let image = &self.turn.view.image;
        let body = OnceCell::new();
        let facts = RequestFacts {
            api: row.key,
            broker: self.turn.cast().broker_of(session.route.listener),
            version: header.request_api_version,
            client_id: header.client_id.as_deref().unwrap_or_default(),
            principal: (!is_login).then(|| session.principal.text()),
            body: &|| body.get_or_init(|| body_of(row, frame).unwrap_or_default()),
            topic_of: &|id| Some(image.topic_by_id(Uuid::parse(id)?)?.name.to_string()),
        };
        board.strike(&facts, self.turn.now)
    }

    /// Does what a rule wants before a request is handled.
    fn suffer_before(
        &mut self,
        key: ConnectionKey,
        row: &'static Handler,
        frame: &[u8],
        (struck, begun): (Struck, impl FnOnce(Asker) -> Begun),
    ) -> Result<Spared, End> {
        if struck.is_after {
            return Ok(Spared::Handled(Some(struck)));
        }
        let Some(connection) = self.connections.get_mut(key) else { return Ok(Spared::Gone) };
        if struck.delay_ms > 0 {
            let sequence = connection.answer_later(Order::Alone);
            let begun = begun(Asker::Connection(key, sequence));
            self.keep_back(begun, struck, What::Frame(row, frame.to_vec()));
            return Ok(Spared::Gone);
        }
        match struck.deed {
            // There is no time to wait.
            Deed::Delay => return Ok(Spared::Handled(None)),
            // These are what happens to an answer, whatever the rule says.
            Deed::Throttle(_) | Deed::Truncate(_) | Deed::Corrupt | Deed::Offer => {
                return Ok(Spared::Handled(Some(struck)));
            }
            // It is handled with another view.
            Deed::Stale => return Ok(Spared::Handled(Some(struck))),
            // A client that is told of no brokers has none to ask again. A look at metadata has no effect but to make topics.
            Deed::Error(_) if row.key == ApiKey::Metadata => return Ok(Spared::Handled(Some(struck))),
            Deed::Close => return Err(closes(&struck)),
            Deed::Error(code) => {
                let answer = refusal(row, frame, code).map_err(|reason| End::refused(by(&struck, &reason)))?;
                let sequence = connection.answer_later(row.order);
                self.fill(begun(Asker::Connection(key, sequence)), answer);
            }
            Deed::Hold | Deed::NoAnswer => {
                let sequence = connection.answer_later(Order::Alone);
                let begun = begun(Asker::Connection(key, sequence));
                self.keep_back(begun, struck, What::Frame(row, frame.to_vec()));
            }
            Deed::ExpireMember => {
                let asking = match self.expire_member(row, frame, &struck) {
                    Ok(asking) => asking,
                    Err(reason) => {
                        log::warn!("{}", by(&struck, &reason));
                        return Ok(Spared::Handled(None));
                    }
                };
                let Some(connection) = self.connections.get_mut(key) else { return Ok(Spared::Gone) };
                let sequence = connection.answer_later(Order::Alone);
                let begun = begun(Asker::Connection(key, sequence));
                let what = What::Frame(row, frame.to_vec());
                self.kept_back.push(KeptBack { begun, struck, until: Instant::NEVER, what, _asking: Some(asking) });
            }
        }
        Ok(Spared::Gone)
    }

    /// What the cluster looked like, where a rule wants a request to be answered by that.
    #[inline]
    pub(super) fn as_of(&self, struck: Option<Struck>, listener: usize) -> Option<Arc<View>> {
        let struck = struck.filter(|struck| struck.deed == Deed::Stale)?;
        let (board, cast) = (self.turn.shared.faults.as_ref()?, self.turn.cast());
        let view = board.as_of(struck.rule)?;
        Some(if cast.is_one() { view } else { Arc::new(view.as_seen_by(cast.broker_of(listener))) })
    }

    pub(super) fn keep_back(&mut self, begun: Begun, struck: Struck, what: What) {
        if struck.deed == Deed::NoAnswer {
            self.fail_exchange(begun.noted, &by(&struck, "no answer"));
            if let Asker::Connection(key, _) = begun.asker
                && let Some(connection) = self.connections.get_mut(key)
            {
                connection.never_answers = true;
                if connection.has_ended {
                    self.close(key, End::by_client());
                }
            }
            return;
        }
        let until = match struck.delay_ms {
            0 => Instant::NEVER,
            ms => self.turn.now + Duration::from_millis(ms.into()),
        };
        self.kept_back.push(KeptBack { begun, struck, until, what, _asking: None });
    }

    /// Does what a rule wants with an answer; what is left of it goes to the client.
    pub(super) fn suffer_after(
        &mut self,
        begun: Begun,
        struck: Struck,
        mut answer: Option<Answer>,
    ) -> Option<Option<Answer>> {
        if struck.delay_ms > 0 {
            // The rest of it happens to the answer that then leaves.
            let begun = Begun { struck: struck.without_delay(), ..begun };
            self.keep_back(begun, struck, What::Answer(answer));
            return None;
        }
        match struck.deed {
            Deed::Error(code) => {
                if let Some(whole) = &mut answer {
                    self.accuse(begun, struck, whole, code);
                }
                return Some(answer);
            }
            Deed::Throttle(ms) => {
                if let Some(answer) = &mut answer {
                    answer.throttle_ms = answer.throttle_ms.max(ms);
                }
                return Some(answer);
            }
            Deed::Truncate(bytes) => {
                if let (Some(answer), Asker::Connection(key, _)) = (&mut answer, begun.asker) {
                    truncate(answer, bytes.into());
                    answer.is_last = true;
                    // Closed when this has left.
                    if let Some(connection) = self.connections.get_mut(key) {
                        (connection.is_finished, connection.readable) = (true, false);
                    }
                }
                return Some(answer);
            }
            Deed::Corrupt => {
                if let Some(Err(reason)) = answer.as_mut().map(corrupt) {
                    log::warn!("{}", by(&struck, &reason));
                }
                return Some(answer);
            }
            Deed::Offer => {
                let offer = |body: &mut Value| {
                    if let (Some(board), Some(keys)) = (&self.turn.shared.faults, body["apiKeys"].as_array_mut()) {
                        board.offer(struck.rule, keys);
                    }
                };
                if let Some(Err(reason)) = answer.as_mut().map(|answer| change(begun, answer, offer)) {
                    log::warn!("{}", by(&struck, &reason));
                }
                return Some(answer);
            }
            Deed::Stale | Deed::Delay => return Some(answer),
            Deed::Close => self.end(begun, closes(&struck)),
            Deed::Hold | Deed::NoAnswer => self.keep_back(begun, struck, What::Answer(answer)),
            // It has happened in front of the request.
            Deed::ExpireMember => return Some(answer),
        }
        None
    }

    /// Puts an error into an answer. One that cannot be taken apart stays as it is, with a line in the log.
    fn accuse(&self, begun: Begun, struck: Struck, answer: &mut Answer, code: i16) {
        let board = self.turn.shared.faults.as_ref();
        // Of a rule that has been taken away since nothing is known.
        let Some((topic, partition)) = board.and_then(|board| board.scope(struck.rule)) else { return };
        let image = &self.turn.view.image;
        let is_topic = topic.as_ref().map(|topic| move |found: &str| image.is_topic(found, topic));
        let is_topic = is_topic.as_ref().map(|is_topic| is_topic as &dyn Fn(&str) -> bool);
        if let Err(reason) = change(begun, answer, |body| faults::accuse(body, code, is_topic, partition)) {
            log::warn!("{}", by(&struck, &reason));
        }
    }

    /// When the first of what is kept back goes on. What was released goes on now: its rule has told this shard, which may
    /// not have slept.
    pub(super) fn next_kept_back(&self) -> Instant {
        let next = |kept: &KeptBack| if self.is_let_go(kept) { self.turn.now } else { kept.until };
        self.kept_back.iter().map(next).min().unwrap_or(Instant::NEVER)
    }

    fn is_let_go(&self, kept: &KeptBack) -> bool {
        let is_released = || self.turn.shared.faults.as_ref().is_none_or(|board| board.is_released(&kept.struck));
        let is_held = matches!(kept.struck.deed, Deed::Hold | Deed::ExpireMember);
        kept.until <= self.turn.now || (is_held && is_released())
    }

    /// Lets those go on whose time is over, or whose rule lets them.
    pub(super) fn let_kept_go_on(&mut self) {
        if self.kept_back.is_empty() {
            return;
        }
        let kept = std::mem::take(&mut self.kept_back);
        // What belongs to a connection goes with it.
        let (kept, gone): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| match kept.begun.asker {
            Asker::Connection(key, _) => self.connections.get(key).is_some(),
            Asker::Inquiry(_) | Asker::Broker => true,
        });
        gone.iter().for_each(|gone| self.fail_exchange(gone.begun.noted, GONE));
        let (free, kept): (Vec<_>, Vec<_>) = kept.into_iter().partition(|kept| self.is_let_go(kept));
        self.kept_back = kept;
        for KeptBack { begun, struck, what, .. } in free {
            match what {
                What::Answer(answer) => self.fill(begun, answer),
                What::Login(row, frame) => {
                    let struck = struck.without_delay().unwrap_or(struck);
                    self.go_on_with_kept_login(begun, struck, (row, &frame));
                }
                What::Frame(row, frame) => self.go_on(begun, struck.without_delay(), (row, &frame)),
            }
        }
    }

    /// Does with a request that has waited what its rule wants besides.
    fn go_on(&mut self, begun: Begun, struck: Option<Struck>, (row, frame): (&'static Handler, &[u8])) {
        match struck {
            Some(Struck { deed: Deed::Error(code), .. }) if row.key != ApiKey::Metadata => {
                match refusal(row, frame, code) {
                    Ok(answer) => self.fill(begun, answer),
                    Err(reason) => self.end(begun, End::refused(reason)),
                }
            }
            Some(struck) if struck.deed == Deed::Close => self.end(begun, closes(&struck)),
            Some(struck) if matches!(struck.deed, Deed::Error(_) | Deed::Stale) => {
                self.handle_kept_back(Begun { struck: Some(struck), ..begun }, row, frame);
            }
            _ => self.handle_kept_back(begun, row, frame),
        }
    }

    fn handle_kept_back(&mut self, begun: Begun, row: &'static Handler, frame: &[u8]) {
        let Asker::Connection(key, _) = begun.asker else { return };
        let began = self.begin_charge(row.key);
        let Some(connection) = self.connections.get(key) else { return self.fail_exchange(begun.noted, GONE) };
        let route = &connection.session.route;
        let stale = self.as_of(begun.struck, route.listener);
        let mut context = self.turn.context_at(Some(route), Some(self.wait_list.ticket()));
        if let Some(stale) = &stale {
            context.view = stale;
        }
        let outcome = handlers::handle(&mut self.handlers, &mut context, row, frame, &connection.session);
        self.end_handling(begun.noted);
        let charge = self.charge(key, row.key, began, frame, &outcome);
        self.settle(Begun { charge, ..begun }, outcome);
    }
}

/// How the log tells of what a rule has done.
pub(super) fn by(struck: &Struck, what: &str) -> String {
    format!("fault rule {}: {what}", struck.rule)
}

pub(super) fn closes(struck: &Struck) -> End {
    End::told(Ending::Refused, by(struck, "the connection is closed"))
}

pub(super) fn body_of(row: &'static Handler, frame: &[u8]) -> Result<Value, String> {
    let version = header_of(frame).ok_or("the header cannot be read")?.request_api_version;
    json::take_request_apart(row.key, version, frame, MOST_ELEMENTS)
}

/// The answer that refuses a request; `None` if its client waits for none.
pub(super) fn refusal(row: &'static Handler, frame: &[u8], code: i16) -> Result<Option<Answer>, String> {
    let header = header_of(frame).ok_or("the header cannot be read")?;
    let refused = WhyRefused { code, told: None, standard: None };
    let (version, body) = (header.request_api_version, body_of(row, frame)?);
    let Some(body) = refusal::refuse(row.key, version, &body, &refused, ErrorPlace::AtElements) else {
        return Ok(None);
    };
    let description = api::describe(row.key).ok_or("there is no such API")?;
    let (bytes, errors) = json::response_frame(description, version, header.correlation_id, &body)?;
    Ok(Some(Answer { bytes, errors, ..Answer::default() }))
}

/// Changes an answer's body. It stays as it is if it cannot be taken apart.
fn change(begun: Begun, answer: &mut Answer, change: impl FnOnce(&mut Value)) -> Result<(), String> {
    let (correlation_id, mut body) = parts_of(begun, answer)?;
    change(&mut body);
    let description = api::describe(begun.api).ok_or("there is no such API")?;
    let (bytes, errors) = json::response_frame(description, begun.version, correlation_id, &body)?;
    *answer = Answer { bytes, errors, throttle_ms: answer.throttle_ms, ..Answer::default() };
    Ok(())
}

/// Leaves so many bytes of an answer, those that are in files among them.
fn truncate(answer: &mut Answer, bytes: u64) {
    let (mut left, mut from) = (bytes, 0);
    for hole in 0..answer.holes.len() {
        let (at, slice) = &mut answer.holes[hole];
        let before = (*at - from) as u64;
        if left <= before {
            return cut(answer, from + left as usize, hole);
        }
        left -= before;
        from = *at;
        if left <= slice.length {
            slice.length = left;
            return cut(answer, from, hole + 1);
        }
        left -= slice.length;
    }
    let end = usize::try_from(left).map_or(usize::MAX, |left| from.saturating_add(left));
    cut(answer, end, answer.holes.len());
}

fn cut(answer: &mut Answer, end: usize, holes: usize) {
    answer.bytes.truncate(end);
    answer.holes.truncate(holes);
}

/// Takes the records of an answer into memory, on the shard's thread, and makes a byte of the first batch of each range another
/// one: behind the header, so that the checksum is the first to tell.
fn corrupt(answer: &mut Answer) -> Result<(), String> {
    let ranges = answer.holes.iter().map(|(at, slice)| Ok((*at, records_of(slice)?)));
    let ranges = ranges.collect::<Result<Vec<_>, String>>()?;
    for (at, mut records) in ranges.into_iter().rev() {
        let wrong = header::HEADER_SIZE.min(records.len().saturating_sub(1));
        if let Some(byte) = records.get_mut(wrong) {
            *byte ^= 1;
        }
        answer.bytes.splice(at..at, records);
    }
    answer.holes.clear();
    Ok(())
}

fn records_of(slice: &Slice) -> Result<Vec<u8>, String> {
    let mut records = vec![0; usize::try_from(slice.length).map_err(|_| "it is too large")?];
    let mut at = 0;
    while at < records.len() {
        let read = slice.file.read_at(&mut records[at..], slice.position.0 + at as u64);
        match read.map_err(|error| error.to_string())? {
            0 => return Err("a segment is shorter than its index says".into()),
            length => at += length,
        }
    }
    Ok(records)
}

/// The correlation id and the body of an answer; records that are in files count as left out.
fn parts_of(begun: Begun, answer: &Answer) -> Result<(i32, Value), String> {
    let holes: Vec<_> = answer.holes.iter().map(|(at, slice)| (at.saturating_sub(SIZE_BYTES), slice.length)).collect();
    let frame = answer.bytes.get(SIZE_BYTES..).ok_or("it is no frame")?;
    json::take_response_apart(begun.api, begun.version, frame, &holes, MOST_ELEMENTS)
}
