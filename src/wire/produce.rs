//! A Produce request read in place, topics, partitions and record bytes as views into the frame; and its response, written
//! without a list of what it says.
//!
//! Invariant: [`RequestView::parse`] has walked over everything once, so that the iterators cannot meet an error; they
//! allocate nothing and never look at record bytes. Knows nothing of batches. Versions as `ProduceRequest` has them.

use super::api;
use super::api::produce::{NodeEndpoint, PartitionProduceResponse, Request, request};
use super::frame::{self, Frame};
use crate::codec::{DecodeError, EncodeError, Message, Reader, Sink, ToldErrors};
use crate::model::{ApiKey, Uuid};

/// The versions whose form is known here; a test compares them with the table.
const MIN_VERSION: i16 = 3;
const MAX_VERSION: i16 = 13;
const FLEXIBLE_SINCE: i16 = 9;
/// The first version that names topics by id (KIP-516).
const TOPIC_ID_SINCE: i16 = 13;
/// The first version that tells where leaders are (KIP-951).
const NODE_ENDPOINTS_SINCE: i16 = 10;
const NODE_ENDPOINTS: &str = "ProduceResponse.NodeEndpoints";

/// A whole Produce request.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    form: Form,
    pub transactional_id: Option<&'a str>,
    pub acks: i16,
    pub timeout_ms: i32,
    topic_count: usize,
    /// Partitions over all topics: how much a response has to say.
    pub partition_count: usize,
    /// What follows the count of topics.
    topics: &'a [u8],
}

/// One topic of the request: by name before version 13, by id from then on; the other one is empty.
#[derive(Clone, Copy, Debug)]
pub struct TopicView<'a> {
    form: Form,
    pub name: &'a str,
    pub topic_id: Uuid,
    pub partition_count: usize,
    /// What follows the count of partitions.
    partitions: &'a [u8],
}

/// One partition's share of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionView<'a> {
    pub index: i32,
    pub records: Option<&'a [u8]>,
}

/// How the version writes things.
#[derive(Clone, Copy, Debug)]
struct Form {
    version: i16,
    flexible: bool,
}

impl<'a> RequestView<'a> {
    /// Reads the body of a Produce request.
    pub fn parse(body: &'a [u8], version: i16) -> Result<RequestView<'a>, DecodeError> {
        RequestView::parse_with(body, version, |_| {})
    }

    /// The same, and shows the records of each partition on the way, so that a look at all of them costs no walk of its own.
    pub fn parse_with(
        body: &'a [u8],
        version: i16,
        mut see: impl FnMut(&'a [u8]),
    ) -> Result<RequestView<'a>, DecodeError> {
        let mut reader = Reader::new(body);
        reader.check_version(version, MIN_VERSION, MAX_VERSION, Request::NAME)?;
        let flexible = version >= FLEXIBLE_SINCE;
        let form = Form { version, flexible };
        let transactional_id = reader.nullable_str(flexible, true, "ProduceRequest.TransactionalId")?;
        let acks = reader.i16("ProduceRequest.Acks")?;
        let timeout_ms = reader.i32("ProduceRequest.TimeoutMs")?;
        let topic_count =
            count(&mut reader, form, request::TopicProduceData::min_size(version), "ProduceRequest.TopicData")?;
        let topics = reader.rest();
        let mut partition_count = 0;
        for _ in 0..topic_count {
            partition_count += form.topic(&mut reader, &mut see)?.partition_count;
        }
        form.tags(&mut reader, "ProduceRequest.tags")?;
        Ok(RequestView { form, transactional_id, acks, timeout_ms, topic_count, partition_count, topics })
    }

    pub fn topic_count(&self) -> usize {
        self.topic_count
    }

    /// The topics in the order of the request.
    pub fn topics(&self) -> impl Iterator<Item = TopicView<'a>> + use<'a> {
        let (form, mut reader) = (self.form, Reader::new(self.topics));
        (0..self.topic_count).map_while(move |_| form.topic(&mut reader, &mut |_| {}).ok())
    }
}

impl<'a> TopicView<'a> {
    /// The partitions in the order of the request.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionView<'a>> + use<'a> {
        let (form, mut reader) = (self.form, Reader::new(self.partitions));
        (0..self.partition_count).map_while(move |_| form.partition(&mut reader).ok())
    }
}

