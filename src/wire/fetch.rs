//! The head of a Fetch response: the whole frame but for the record bytes, which come later from memory or files.
//!
//! Everything is written into one vector; a list says where how many record bytes belong in. The bytes agree with the
//! generated `FetchResponse`, whose code writes the partitions here, too. Knows nothing of logs.
//!
//! ```
//! use klamm::wire::{api::fetch::PartitionData, fetch};
//!
//! let (mut out, mut holes) = (Vec::new(), Vec::new());
//! let opening = fetch::Opening { correlation_id: 7, topic_count: 1, ..Default::default() };
//! let mut response = fetch::ResponseWriter::new(&mut out, &mut holes, 12, &opening);
//! response.topic("stream", Default::default(), 1);
//! response.partition(&PartitionData { high_watermark: 5, ..Default::default() }, Some(1000));
//! let size = response.finish(&[]).unwrap();
//! assert_eq!((size, holes[0].size_bytes), (out.len() + 1000, 1000));
//! ```

use super::api::fetch::{NodeEndpoint, PartitionData};
use super::api::{self, Description};
use super::frame;
use super::header::ResponseHeader;
use crate::codec::{EncodeError, EncodeErrorKind, Message, Sink, ToldErrors};
use crate::model::{ApiKey, Uuid};

const SESSION_SINCE: i16 = 7;
const TOPIC_ID_SINCE: i16 = 13;
const NODE_ENDPOINTS_SINCE: i16 = 16;
const RECORDS: &str = "PartitionData.Records";

/// A place where record bytes belong in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hole {
    /// Index into the vector that the head was written to: the bytes belong before the byte that is there.
    pub position: usize,
    pub size_bytes: usize,
}

/// What stands before the topics.
#[derive(Clone, Copy, Default, Debug)]
pub struct Opening {
    pub correlation_id: i32,
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub session_id: i32,
    pub topic_count: usize,
}

/// Writes a response in its order: opening, then each topic followed by its partitions, then the end.
#[derive(Debug)]
pub struct ResponseWriter<'o> {
    sink: HoleSink<'o>,
    version: i16,
    flexible: bool,
    /// Index of the frame's size in the vector.
    start: usize,
    first_hole: usize,
    topics_left: usize,
    partitions_left: usize,
}

