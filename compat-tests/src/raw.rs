//! A small Kafka client over a socket, plain or with TLS, for saying what no real client says. Encoding and decoding of whole messages is
//! the crate `kafka-protocol`'s: a codec that knows nothing of Klamm's. Where bytes have to be wrong, they are ours.

use crate::broker::{self, Peer};
use crate::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId, CreateTopicsRequest, DeleteRecordsRequest,
    DeleteTopicsRequest, FetchRequest, IncrementalAlterConfigsRequest, ListOffsetsRequest, MetadataRequest,
    ProduceRequest, RequestHeader, SaslAuthenticateRequest, SaslHandshakeRequest, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer may take before a test calls it missing.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// No answer in these tests is larger.
const MAX_ANSWER: usize = 128 << 20;
/// More than any test's partition holds.
const FETCH_BYTES: i32 = 50 << 20;

/// What came back on a connection.
#[derive(PartialEq, Eq, Debug)]
pub enum Answer {
    Frame(Vec<u8>),
    Closed,
    /// Nothing within the time that the test gave.
    Silent,
}

pub struct Raw {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    correlation_id: i32,
}

impl Raw {
    pub fn connect(port: u16) -> Result<Raw> {
        Raw::over(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?)
    }

    /// Connects to another of the machine's own addresses.
    pub fn connect_to(address: Ipv4Addr, port: u16) -> Result<Raw> {
        Raw::over(TcpStream::connect((address, port)).context("cannot connect")?)
    }

