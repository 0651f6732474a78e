//! A client of the simulated broker: frames over a simulated connection, any number under way.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use super::cluster::{ADDRESS, Cluster, SharedCluster};
use super::link::Link;
use crate::codec::{Message, Reader};
use crate::model::ApiKey;
use crate::wire::api;
use crate::wire::frame::{self, Split};
use crate::wire::header::ResponseHeader;

const MAX_FRAME_BYTES: usize = 100 << 20;
/// Steps that an answer may take before the run counts as hung.
const PATIENCE_STEPS: u64 = 200_000;

pub(super) struct Client {
    connection: Link,
    unsent: Vec<u8>,
    received: Vec<u8>,
    answers: VecDeque<Vec<u8>>,
    sent: i32,
    answered: i32,
}

impl Client {
    pub(super) fn connect(cluster: &Cluster) -> Client {
        Client::over(Link::new(cluster.world.connect(SocketAddr::from(ADDRESS)).unwrap(), cluster.is_layered))
    }

    /// By another listener than the first.
    #[cfg(test)]
    pub(super) fn connect_to(cluster: &Cluster, port: u16) -> Client {
        let address = SocketAddr::from((ADDRESS.0, port));
        Client::over(Link::new(cluster.world.connect(address).unwrap(), cluster.is_layered))
    }

    pub(super) fn over(connection: Link) -> Client {
        Client { connection, unsent: Vec::new(), received: Vec::new(), answers: VecDeque::new(), sent: 0, answered: 0 }
    }

    /// Queues a request.
    pub(super) fn send<'m>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) {
        let description = api::describe(key).unwrap();
        self.sent += 1;
        frame::append_request(&mut self.unsent, description, (self.sent, "sim"), body, version).unwrap();
    }

    /// Queues a request that has no answer.
    #[cfg(test)]
    pub(super) fn send_silently<'m>(&mut self, key: ApiKey, version: i16, body: &impl Message<'m>) {
        self.send(key, version, body);
        self.sent -= 1;
    }

    /// Queues bytes that are no request.
    #[cfg(test)]
    pub(super) fn send_raw(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }

    /// Takes the end of what is queued out again, to be sent later.
    #[cfg(test)]
    pub(super) fn hold_back(&mut self, length: usize) -> Vec<u8> {
        self.unsent.split_off(self.unsent.len() - length)
    }

    #[cfg(test)]
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what can be sent; `false` when the connection has ended.
    pub(super) fn push(&mut self) -> bool {
        while !self.unsent.is_empty() {
            match self.connection.send(&self.unsent) {
                Ok(length) => drop(self.unsent.drain(..length)),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
        true
    }

    /// Moves what can be moved; `false` when the connection has ended.
    pub(super) fn pump(&mut self) -> bool {
        // What the broker has sent before it closed can still be read.
        let mut is_open = self.push();
        let mut buffer = [0; 4096];
        loop {
            match self.connection.receive(&mut buffer) {
                Ok(0) => {
                    is_open = false;
                    break;
                }
                Ok(length) => self.received.extend_from_slice(&buffer[..length]),
                Err(_) => break,
            }
        }
        self.split();
        is_open
    }

    /// Reads no more than a little of what is there.
    #[cfg(test)]
    pub(super) fn sip(&mut self) {
        let mut buffer = [0; 500];
        if let Ok(length) = self.connection.receive(&mut buffer) {
            self.received.extend_from_slice(&buffer[..length]);
        }
        self.split();
    }

    fn split(&mut self) {
        while let Split::Complete(answer) = frame::split(&self.received, MAX_FRAME_BYTES) {
            let size = frame::SIZE_BYTES + answer.len();
            self.answers.push_back(answer.to_vec());
            self.received.drain(..size);
        }
    }

    /// The next answer, if it is there: they come in the order of the requests.
    pub(super) fn take_answer(&mut self, key: ApiKey, version: i16) -> Option<Vec<u8>> {
        let answer = self.answers.pop_front()?;
        self.answered += 1;
        let mut reader = Reader::new(&answer);
        let header_version = api::describe(key).unwrap().response_header_version(version);
        let header = ResponseHeader::decode(&mut reader, header_version).unwrap();
        assert_eq!(header.correlation_id, self.answered, "answers in the order of the requests");
        let body = answer.len() - reader.remaining();
        Some(answer[body..].to_vec())
    }

    /// What has come of a frame that is not whole.
    #[cfg(test)]
    pub(super) fn part(&self) -> &[u8] {
        &self.received
    }

    /// The next frame, which is no answer to a request.
    #[cfg(test)]
    pub(super) fn take_frame(&mut self) -> Option<Vec<u8>> {
        self.answers.pop_front()
    }

    /// Sends a request and steps the cluster until its answer is there.
    pub(super) fn call<'m>(
        &mut self,
        cluster: &SharedCluster,
        key: ApiKey,
        version: i16,
        body: &impl Message<'m>,
    ) -> Vec<u8> {
        self.send(key, version, body);
        self.wait(cluster, key, version)
    }

    /// Steps the cluster until the next answer is there.
    pub(super) fn wait(&mut self, cluster: &SharedCluster, key: ApiKey, version: i16) -> Vec<u8> {
        let until = cluster.borrow().steps + PATIENCE_STEPS;
        loop {
            // What was answered before the end counts.
            let is_open = self.pump();
            if let Some(answer) = self.take_answer(key, version) {
                return answer;
            }
            assert!(is_open, "the broker closed the connection");
            cluster.borrow_mut().step();
            assert!(cluster.borrow().steps < until, "no answer to {key}");
        }
    }
}