impl<'o> ResponseWriter<'o> {
    /// Appends to `out` and `holes`, which need not be empty.
    pub fn new(out: &'o mut Vec<u8>, holes: &'o mut Vec<Hole>, version: i16, opening: &Opening) -> ResponseWriter<'o> {
        let description = api::describe(ApiKey::Fetch);
        let flexible = description.is_some_and(|fetch| fetch.is_flexible(version));
        let header_version = description.map_or(0, |fetch: &Description| fetch.response_header_version(version));
        let (start, first_hole) = (out.len(), holes.len());
        let mut sink = HoleSink { out, holes, records: None, error: None, errors: ToldErrors::default() };
        if !description.is_some_and(|fetch| fetch.has_version(version)) {
            sink.fail(EncodeErrorKind::Version, "FetchResponse");
        }
        sink.i32(0);
        ResponseHeader { correlation_id: opening.correlation_id }.write(&mut sink, header_version);
        sink.i32(opening.throttle_time_ms);
        if version >= SESSION_SINCE {
            sink.error_code(opening.error_code);
            sink.i32(opening.session_id);
        } else {
            sink.absent(opening.session_id != 0, "FetchResponse.SessionId");
        }
        sink.length(flexible, opening.topic_count, "FetchResponse.Responses");
        let topics_left = opening.topic_count;
        ResponseWriter { sink, version, flexible, start, first_hole, topics_left, partitions_left: 0 }
    }

    /// Begins a topic: versions before 13 carry the name, the others the id.
    pub fn topic(&mut self, name: &str, topic_id: Uuid, partition_count: usize) {
        assert!(self.partitions_left == 0 && self.topics_left > 0, "topics and partitions as announced");
        self.topics_left -= 1;
        self.partitions_left = partition_count;
        if self.version >= TOPIC_ID_SINCE {
            self.sink.uuid(topic_id);
        } else {
            self.sink.str(self.flexible, name, "FetchableTopicResponse.Topic");
        }
        self.sink.length(self.flexible, partition_count, "FetchableTopicResponse.Partitions");
        self.end_topic();
    }

    /// Writes a partition with room for so many bytes of records (`None`: null). `data.records` is not looked at.
    pub fn partition(&mut self, data: &PartitionData<'_>, records_size_bytes: Option<usize>) {
        assert!(self.partitions_left > 0, "topics and partitions as announced");
        self.partitions_left -= 1;
        self.sink.records = records_size_bytes;
        data.write(&mut self.sink, self.version);
        self.end_topic();
    }

    /// The error codes that were written so far.
    pub fn take_errors(&mut self) -> ToldErrors {
        std::mem::take(&mut self.sink.errors)
    }

    fn end_topic(&mut self) {
        if self.flexible && self.partitions_left == 0 {
            self.sink.uvarint(0);
        }
    }

    /// Writes the end and the frame's size: the bytes of the whole frame with its size and all records. In case of an
    /// error nothing is left of the response.
    pub fn finish(mut self, node_endpoints: &[NodeEndpoint<'_>]) -> Result<usize, EncodeError> {
        assert!(self.partitions_left == 0 && self.topics_left == 0, "topics and partitions as announced");
        self.node_endpoints(node_endpoints);
        let HoleSink { out, holes, error, .. } = self.sink;
        let records: usize = holes[self.first_hole..].iter().map(|hole| hole.size_bytes).sum();
        let size = out.len() - self.start + records;
        let error = match (error, i32::try_from(size - frame::SIZE_BYTES)) {
            (None, Ok(length)) => {
                out[self.start..self.start + frame::SIZE_BYTES].copy_from_slice(&length.to_be_bytes());
                return Ok(size);
            }
            (Some(error), _) => error,
            (None, Err(_)) => EncodeError { kind: EncodeErrorKind::TooLong, field: "FetchResponse" },
        };
        out.truncate(self.start);
        holes.truncate(self.first_hole);
        Err(error)
    }

    fn node_endpoints(&mut self, endpoints: &[NodeEndpoint<'_>]) {
        if self.version < NODE_ENDPOINTS_SINCE {
            self.sink.absent(!endpoints.is_empty(), "FetchResponse.NodeEndpoints");
            if self.flexible {
                self.sink.uvarint(0);
            }
            return;
        }
        frame::tagged_array(&mut self.sink, endpoints, self.version, "FetchResponse.NodeEndpoints");
    }
}

/// A buffer in which records are holes.
#[derive(Debug)]
struct HoleSink<'o> {
    out: &'o mut Vec<u8>,
    holes: &'o mut Vec<Hole>,
    /// Bytes of the records of the partition that is being written.
    records: Option<usize>,
    error: Option<EncodeError>,
    errors: ToldErrors,
}