    /// Connects from an address of the loopback network, which the broker takes for the client's.
    pub fn connect_from(source: Ipv4Addr, port: u16) -> Result<Raw> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).context("cannot connect")?;
        Raw::over(socket.into())
    }

    fn over(stream: TcpStream) -> Result<Raw> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Raw { stream, tls: None, correlation_id: 0 })
    }

    /// Everything behind this is encrypted.
    pub fn behind_tls(self, config: &Arc<ClientConfig>) -> Result<Raw> {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(config.clone(), name)?;
        Ok(Raw { tls: Some(Box::new(tls)), ..self })
    }

    fn read_exact(&mut self, bytes: &mut [u8]) -> std::io::Result<()> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read_exact(bytes),
            None => self.stream.read_exact(bytes),
        }
    }

    /// Logs in by SASL PLAIN.
    pub fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        self.begin_login("PLAIN")?;
        self.show(format!("\0{user}\0{password}")).with_context(|| format!("as {user}"))
    }

    /// Logs in by SASL OAUTHBEARER (RFC 7628).
    pub fn log_in_by_token(&mut self, token: &str) -> Result<()> {
        self.begin_login("OAUTHBEARER")?;
        self.show(format!("n,,\x01auth=Bearer {token}\x01\x01")).with_context(|| format!("by {token}"))
    }

    /// The token is what comes next.
    pub fn begin_login(&mut self, mechanism: &'static str) -> Result<()> {
        let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        let error = self.call(&handshake, 1)?.error_code;
        ensure!(error == 0, "SaslHandshake: error {error}");
        Ok(())
    }

    fn show(&mut self, token: String) -> Result<()> {
        let answer = self.call(&SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(token)), 2)?;
        ensure!(answer.error_code == 0, "SaslAuthenticate: error {}", answer.error_code);
        Ok(())
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are. A broker may close before it has read all of them: that is an answer, not a failure.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).write_all(bytes),
            None => self.stream.write_all(bytes),
        };
    }

    /// Sends bytes behind their length.
    pub fn send_frame(&mut self, frame: &[u8]) {
        let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        self.send(&bytes);
    }

    pub fn answer(&mut self, patience: Duration) -> Result<Answer> {
        self.stream.set_read_timeout(Some(patience))?;
        let mut size = [0; 4];
        match self.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if is_timeout(&error) => return Ok(Answer::Silent),
            Err(error) if is_closed(&error) => return Ok(Answer::Closed),
            Err(error) => return Err(error.into()),
        }
        let size = u32::from_be_bytes(size) as usize;
        ensure!(size <= MAX_ANSWER, "an answer of {size} bytes");
        let mut frame = vec![0; size];
        self.stream.set_read_timeout(Some(PATIENCE))?;
        self.read_exact(&mut frame).context("the rest of an answer")?;
        Ok(Answer::Frame(frame))
    }

    pub fn frame(&mut self) -> Result<Vec<u8>> {
        match self.answer(PATIENCE)? {
            Answer::Frame(frame) => Ok(frame),
            other => bail!("expected an answer, found {other:?}"),
        }
    }

    pub fn expect_closed(&mut self) -> Result<()> {
        match self.answer(PATIENCE)? {
            Answer::Closed => Ok(()),
            Answer::Silent => bail!("the connection is still open"),
            Answer::Frame(frame) => bail!("expected the connection to be closed, found an answer: {:02x?}", &frame),
        }
    }

    pub fn next_correlation_id(&mut self) -> i32 {
        self.correlation_id += 1;
        self.correlation_id
    }

    /// Sends one request and leaves its answer in the socket.
    pub fn post<R: Request>(&mut self, request: &R, version: i16) -> Result<i32> {
        let id = self.next_correlation_id();
        let body = body(request, version)?;
        self.send_frame(&frame(R::KEY, version, id, R::header_version(version), &body));
        Ok(id)
    }

    /// Sends one request and reads its answer.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let id = self.post(request, version)?;
        let mut answer = Bytes::from(self.frame()?);
        let header_version = R::Response::header_version(version);
        let header = kafka_protocol::messages::ResponseHeader::decode(&mut answer, header_version)?;
        ensure!(header.correlation_id == id, "correlation id {} instead of {id}", header.correlation_id);
        let response = R::Response::decode(&mut answer, version)?;
        ensure!(!answer.has_remaining(), "{} bytes after the answer", answer.remaining());
        Ok(response)
    }

    pub fn api_versions(&mut self) -> Result<ApiVersionsResponse> {
        self.api_versions_in(3)
    }

    /// The same, in a version from 3 on.
    pub fn api_versions_in(&mut self, api_version: i16) -> Result<ApiVersionsResponse> {
        let name = StrBytes::from_static_str("compat-tests");
        let version = StrBytes::from_static_str("0.1");
        let request =
            ApiVersionsRequest::default().with_client_software_name(name).with_client_software_version(version);
        let response = self.call(&request, api_version)?;
        ensure!(response.error_code == 0, "ApiVersions: error {}", response.error_code);
        Ok(response)
    }

    /// Creates a topic with the given configuration; fails on any error.
    pub fn create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let error = self.try_create_topic(name, partitions, configs)?;
        ensure!(error == 0, "CreateTopics {name}: error {error}");
        self.await_leaders(name, partitions)
    }

    /// Apache Kafka answers a creation, and serves after a start, before the partitions have their leaders. Klamm does not:
    /// no test may wait for it.
    pub fn await_leaders(&mut self, topic: &str, partitions: i32) -> Result<()> {
        if broker::peer() == Peer::Klamm {
            return Ok(());
        }
        self.await_all_leaders(topic, partitions)
    }

    /// The same, whichever broker it is.
    pub fn await_all_leaders(&mut self, topic: &str, partitions: i32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for partition in 0..partitions {
            while self.offset(topic, partition, -1)?.0 != 0 || self.topic_id(topic).is_err() {
                ensure!(Instant::now() < deadline, "{topic}-{partition} gets no leader");
            }
        }
        Ok(())
    }

    /// Creates a topic and returns the error code.
    pub fn try_create_topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<i16> {
        let configs =
            configs.iter().map(|(k, v)| CreatableTopicConfig::default().with_name(text(k)).with_value(Some(text(v))));
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let response = self.call(&request, 5)?;
        Ok(response.topics.first().context("no topic in the answer")?.error_code)
    }

    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![topic_name(name)]).with_timeout_ms(30_000);
        let response = self.call(&request, 4)?;
        let error = response.responses.first().context("no topic in the answer")?.error_code;
        ensure!(error == 0, "DeleteTopics {name}: error {error}");
        Ok(())
    }

    /// Sets one config of a topic.
    pub fn alter_topic(&mut self, topic: &str, key: &str, value: &str) -> Result<()> {
        const TOPIC: i8 = 2;
        const SET: i8 = 0;
        let config = AlterableConfig::default().with_name(text(key)).with_config_operation(SET);
        let config = config.with_value(Some(text(value)));
        let resource = AlterConfigsResource::default().with_resource_type(TOPIC).with_resource_name(text(topic));
        let request =
            IncrementalAlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])]);
        let response = self.call(&request, 1)?;
        let error = response.responses.first().context("no resource in the answer")?.error_code;
        ensure!(error == 0, "{topic}: {key}={value} is refused with {error}");
        Ok(())
    }

    pub fn offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<(i16, i64)> {
        let asked = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(vec![asked]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let response = self.call(&request, 5)?;
        let found = response.topics.first().and_then(|t| t.partitions.first()).context("no partition in the answer")?;
        Ok((found.error_code, found.offset))
    }

    /// The end of a partition's log, as a consumer sees it.
    pub fn end_offset(&mut self, topic: &str, partition: i32) -> Result<i64> {
        let (error, offset) = self.offset(topic, partition, -1)?;
        ensure!(error == 0, "ListOffsets {topic}-{partition}: error {error}");
        Ok(offset)
    }

    /// What a partition holds from an offset on, as far as one answer goes.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> Result<PartitionData> {
        self.fetch_by(11, topic, offset)
    }

    /// The same in a version: 11 is the first by which a replica that does not lead serves.
    pub fn fetch_by(&mut self, version: i16, topic: &str, offset: i64) -> Result<PartitionData> {
        let asked = FetchPartition::default()
            .with_partition(0)
            .with_current_leader_epoch(-1)
            .with_fetch_offset(offset)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(FETCH_BYTES);
        let named = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![asked]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_min_bytes(0)
            .with_max_bytes(FETCH_BYTES)
            .with_session_epoch(-1)
            .with_topics(vec![named]);
        let response = self.call(&request, version)?;
        let topic = response.responses.into_iter().next().context("no topic in the answer")?;
        topic.partitions.into_iter().next().context("no partition in the answer")
    }

    /// DeleteRecords in partition 0; the error and the log's start.
    pub fn delete_records(&mut self, topic: &str, offset: i64, version: i16) -> Result<(i16, i64)> {
        let asked = DeleteRecordsPartition::default().with_partition_index(0).with_offset(offset);
        let named = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![asked]);
        let request = DeleteRecordsRequest::default().with_topics(vec![named]).with_timeout_ms(30_000);
        let response = self.call(&request, version)?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first()).context("no answer")?;
        Ok((found.error_code, found.low_watermark))
    }

    pub fn topic_id(&mut self, topic: &str) -> Result<[u8; 16]> {
        let asked = kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
            .with_name(Some(topic_name(topic)));
        let request = MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
        let response = self.call(&request, 12)?;
        let found = response.topics.first().context("no topic in the answer")?;
        ensure!(found.error_code == 0, "Metadata {topic}: error {}", found.error_code);
        Ok(*found.topic_id.as_bytes())
    }

    /// Produces bytes as the records of partition 0 and returns the partition's answer.
    pub fn produce(&mut self, topic: &str, records: Vec<u8>) -> Result<PartitionProduceResponse> {
        let response = self.call(&produce_request(topic, records), 7)?;
        let topic = response.responses.into_iter().next().context("no topic in the answer")?;
        topic.partition_responses.into_iter().next().context("no partition in the answer")
    }
}

