//! Fetch answers, taken in as they come: what a batch says of itself is read, the rest is thrown away.
//!
//! What a consumer does with megabytes is not measured, so they pass through a buffer that stays in the processor's cache.

use super::frame::HEAD_BYTES;
use crate::aligned::Aligned;
use compat_tests::{Context, Result, ensure};
use std::io::Read;

const WINDOW_BYTES: usize = 256 << 10;
const BATCH_HEADER_BYTES: usize = 61;
/// What comes before a batch's own size, its size included.
const BATCH_OVERHEAD_BYTES: usize = 12;

/// One batch that a fetch brought.
#[derive(Clone, Copy)]
pub(super) struct Fetched {
    pub(super) partition: i32,
    pub(super) base_offset: i64,
    pub(super) next_offset: i64,
    pub(super) records: u64,
    /// Its first bytes; zeros where it is shorter.
    pub(super) head: [u8; HEAD_BYTES],
}

/// Reads the answers of one connection.
pub(super) struct Answers<R> {
    stream: R,
    window: Aligned,
    from: usize,
    to: usize,
    /// What has not come or not been looked at yet of the answer.
    left: usize,
}

impl<R: Read> Answers<R> {
    pub(super) fn new(stream: R) -> Answers<R> {
        Answers { stream, window: Aligned::new(WINDOW_BYTES), from: 0, to: 0, left: 4 }
    }

    pub(super) fn stream(&mut self) -> &mut R {
        &mut self.stream
    }

    /// Reads one whole answer, in the form of version 11; the number of its bytes.
    pub(super) fn read(&mut self, batches: &mut Vec<Fetched>) -> Result<usize> {
        batches.clear();
        self.left = 4;
        let size = self.i32()?;
        self.left = usize::try_from(size).with_context(|| format!("an answer of {size} bytes"))?;
        self.skip(4 + 4)?;
        let error = self.i16()?;
        ensure!(error == 0, "a fetch was answered with error {error}");
        self.skip(4)?;
        for _ in 0..self.i32()? {
            let name = self.i16()?;
            self.skip(name.max(0) as usize)?;
            for _ in 0..self.i32()? {
                self.partition(batches)?;
            }
        }
        ensure!(self.left == 0, "{} bytes behind an answer's end", self.left);
        Ok(size as usize)
    }

    fn partition(&mut self, batches: &mut Vec<Fetched>) -> Result<()> {
        let (index, error) = (self.i32()?, self.i16()?);
        let (high_watermark, _last_stable_offset, log_start) = (self.i64()?, self.i64()?, self.i64()?);
        ensure!(error == 0, "a fetch of partition {index}, {log_start} to {high_watermark}, found error {error}");
        let aborted = self.i32()?;
        self.skip(16 * aborted.max(0) as usize)?;
        let _preferred_read_replica = self.i32()?;
        let mut records = self.i32()?.max(0) as usize;
        while records >= BATCH_HEADER_BYTES {
            let mut head = [0; HEAD_BYTES];
            self.take(&mut head[..BATCH_HEADER_BYTES])?;
            let size = i32_at(&head, 8).max(0) as usize + BATCH_OVERHEAD_BYTES;
            ensure!(size >= BATCH_HEADER_BYTES, "a batch of {size} bytes");
            if size > records {
                // Kafka cuts the last one where the limit of the answer is.
                return self.skip(records - BATCH_HEADER_BYTES);
            }
            let more = size.min(HEAD_BYTES);
            self.take(&mut head[BATCH_HEADER_BYTES..more])?;
            self.skip(size - more)?;
            records -= size;
            let base_offset = i64_at(&head, 0);
            let next_offset = base_offset + i64::from(i32_at(&head, 23)) + 1;
            let count = i32_at(&head, 57).max(0) as u64;
            batches.push(Fetched { partition: index, base_offset, next_offset, records: count, head });
        }
        self.skip(records)
    }