impl Sink for HoleSink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn error_code(&mut self, code: i16) {
        self.errors.note(code);
        self.i16(code);
    }

    fn fail(&mut self, kind: EncodeErrorKind, field: &'static str) {
        self.error.get_or_insert(EncodeError { kind, field });
    }

    fn nullable_bytes(&mut self, flexible: bool, nullable: bool, bytes: Option<&[u8]>, field: &'static str) {
        match (field, self.records, bytes) {
            (RECORDS, Some(size_bytes), _) => {
                self.length(flexible, size_bytes, field);
                self.holes.push(Hole { position: self.out.len(), size_bytes });
            }
            (RECORDS, None, _) | (_, _, None) => self.null(flexible, nullable, field),
            (_, _, Some(bytes)) => self.bytes(flexible, bytes, field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::fetch::{AbortedTransaction, FetchableTopicResponse, Response, response};
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn partition()(
            partition_index: i32, error_code: i16, high_watermark: i64, last_stable_offset: i64,
            aborted in prop::option::of(prop::collection::vec((any::<i64>(), any::<i64>()), 0..3)),
            records in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
            leader_id in -1..2, epoch in -1..2, end_offset in -1..2i64,
        ) -> PartitionData<'static> {
            let one = |(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset };
            PartitionData {
                partition_index, error_code, high_watermark, last_stable_offset, log_start_offset: 3,
                diverging_epoch: response::EpochEndOffset { epoch, end_offset },
                current_leader: response::LeaderIdAndEpoch { leader_id, leader_epoch: 5 },
                aborted_transactions: aborted.map(|all| all.into_iter().map(one).collect()),
                records: records.map(Into::into),
                ..Default::default()
            }
        }
    }

    prop_compose! {
        fn topic()(name in "[a-z]{0,200}", id: [u8; 16], partitions in prop::collection::vec(partition(), 0..4))
            -> FetchableTopicResponse<'static> {
            FetchableTopicResponse { topic: name.into(), topic_id: Uuid(id), partitions }
        }
    }

    /// The head with all holes filled.
    fn filled(response: &Response<'_>, version: i16) -> Result<Vec<u8>, EncodeError> {
        let (mut out, mut holes) = (b"before".to_vec(), vec![Hole { position: 2, size_bytes: 1 }]);
        let &Response { throttle_time_ms, error_code, session_id, .. } = response;
        let topic_count = response.responses.len();
        let opening = Opening { correlation_id: 7, throttle_time_ms, error_code, session_id, topic_count };
        let mut writer = ResponseWriter::new(&mut out, &mut holes, version, &opening);
        for topic in &response.responses {
            writer.topic(&topic.topic, topic.topic_id, topic.partitions.len());
            for partition in &topic.partitions {
                writer.partition(partition, partition.records.as_deref().map(<[u8]>::len));
            }
        }
        let size = match writer.finish(&response.node_endpoints) {
            Ok(size) => size,
            Err(error) => {
                assert_eq!((out.as_slice(), holes.len()), (b"before".as_slice(), 1));
                return Err(error);
            }
        };
        let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
        let records: Vec<&[u8]> = partitions.filter_map(|partition| partition.records.as_deref()).collect();
        assert_eq!(records.len(), holes.len() - 1);
        for (hole, records) in holes[1..].iter().zip(&records).rev() {
            assert_eq!(hole.size_bytes, records.len());
            out.splice(hole.position..hole.position, records.iter().copied());
        }
        assert_eq!(out.len(), b"before".len() + size);
        Ok(out[b"before".len()..].to_vec())
    }

    proptest! {
        #[test]
        fn filled_holes_make_the_generated_response(
            throttle_time_ms: i32, error_code: i16, session_id in 0..2, version in 4..=18i16,
            responses in prop::collection::vec(topic(), 0..4), hosts in prop::collection::vec("[a-z]{0,9}", 0..3),
        ) {
            let node = |host: String| NodeEndpoint { node_id: 1, host: host.into(), port: 2, rack: None };
            let node_endpoints = hosts.into_iter().map(node).collect();
            let mut response = Response { throttle_time_ms, error_code, session_id, responses, node_endpoints };
            let mut expected = Vec::new();
            let fetch = api::describe(ApiKey::Fetch).unwrap();
            let written = frame::append_response(&mut expected, fetch, 7, &response, version);
            prop_assert_eq!(filled(&response, version), written.map(|_| expected.clone()));
            // What most versions cannot carry would hide the rest: again without it.
            response.session_id = 0;
            response.node_endpoints.clear();
            for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
                if version < 12 {
                    partition.diverging_epoch = Default::default();
                    partition.current_leader = Default::default();
                }
            }
            expected.clear();
            frame::append_response(&mut expected, fetch, 7, &response, version).unwrap();
            prop_assert_eq!(filled(&response, version), Ok(expected));
        }
    }
}
