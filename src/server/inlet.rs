//! Requests without a socket: handed to a shard through its mailbox, handled in its turn like any frame, answered by a call.
//!
//! An inquiry is a connection with one request. It waits as others do (parked, with a ticket, ended by its time), and what
//! its answer leaves in files is read by the threads that may block, step by step. Two inquiries have no order but that in
//! which they are handed in; an asker that needs one waits for the first answer.
//!
//! Memory: the mailbox bounds the frames that wait, [`MOST_OPEN`] and the memory for requests what is under way, and
//! [`MOST_ANSWER_BYTES`] one answer. There is no socket to leave the rest in, so that what does not fit is refused.

mod topics;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

pub use self::topics::{NotMade, WantedTopic};
use crate::codec::{Message, Reader};
use crate::handlers::{self, Answer, table};
use crate::io::driver::{Done, Operation};
use crate::metrics::Ending;
use crate::model::ApiKey;
use crate::replica::watch::ShardId;
use crate::server::outbound::{Next, Outbound};
use crate::server::parking::{Asker, Begun};
use crate::server::sending::FILE_STEP_BYTES;
use crate::server::writing::DiskJob;
use crate::server::{End, Server};
use crate::shard::context::{Note, Shared};
use crate::shard::inquiry::{Inquiry, InquiryReply, ReplyTo, Tell};
use crate::shard::mailbox::{Mailbox, NotTaken};
use crate::shard::session::Session;
use crate::stdx::slab::Key;
use crate::wire::api;
use crate::wire::frame::{self, SIZE_BYTES};
use crate::wire::header::ResponseHeader;

/// Inquiries of one shard that are handled and not answered.
const MOST_OPEN: usize = 4096;
/// The largest answer; twice what a fetch brings where `fetch.max.bytes` is not changed.
const MOST_ANSWER_BYTES: usize = 128 << 20;

/// What is told of a request that is given up, to an asker that does not listen any more.
const GONE: &str = "its asker has gone";

/// A way into one shard without a socket.
#[derive(Clone)]
pub struct Inlet {
    mailbox: Arc<Mailbox<Note>>,
}

impl Inlet {
    pub fn new(shared: &Shared, shard: ShardId) -> Inlet {
        Inlet { mailbox: shared.mailbox(shard).clone() }
    }

    /// Hands in a frame, as on the wire without the size in front. `tell` gets the reply on the shard's thread, or here where
    /// the shard takes no more. The request is given up when what this gives back is dropped before.
    pub fn ask(&self, session: Session, frame: Vec<u8>, tell: Tell) -> Asking {
        let (reply, alive) = ReplyTo::new(tell);
        if let Err((why, reply)) = self.mailbox.inquire(Inquiry { frame, session, reply }) {
            let (ending, reason) = match why {
                NotTaken::Full => (Ending::Memory, "too many requests wait for the shard"),
                NotTaken::Closed => (Ending::Stop, "the broker has stopped"),
            };
            reply.tell(InquiryReply::Ended(ending, reason.into()));
        }
        Asking { mailbox: self.mailbox.clone(), alive: Some(alive) }
    }
}

/// A blocking call's patience, and what it calls itself.
const CALL_PATIENCE: Duration = Duration::from_secs(30);
const CALL_CORRELATION_ID: i32 = 1;
const CALL_CLIENT_ID: &str = "klamm";

impl Inlet {
    /// Asks as the broker itself, whom no rule binds. An error is a sentence.
    pub fn send_as_broker<'m>(
        &self,
        key: ApiKey,
        version: i16,
        request: &impl Message<'m>,
        tell: Tell,
    ) -> Result<Asking, String> {
        Ok(self.ask(Session::of_the_broker(), frame_of(key, version, request)?, tell))
    }

    /// The same for an answer that is waited for; answers the response's header and body. An error is a sentence. Blocks: not for a shard's
    /// thread.
    pub fn call_as_broker<'m>(&self, key: ApiKey, version: i16, request: &impl Message<'m>) -> Result<Vec<u8>, String> {
        let (sender, told) = channel();
        let _asking = self.send_as_broker(key, version, request, Box::new(move |reply| drop(sender.send(reply))))?;
        match told.recv_timeout(CALL_PATIENCE) {
            Ok(InquiryReply::Answer(answer)) => Ok(answer),
            Ok(InquiryReply::Silent) => Ok(Vec::new()),
            Ok(InquiryReply::Ended(_, reason)) => Err(format!("{key}: {reason}")),
            Err(_) => Err(format!("{key}: no answer within {} s", CALL_PATIENCE.as_secs())),
        }
    }
}