    fn i16(&mut self) -> Result<i16> {
        let mut bytes = [0; 2];
        self.take(&mut bytes)?;
        Ok(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> Result<i32> {
        let mut bytes = [0; 4];
        self.take(&mut bytes)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn i64(&mut self) -> Result<i64> {
        let mut bytes = [0; 8];
        self.take(&mut bytes)?;
        Ok(i64::from_be_bytes(bytes))
    }

    fn take(&mut self, into: &mut [u8]) -> Result<()> {
        let mut at = 0;
        self.each(into.len(), |bytes| {
            into[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        })
    }

    fn skip(&mut self, length: usize) -> Result<()> {
        self.each(length, |_| ())
    }

    fn each(&mut self, mut length: usize, mut see: impl FnMut(&[u8])) -> Result<()> {
        self.left = self.left.checked_sub(length).context("an answer is shorter than what is in it")?;
        while length > 0 {
            if self.from == self.to {
                self.to = self.stream.read(&mut self.window)?;
                self.from = 0;
                ensure!(self.to > 0, "the connection was closed within an answer");
            }
            let step = length.min(self.to - self.from);
            see(&self.window[self.from..self.from + step]);
            self.from += step;
            length -= step;
        }
        Ok(())
    }
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(*bytes[at..].first_chunk().expect("a head is longer"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(*bytes[at..].first_chunk().expect("a head is longer"))
}

#[cfg(test)]
mod tests {
    use super::super::frame::{FETCH, ProduceFrame, Shape};
    use super::*;
    use bytes::Bytes;
    use compat_tests::raw::topic_name;
    use kafka_protocol::messages::FetchResponse;
    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::protocol::Encodable;

    /// Gives one to three bytes at a time.
    struct Drops(std::io::Cursor<Vec<u8>>, usize);

    impl Read for Drops {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.1 = self.1 % 3 + 1;
            let most = self.1.min(into.len());
            self.0.read(&mut into[..most])
        }
    }

    /// An answer of two partitions: one with two batches and the beginning of a third, one without anything.
    fn answer(batch: &[u8]) -> Vec<u8> {
        let cut = [batch, batch, &batch[..batch.len() - 1]].concat();
        let full = PartitionData::default().with_partition_index(3).with_records(Some(Bytes::from(cut)));
        let empty = PartitionData::default().with_partition_index(4).with_records(None);
        let topic = FetchableTopicResponse::default().with_topic(topic_name("t")).with_partitions(vec![full, empty]);
        let mut body = 7_i32.to_be_bytes().to_vec();
        FetchResponse::default().with_responses(vec![topic]).encode(&mut body, FETCH).unwrap();
        [&(body.len() as i32).to_be_bytes()[..], &body].concat()
    }

    fn batch() -> (Vec<u8>, ProduceFrame) {
        let shape = Shape { records: 2, value_bytes: 300, codec: 0, acks: 1, has_keys: false };
        let mut frame = ProduceFrame::new("t", 0, &shape).unwrap();
        frame.stamp(0x0102_0304_0506_0708);
        (frame.batch().to_vec(), frame)
    }

    #[test]
    fn batches_are_found_however_the_bytes_come() {
        let (batch, frame) = batch();
        let one = answer(&batch);
        let both = [&one[..], &one].concat();
        let at_once: Box<dyn Read> = Box::new(std::io::Cursor::new(both.clone()));
        let in_drops: Box<dyn Read> = Box::new(Drops(std::io::Cursor::new(both), 0));
        for stream in [at_once, in_drops] {
            let (mut answers, mut batches) = (Answers::new(stream), Vec::new());
            for _ in 0..2 {
                assert_eq!(answers.read(&mut batches).unwrap(), one.len() - 4);
                let seen: Vec<_> = batches.iter().map(|b| (b.partition, b.base_offset, b.next_offset)).collect();
                assert_eq!(seen, [(3, 0, 2), (3, 0, 2)]);
                assert!(batches.iter().all(|b| b.records == 2));
                let at = frame.time_in_batch().unwrap();
                assert_eq!(batches[1].head[at..at + 8], [1, 2, 3, 4, 5, 6, 7, 8]);
            }
            assert!(answers.read(&mut batches).is_err(), "nothing more comes");
        }
    }

    #[test]
    fn errors_are_told() {
        let (batch, _) = batch();
        let mut failed = answer(&batch);
        failed[12..14].copy_from_slice(&70_i16.to_be_bytes());
        assert!(Answers::new(std::io::Cursor::new(failed)).read(&mut Vec::new()).is_err());
        let mut short = answer(&batch);
        short[3] -= 1;
        assert!(Answers::new(std::io::Cursor::new(short)).read(&mut Vec::new()).is_err());
    }
}
