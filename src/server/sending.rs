//! Answers on their way out: memory in as few sends as can be, ranges of files without a copy, cold ones read first where
//! that holds up no shard.

use std::io::{self, ErrorKind};

use crate::io::driver::{ConnectionKey, Done, Operation};
use crate::server::outbound::Next;
use crate::server::writing::DiskJob;
use crate::server::{End, Server};

/// Bytes that one connection is sent in one turn at most, so that the others get theirs in between; a fifth of a millisecond
/// on a fast machine.
pub(super) const SENT_PER_TURN_BYTES: usize = 1024 * 1024;

/// Bytes of a file sent, or read into memory where they are cold, in one step.
pub(crate) const FILE_STEP_BYTES: usize = 1024 * 1024;

impl Server {
    pub(super) fn send_touched(&mut self) {
        let touched = self.touched.take();
        for key in touched.iter().copied() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.touched = false;
            }
            if let Err(error) = self.send(key) {
                // The client is gone, which is its right; anything else is worth a line.
                let is_gone = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
                let end = if is_gone { End::by_client() } else { End::failure(error.to_string()) };
                self.close(key, end);
            }
        }
        self.touched.give_back(touched);
    }

    fn send(&mut self, key: ConnectionKey) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let mut left = self.sent_per_turn_bytes;
        if connection.writable && connection.transport.has_unsent() {
            connection.writable = connection.transport.flush(&mut *self.driver, key)?;
        }
        while connection.writable && !connection.reading_cold && left > 0 {
            let sent = match connection.outbound.next() {
                Next::Nothing => break,
                Next::Memory { slices, more } => connection.transport.send(&mut *self.driver, key, slices.all(), more),
                Next::File(slice) => {
                    let step = (slice.length as usize).min(FILE_STEP_BYTES).min(self.sent_per_turn_bytes);
                    let step = step.min(connection.transport.file_step_bytes());
                    if !slice.file.is_resident(slice.position.0, step as u64) {
                        let (file, position) = (slice.file.clone(), slice.position.0);
                        let token = self.jobs.insert(DiskJob::ColdRead(key)).to_u64();
                        self.driver.submit(token, Operation::Read { file, position, length: step });
                        connection.reading_cold = true;
                        break;
                    }
                    let position = slice.position.0;
                    connection.transport.send_file(&mut *self.driver, key, &*slice.file, position, step)
                }
            };
            match sent {
                Ok(0) => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, "a segment is shorter than its index says"));
                }
                Ok(length) => {
                    connection.outbound.sent(length);
                    self.turn.metrics.send(length);
                    left = left.saturating_sub(length);
                    connection.last_active = self.turn.now;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => connection.writable = false,
                Err(error) => return Err(error),
            }
        }
        let goes_on = left == 0 && connection.writable && !connection.outbound.is_empty();
        connection.outbound.forget_memory();
        if goes_on {
            self.touch(key);
        }
        self.count_memory(key);
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if connection.is_finished && connection.is_at_rest() {
            let end = if connection.refused.is_some() { End::unauthenticated() } else { End::by_client() };
            self.close(key, end);
        } else if connection.may_go_on(self.turn.shared.memory.is_short()) {
            self.enqueue(key);
        }
        Ok(())
    }

    pub(super) fn handle_cold_read(&mut self, key: ConnectionKey, result: io::Result<Done>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.reading_cold = false;
        match result {
            Ok(Done::Read(bytes)) if !bytes.is_empty() => {
                connection.outbound.replace_file_front(bytes);
                self.touch(key);
            }
            Ok(_) => self.close(key, End::failure("a segment is shorter than its index says")),
            Err(error) => self.close(key, End::failure(format!("cannot read a segment: {error}"))),
        }
    }
}
