//! A client's connection: frames by the crate `kafka-protocol`, which shares no code with the broker. It knows what is
//! under way and says when the connection was lost; connecting again is the next [`Wire::post`].

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request};

use super::cluster::ADDRESS;
use super::link::Link;
use super::scene::{Scene, text};
use crate::model::{ErrorCode, Instant};

/// What is waited for.
struct Pending {
    id: i32,
    header_version: i16,
    sent: Instant,
}

#[derive(Default)]
pub(super) struct Wire {
    link: Option<Link>,
    unsent: Vec<u8>,
    received: Vec<u8>,
    pending: VecDeque<Pending>,
    next_id: i32,
}

/// What came.
pub(super) enum Got {
    Nothing,
    /// To which request, and the body.
    Answer(i32, Bytes),
    /// Whatever was under way has no answer.
    Lost,
}

/// The answer's body, checked to the last byte.
pub(super) fn decode<R: Request>(scene: &mut Scene<'_>, version: i16, mut body: Bytes) -> Option<R::Response> {
    match R::Response::decode(&mut body, version) {
        Ok(response) if !body.has_remaining() => Some(response),
        Ok(_) => scene.violated("an answer is as long as its message", &[], format!("api {} v{version}", R::KEY)),
        Err(error) => scene.violated("an answer can be decoded", &[], format!("api {} v{version}: {error}", R::KEY)),
    }
}

impl Wire {
    /// Queues a request; answers its number, or `None` if nobody listens.
    pub(super) fn post<R: Request>(&mut self, scene: &mut Scene<'_>, version: i16, request: &R) -> Option<i32> {
        let id = self.post_silently(scene, version, request)?;
        let header_version = R::Response::header_version(version);
        self.pending.push_back(Pending { id, header_version, sent: scene.now });
        Some(id)
    }

    /// Queues a request that has no answer.
    pub(super) fn post_silently<R: Request>(
        &mut self,
        scene: &mut Scene<'_>,
        version: i16,
        request: &R,
    ) -> Option<i32> {
        if self.link.is_none() {
            let socket = scene.world.connect(SocketAddr::from(ADDRESS)).ok();
            self.link = socket.map(|socket| Link::new(socket, scene.is_layered));
            self.link.as_ref()?;
        }
        self.next_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next_id)
            .with_client_id(Some(text("sim")));
        let mut frame = BytesMut::new();
        header.encode(&mut frame, R::header_version(version)).expect("the header can be encoded");
        request.encode(&mut frame, version).expect("the request can be encoded");
        self.unsent.put_i32(frame.len() as i32);
        self.unsent.extend_from_slice(&frame);
        self.push();
        Some(self.next_id)
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.link.is_some()
    }

    /// Gives up a connection whose oldest request waits for longer.
    pub(super) fn lose_patience(&mut self, now: Instant, patience_ms: u64) -> bool {
        let is_late = |pending: &Pending| now.since(pending.sent).as_millis() as u64 > patience_ms;
        let is_lost = self.pending.front().is_some_and(is_late);
        if is_lost {
            self.cut();
        }
        is_lost
    }

    /// Sends what can be sent; `false` when the connection has ended.
    fn push(&mut self) -> bool {
        let Some(link) = &mut self.link else { return false };
        while !self.unsent.is_empty() {
            match link.send(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        true
    }

    /// Moves what can be moved.
    pub(super) fn poll(&mut self, scene: &mut Scene<'_>) -> Got {
        if self.link.is_none() {
            return if self.pending.is_empty() { Got::Nothing } else { self.lost() };
        }
        // What was received before the end still counts.
        let mut is_open = self.push();
        let mut buffer = [0; 8192];
        while let Some(link) = self.link.as_mut() {
            match link.receive(&mut buffer) {
                Ok(0) => {
                    is_open = false;
                    break;
                }
                Ok(length) => {
                    scene.history.mix(&buffer[..length]);
                    self.received.extend_from_slice(&buffer[..length]);
                }
                Err(_) => break,
            }
        }
        match self.take_answer(scene) {
            Some(got) => got,
            None if is_open => Got::Nothing,
            None => self.lost(),
        }
    }

    fn lost(&mut self) -> Got {
        self.cut();
        Got::Lost
    }

    fn take_answer(&mut self, scene: &mut Scene<'_>) -> Option<Got> {
        let size = self.received.get(..4).map(|mut size| size.get_i32() as usize)?;
        if self.received.len() < 4 + size {
            return None;
        }
        let mut frame = Bytes::copy_from_slice(&self.received[4..4 + size]);
        self.received.drain(..4 + size);
        let Some(pending) = self.pending.pop_front() else {
            return scene.violated("an answer has its request", &[], String::new());
        };
        let header = ResponseHeader::decode(&mut frame, pending.header_version);
        let id = header.map_or(-1, |header| header.correlation_id);
        if id != pending.id {
            return scene.violated("answers are in the order of requests", &[], format!("{id}, not {}", pending.id));
        }
        Some(Got::Answer(id, frame))
    }

    /// Lets go of the connection; what was sent may still arrive.
    pub(super) fn cut(&mut self) {
        *self = Wire { next_id: self.next_id, ..Wire::default() };
    }
}

/// What a client asks again for.
pub(super) fn is_retriable(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::ConcurrentTransactions
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::KafkaStorageError
    )
}