impl Form {
    /// Reads a topic and over its partitions, whose records it shows.
    fn topic<'a>(self, reader: &mut Reader<'a>, see: &mut impl FnMut(&'a [u8])) -> Result<TopicView<'a>, DecodeError> {
        let (name, topic_id) = match self.version >= TOPIC_ID_SINCE {
            true => ("", reader.uuid("TopicProduceData.TopicId")?),
            false => (reader.str(self.flexible, "TopicProduceData.Name")?, Uuid::ZERO),
        };
        let least = request::PartitionProduceData::min_size(self.version);
        let partition_count = count(reader, self, least, "TopicProduceData.PartitionData")?;
        let partitions = reader.rest();
        for _ in 0..partition_count {
            if let Some(records) = self.partition(reader)?.records {
                see(records);
            }
        }
        self.tags(reader, "TopicProduceData.tags")?;
        Ok(TopicView { form: self, name, topic_id, partition_count, partitions })
    }

    fn partition<'a>(self, reader: &mut Reader<'a>) -> Result<PartitionView<'a>, DecodeError> {
        let index = reader.i32("PartitionProduceData.Index")?;
        let records = reader.nullable_bytes(self.flexible, true, "PartitionProduceData.Records")?;
        self.tags(reader, "PartitionProduceData.tags")?;
        Ok(PartitionView { index, records })
    }

    fn tags(self, reader: &mut Reader<'_>, field: &'static str) -> Result<(), DecodeError> {
        if self.flexible { reader.skip_tags(field) } else { Ok(()) }
    }
}

/// Writes a response in its order: each topic followed by its partitions, then the end. No client is throttled yet. The bytes agree with the generated `ProduceResponse`.
pub struct ResponseWriter<'o> {
    frame: Frame<'o>,
    form: Form,
    topics_left: usize,
    partitions_left: usize,
}