pub fn produce_request(topic: &str, records: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(0).with_records(Some(Bytes::from(records)));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub fn body<M: Encodable>(message: &M, version: i16) -> Result<Vec<u8>> {
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes, version)?;
    Ok(bytes.to_vec())
}

/// A request's header and body, without the length in front.
pub fn frame(key: i16, version: i16, correlation_id: i32, header_version: i16, body: &[u8]) -> Vec<u8> {
    frame_of("compat-tests", key, version, correlation_id, header_version, body)
}

/// The same, by a client of another name.
pub fn frame_of(
    client_id: &str,
    key: i16,
    version: i16,
    correlation_id: i32,
    header_version: i16,
    body: &[u8],
) -> Vec<u8> {
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text(client_id)));
    let mut bytes = BytesMut::new();
    header.encode(&mut bytes, header_version).expect("a header can be encoded");
    bytes.extend_from_slice(body);
    bytes.to_vec()
}

/// The header version of any advertised API; those that the crate does not know are newer than it and flexible.
pub fn header_version(key: i16, version: i16) -> i16 {
    match ApiKey::try_from(key) {
        Ok(known) if known.valid_versions().min <= version && version <= known.valid_versions().max => {
            known.request_header_version(version)
        }
        // Produce is advertised from 0 for librdkafka's sake; those versions are not flexible.
        Ok(ApiKey::Produce) => 1,
        _ => 2,
    }
}