/// A request of the broker itself as a frame, without the size in front.
fn frame_of<'m>(key: ApiKey, version: i16, request: &impl Message<'m>) -> Result<Vec<u8>, String> {
    let description = api::describe(key).ok_or_else(|| format!("{key} is not known"))?;
    let mut bytes = Vec::new();
    frame::append_request(&mut bytes, description, (CALL_CORRELATION_ID, CALL_CLIENT_ID), request, version)
        .map_err(|error| format!("{key}: {error}"))?;
    Ok(bytes.split_off(SIZE_BYTES))
}

/// The body of what a call has answered.
pub fn body<'a, R: Message<'a>>(key: ApiKey, version: i16, answer: &'a [u8]) -> Result<R, String> {
    let description = api::describe(key).ok_or_else(|| format!("{key} is not known"))?;
    let mut reader = Reader::new(answer);
    ResponseHeader::decode(&mut reader, description.response_header_version(version))
        .and_then(|_| R::decode(&mut reader, version))
        .map_err(|error| format!("{key}: {error}"))
}

/// An asker's hold on its request.
#[must_use = "the request is given up when this is dropped"]
pub struct Asking {
    mailbox: Arc<Mailbox<Note>>,
    alive: Option<Arc<()>>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        let Some(alive) = self.alive.take() else { return };
        let is_answered = Arc::weak_count(&alive) == 0;
        drop(alive);
        if !is_answered {
            self.mailbox.tell_abandoned();
        }
    }
}

/// An inquiry that is not answered yet.
pub(super) struct Open {
    reply: ReplyTo,
    pub(super) parked: Option<Key>,
    /// The answer, while what it has in files is read.
    assembling: Option<Assembling>,
}

/// An answer on its way into memory.
struct Assembling {
    /// Whole but for what is left.
    bytes: Vec<u8>,
    left: Outbound,
    counted_bytes: usize,
}

impl Assembling {
    /// Takes what is in memory, up to the next range of a file.
    fn take_memory(&mut self) {
        while let Next::Memory { slices, .. } = self.left.next() {
            let before = self.bytes.len();
            slices.all().iter().for_each(|slice| self.bytes.extend_from_slice(slice));
            self.left.sent(self.bytes.len() - before);
        }
    }
}

impl Server {
    pub(super) fn handle_inquiries(&mut self, inquiries: Vec<Inquiry>) {
        for inquiry in inquiries {
            if inquiry.reply.is_abandoned() {
                inquiry.reply.tell(InquiryReply::Ended(Ending::Client, GONE.into()));
            } else {
                self.handle_inquiry(inquiry);
            }
        }
    }

    fn handle_inquiry(&mut self, Inquiry { frame, session, reply }: Inquiry) {
        let key = self.inquiries.insert(Open { reply, parked: None, assembling: None });
        if let Some(refusal) = self.refusal(&frame) {
            return self.end_inquiry(key, refusal);
        }
        let Some(row) = table::of_frame(&frame) else {
            return self.end_inquiry(key, End::refused(handlers::unknown(&frame)));
        };
        let begun = Begun::uncharged(Asker::Inquiry(key), row.key, self.turn.now);
        self.turn.metrics.request(row.key as usize, SIZE_BYTES + frame.len());
        let mut context = self.turn.context(Some(self.wait_list.ticket()));
        let outcome = handlers::handle(&mut self.handlers, &mut context, row, &frame, &session);
        self.settle(begun, outcome);
    }

    /// Why a frame is not handled.
    fn refusal(&self, frame: &[u8]) -> Option<End> {
        let limit = self.turn.shared.config.socket_request_max_bytes as usize;
        if self.stopping.is_some() {
            Some(End::told(Ending::Stop, "the broker stops"))
        } else if frame.len() > limit {
            Some(End::told(Ending::BadFrame, format!("a frame of {} bytes, the limit being {limit}", frame.len())))
        } else if self.inquiries.len() > MOST_OPEN || self.turn.shared.memory.is_short() {
            Some(End::told(Ending::Memory, "there is no room for more requests"))
        } else {
            None
        }
    }