impl<'o> ResponseWriter<'o> {
    /// Appends to `out`, which need not be empty.
    pub fn new(out: &'o mut Vec<u8>, version: i16, correlation_id: i32, topic_count: usize) -> ResponseWriter<'o> {
        let form = Form { version, flexible: version >= FLEXIBLE_SINCE };
        let header_version =
            api::describe(ApiKey::Produce).map_or(0, |produce| produce.response_header_version(version));
        let mut frame = Frame::begin(out, correlation_id, header_version);
        frame.length(form.flexible, topic_count, "ProduceResponse.Responses");
        ResponseWriter { frame, form, topics_left: topic_count, partitions_left: 0 }
    }

    /// Begins a topic: versions before 13 carry the name, the others the id.
    pub fn topic(&mut self, name: &str, topic_id: Uuid, partition_count: usize) {
        assert!(self.partitions_left == 0 && self.topics_left > 0, "topics and partitions as announced");
        self.topics_left -= 1;
        self.partitions_left = partition_count;
        if self.form.version >= TOPIC_ID_SINCE {
            self.frame.uuid(topic_id);
        } else {
            self.frame.str(self.form.flexible, name, "TopicProduceResponse.Name");
        }
        self.frame.length(self.form.flexible, partition_count, "TopicProduceResponse.PartitionResponses");
        self.end_topic();
    }

    pub fn partition(&mut self, partition: &PartitionProduceResponse<'_>) {
        assert!(self.partitions_left > 0, "topics and partitions as announced");
        self.partitions_left -= 1;
        partition.write(&mut self.frame, self.form.version);
        self.end_topic();
    }

    fn end_topic(&mut self) {
        if self.form.flexible && self.partitions_left == 0 {
            self.frame.uvarint(0);
        }
    }

    /// Writes the end and the frame's size; answers the error codes in it. In case of an error nothing is left of the response.
    pub fn finish(mut self, node_endpoints: &[NodeEndpoint<'_>]) -> Result<ToldErrors, EncodeError> {
        assert!(self.partitions_left == 0 && self.topics_left == 0, "topics and partitions as announced");
        self.frame.i32(0);
        if self.form.version >= NODE_ENDPOINTS_SINCE {
            frame::tagged_array(&mut self.frame, node_endpoints, self.form.version, NODE_ENDPOINTS);
        } else {
            self.frame.absent(!node_endpoints.is_empty(), NODE_ENDPOINTS);
            if self.form.flexible {
                self.frame.uvarint(0);
            }
        }
        self.frame.finish("ProduceResponse")
    }
}

fn count(reader: &mut Reader<'_>, form: Form, least: usize, field: &'static str) -> Result<usize, DecodeError> {
    use crate::codec::DecodeErrorKind::Null;
    reader.count(form.flexible, least, field)?.ok_or_else(|| reader.error(Null, field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::produce::{
        BatchIndexAndErrorMessage, LeaderIdAndEpoch, PartitionProduceData, Response, TopicProduceData,
        TopicProduceResponse,
    };
    use crate::wire::frame;
    use proptest::prelude::*;

    prop_compose! {
        fn partition()(index: i32, records in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)))
            -> PartitionProduceData<'static> {
            PartitionProduceData { index, records: records.map(Into::into) }
        }
    }

    prop_compose! {
        fn topic()(name in "[a-z]{0,200}", id: [u8; 16], partition_data in prop::collection::vec(partition(), 0..4))
            -> TopicProduceData<'static> {
            TopicProduceData { name: name.into(), topic_id: Uuid(id), partition_data }
        }
    }