pub fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn is_closed(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// A record batch v2 whose every field a test can set wrong; `encode` computes the rest.
#[derive(Clone)]
pub struct Batch {
    pub base_offset: i64,
    pub leader_epoch: i32,
    pub magic: i8,
    pub attributes: i16,
    pub last_offset_delta: Option<i32>,
    pub timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: Option<i32>,
    /// Added to the true length field.
    pub length_error: i32,
    /// Xored into the true checksum.
    pub crc_error: u32,
    /// Each record's offset delta and value.
    pub records: Vec<(i32, Vec<u8>)>,
}

impl Batch {
    pub fn of(values: &[&[u8]]) -> Batch {
        Batch {
            base_offset: 0,
            leader_epoch: -1,
            magic: 2,
            attributes: 0,
            last_offset_delta: None,
            timestamp: crate::records::FIRST_TIMESTAMP,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            count: None,
            length_error: 0,
            crc_error: 0,
            records: values.iter().enumerate().map(|(i, value)| (i as i32, value.to_vec())).collect(),
        }
    }

    fn record(delta: i32, key: Option<&[u8]>, value: &[u8]) -> Vec<u8> {
        let mut inner = vec![0]; // attributes
        varint(&mut inner, 0); // timestamp delta
        varint(&mut inner, delta);
        match key {
            Some(key) => {
                varint(&mut inner, key.len() as i32);
                inner.extend_from_slice(key);
            }
            None => varint(&mut inner, -1),
        }
        varint(&mut inner, value.len() as i32);
        inner.extend_from_slice(value);
        varint(&mut inner, 0); // no headers
        let mut record = Vec::new();
        varint(&mut record, inner.len() as i32);
        record.extend_from_slice(&inner);
        record
    }

    pub fn encode(&self) -> Vec<u8> {
        self.encode_keyed(&[])
    }

    /// With a key for each of the first records.
    pub fn encode_keyed(&self, keys: &[Vec<u8>]) -> Vec<u8> {
        let mut checked = self.attributes.to_be_bytes().to_vec();
        let last = self.last_offset_delta.unwrap_or(self.records.len() as i32 - 1);
        checked.extend_from_slice(&last.to_be_bytes());
        checked.extend_from_slice(&self.timestamp.to_be_bytes());
        checked.extend_from_slice(&self.timestamp.to_be_bytes());
        checked.extend_from_slice(&self.producer_id.to_be_bytes());
        checked.extend_from_slice(&self.producer_epoch.to_be_bytes());
        checked.extend_from_slice(&self.base_sequence.to_be_bytes());
        checked.extend_from_slice(&self.count.unwrap_or(self.records.len() as i32).to_be_bytes());
        for (at, (delta, value)) in self.records.iter().enumerate() {
            checked.extend(Batch::record(*delta, keys.get(at).map(Vec::as_slice), value));
        }
        let mut bytes = self.base_offset.to_be_bytes().to_vec();
        let length = 4 + 1 + 4 + checked.len() as i32 + self.length_error;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.leader_epoch.to_be_bytes());
        bytes.push(self.magic as u8);
        bytes.extend_from_slice(&(crc32c::crc32c(&checked) ^ self.crc_error).to_be_bytes());
        bytes.extend_from_slice(&checked);
        bytes
    }
}

/// A zigzag varint, as records use them.
fn varint(out: &mut Vec<u8>, value: i32) {
    let mut rest = ((value << 1) ^ (value >> 31)) as u32;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