    /// An answer, or that there is none, on its way to an inquiry's asker.
    pub(super) fn answer_inquiry(&mut self, key: Key, answer: Option<Answer>) {
        let Some(open) = self.inquiries.get_mut(key) else { return };
        assert!(open.assembling.is_none(), "a request is answered once");
        open.parked = None;
        let Some(answer) = answer else {
            return self.tell_asker(key, InquiryReply::Silent);
        };
        let size_bytes = answer.size_bytes();
        if size_bytes > MOST_ANSWER_BYTES {
            return self.end_inquiry(key, End::told(Ending::Memory, format!("an answer of {size_bytes} bytes")));
        }
        self.turn.shared.memory.change(0, size_bytes);
        let mut left = Outbound::default();
        left.push_answer(answer);
        let bytes = Vec::with_capacity(size_bytes);
        open.assembling = Some(Assembling { bytes, left, counted_bytes: size_bytes });
        self.assemble(key);
    }

    /// Goes on with an answer: it is told when it is whole, else the next range of a file is read.
    fn assemble(&mut self, key: Key) {
        let Some(assembling) = self.inquiries.get_mut(key).and_then(|open| open.assembling.as_mut()) else { return };
        assembling.take_memory();
        if let Next::File(slice) = assembling.left.next() {
            let (file, position) = (slice.file.clone(), slice.position.0);
            let length = (slice.length as usize).min(FILE_STEP_BYTES);
            let token = self.jobs.insert(DiskJob::InquiryRead(key)).to_u64();
            return self.driver.submit(token, Operation::Read { file, position, length });
        }
        assert_eq!(assembling.bytes.len(), assembling.counted_bytes, "the answer is as long as it was said to be");
        let bytes = assembling.bytes.split_off(SIZE_BYTES);
        self.tell_asker(key, InquiryReply::Answer(bytes));
    }

    pub(super) fn handle_inquiry_read(&mut self, key: Key, result: io::Result<Done>) {
        // It may have gone meanwhile.
        let Some(assembling) = self.inquiries.get_mut(key).and_then(|open| open.assembling.as_mut()) else { return };
        match result {
            Ok(Done::Read(bytes)) if !bytes.is_empty() => {
                assembling.bytes.extend_from_slice(&bytes);
                assembling.left.sent(bytes.len());
                self.assemble(key);
            }
            Ok(_) => self.end_inquiry(key, End::failure("a segment is shorter than its index says")),
            Err(error) => self.end_inquiry(key, End::failure(format!("cannot read a segment: {error}"))),
        }
    }

    /// Ends an inquiry without an answer.
    pub(super) fn end_inquiry(&mut self, key: Key, end: End) {
        self.turn.metrics.end(end.ending);
        self.tell_asker(key, InquiryReply::Ended(end.ending, end.line.unwrap_or_default()));
    }

    fn tell_asker(&mut self, key: Key, reply: InquiryReply) {
        if let Some(open) = self.forget_inquiry(key) {
            open.reply.tell(reply);
        }
    }

    /// Takes an inquiry out, with what waits for it. Produces stay: their turn's end, or a sync, ends them.
    fn forget_inquiry(&mut self, key: Key) -> Option<Open> {
        let open = self.inquiries.remove(key)?;
        open.parked.and_then(|parked| self.wait_list.take(parked));
        if let Some(assembling) = &open.assembling {
            self.turn.shared.memory.change(assembling.counted_bytes, 0);
        }
        Some(open)
    }

    /// The requests of askers that have gone go, too.
    pub(super) fn forget_abandoned(&mut self) {
        let gone = self.inquiries.iter().filter(|(_, open)| open.reply.is_abandoned()).map(|(key, _)| key);
        for key in gone.collect::<Vec<_>>() {
            self.end_inquiry(key, End::told(Ending::Client, GONE));
        }
    }

    /// What is not answered at the end of a stop is ended.
    pub(super) fn end_inquiries(&mut self) {
        for key in self.inquiries.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.end_inquiry(key, End::told(Ending::Stop, "the broker stops"));
        }
    }
}

impl Drop for Server {
    /// Askers that come later, or have not been heard, are told so.
    fn drop(&mut self) {
        self.turn.shared.mailbox(self.turn.shard).close();
    }
}