    /// The view turned into the generated struct.
    fn rebuilt<'a>(view: &RequestView<'a>) -> Request<'a> {
        let partition =
            |p: PartitionView<'a>| PartitionProduceData { index: p.index, records: p.records.map(Into::into) };
        let topic = |t: TopicView<'a>| TopicProduceData {
            name: t.name.into(),
            topic_id: t.topic_id,
            partition_data: t.partitions().map(partition).collect(),
        };
        Request {
            transactional_id: view.transactional_id.map(Into::into),
            acks: view.acks,
            timeout_ms: view.timeout_ms,
            topic_data: view.topics().map(topic).collect(),
        }
    }

    prop_compose! {
        fn answered()(
            index: i32, error_code: i16, base_offset: i64, log_append_time_ms: i64, log_start_offset: i64,
            errors in prop::collection::vec(any::<i32>(), 0..3), message in prop::option::of("[a-z]{0,9}"),
            leader_id in -1..2, leader_epoch in -1..2,
        ) -> PartitionProduceResponse<'static> {
            let error = |batch_index| BatchIndexAndErrorMessage { batch_index, ..Default::default() };
            PartitionProduceResponse {
                index, error_code, base_offset, log_append_time_ms, log_start_offset,
                record_errors: errors.into_iter().map(error).collect(),
                error_message: message.map(Into::into),
                current_leader: LeaderIdAndEpoch { leader_id, leader_epoch },
            }
        }
    }

    /// What the writer makes of it, and the bytes.
    fn written(response: &Response<'_>, version: i16) -> (Result<ToldErrors, EncodeError>, Vec<u8>) {
        let mut bytes = b"before".to_vec();
        let mut writer = ResponseWriter::new(&mut bytes, version, 7, response.responses.len());
        for topic in &response.responses {
            writer.topic(&topic.name, topic.topic_id, topic.partition_responses.len());
            topic.partition_responses.iter().for_each(|partition| writer.partition(partition));
        }
        let told = writer.finish(&response.node_endpoints);
        assert!(bytes.starts_with(b"before"));
        (told, bytes.split_off(b"before".len()))
    }

    #[test]
    fn the_versions_are_those_of_the_table() {
        let produce = crate::wire::api::describe(crate::model::ApiKey::Produce).unwrap();
        assert_eq!((produce.min_version, produce.max_version), (MIN_VERSION, MAX_VERSION));
        assert_eq!(produce.flexible_since, Some(FLEXIBLE_SINCE));
    }

    proptest! {
        #[test]
        fn the_view_sees_what_the_generated_decoder_sees(
            transactional_id in prop::option::of("[a-z]{0,9}"), acks: i16, timeout_ms: i32,
            topic_data in prop::collection::vec(topic(), 0..4), version in 3..=13i16,
        ) {
            let request =
                Request { transactional_id: transactional_id.map(Into::into), acks, timeout_ms, topic_data };
            let mut bytes = Vec::new();
            request.encode(&mut bytes, version).unwrap();
            let mut seen = Vec::new();
            let view = RequestView::parse_with(&bytes, version, |records| seen.push(records)).unwrap();
            let there = view.topics().flat_map(|topic| topic.partitions()).filter_map(|partition| partition.records);
            prop_assert_eq!(seen, there.collect::<Vec<_>>());
            prop_assert_eq!(Ok(rebuilt(&view)), Request::decode(&mut Reader::new(&bytes), version));
            prop_assert_eq!(view.topic_count(), request.topic_data.len());
            prop_assert_eq!(view.partition_count, view.topics().map(|t| t.partition_count).sum::<usize>());
            for cut in 0..bytes.len() {
                prop_assert!(RequestView::parse(&bytes[..cut], version).is_err());
            }
        }

        #[test]
        fn the_writer_writes_the_generated_response(
            topics in prop::collection::vec(("[a-z]{0,200}", any::<[u8; 16]>(), prop::collection::vec(answered(), 0..4)), 0..4),
            hosts in prop::collection::vec("[a-z]{0,9}", 0..3), version in 3..=13i16,
        ) {
            let topic = |(name, id, partitions): &(String, [u8; 16], Vec<PartitionProduceResponse<'static>>)| {
                let (name, topic_id) = if version < TOPIC_ID_SINCE { (name.clone(), Uuid::ZERO) } else { ("".into(), Uuid(*id)) };
                TopicProduceResponse { name: name.into(), topic_id, partition_responses: partitions.clone() }
            };
            let node = |host: &String| NodeEndpoint { node_id: 1, host: host.clone().into(), port: 2, rack: None };
            let node_endpoints: Vec<_> = hosts.iter().map(node).collect();
            let responses = topics.iter().map(topic).collect();
            let mut response = Response { responses, node_endpoints, ..Default::default() };
            let produce = api::describe(ApiKey::Produce).unwrap();
            let mut expected = Vec::new();
            let encoded = frame::append_response(&mut expected, produce, 7, &response, version);
            let (told, bytes) = written(&response, version);
            prop_assert_eq!((told.map_err(|error| error.kind), bytes), (encoded.map_err(|error| error.kind), expected.clone()));
            // What older versions cannot carry would hide the rest: again without it.
            if version < NODE_ENDPOINTS_SINCE {
                response.node_endpoints.clear();
                let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
                partitions.for_each(|partition| partition.current_leader = Default::default());
                expected.clear();
                let encoded = frame::append_response(&mut expected, produce, 7, &response, version);
                prop_assert_eq!(written(&response, version), (encoded, expected));
            }
        }

        #[test]
        fn any_bytes_are_judged_as_by_the_generated_decoder(bytes: Vec<u8>, version in 2..=14i16) {
            let view = RequestView::parse(&bytes, version);
            let decoded = Request::decode(&mut Reader::new(&bytes), version);
            prop_assert_eq!(view.map(|view| rebuilt(&view)), decoded);
        }
    }
}
