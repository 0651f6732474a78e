//! Our codec against the crate `kafka-protocol`, an independent implementation of the same protocol.
//!
//! For every message and version that both know: what the table says a random message looks like, both decode and encode
//! again to the same bytes; and both have the same defaults. Messages that the crate does not know are put through our
//! codec alone. The crate is generated from Kafka 4.1's definitions; what came later it cannot know.

mod table;

use klamm::codec::{Message, Reader};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write;
use table::Random;

const DRAWS: u64 = 30;
const DRAWS_FOR_JAVA: u64 = 10;

/// What a codec does with a message: decodes it and encodes it again; encodes its default. Errors as text.
struct Codec {
    versions: std::ops::RangeInclusive<i16>,
    again: fn(&[u8], i16) -> Result<Vec<u8>, String>,
    default: fn(i16) -> Result<Vec<u8>, String>,
}

// ---- Ours ------------------------------------------------------------------------------------------------------------

fn again<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> Result<Vec<u8>, String> {
    let mut reader = Reader::new(bytes);
    let message = M::decode(&mut reader, version).map_err(|e| e.to_string())?;
    reader.finish(M::NAME).map_err(|e| e.to_string())?;
    encoded(&message, version)
}

fn encoded<'a, M: Message<'a>>(message: &M, version: i16) -> Result<Vec<u8>, String> {
    let mut out = b"before".to_vec();
    let size = message.size_bytes(version).map_err(|e| e.to_string())?;
    message.encode(&mut out, version).map_err(|e| e.to_string())?;
    assert_eq!(out.len(), 6 + size, "the size that was computed");
    Ok(out.split_off(6))
}

include!(concat!(env!("OUT_DIR"), "/every_message.rs"));

fn ours() -> BTreeMap<&'static str, Codec> {
    let mut codecs = BTreeMap::new();
    let messages = table::messages();
    macro_rules! one {
        ($name:literal, $type:ty) => {
            let valid = table::find(&messages, $name).valid;
            codecs.insert(
                $name,
                Codec {
                    versions: valid.min..=valid.max,
                    again: |bytes, version| again::<$type>(bytes, version),
                    default: |version| encoded(&<$type>::default(), version),
                },
            );
        };
    }
    every_message!(one);
    codecs
}

// ---- The oracle's ----------------------------------------------------------------------------------------------------

fn oracle_again<M>(bytes: &[u8], version: i16) -> Result<Vec<u8>, String>
where
    M: kafka_protocol::protocol::Decodable + kafka_protocol::protocol::Encodable,
{
    let mut bytes = bytes::Bytes::copy_from_slice(bytes);
    let message = M::decode(&mut bytes, version).map_err(|e| e.to_string())?;
    if !bytes.is_empty() {
        return Err(format!("{} bytes left over", bytes.len()));
    }
    oracle_encoded(&message, version)
}

fn oracle_encoded(message: &impl kafka_protocol::protocol::Encodable, version: i16) -> Result<Vec<u8>, String> {
    let mut out = bytes::BytesMut::new();
    message.encode(&mut out, version).map_err(|e| e.to_string())?;
    Ok(out.to_vec())
}

macro_rules! oracles {
    ($($name:ident),* $(,)?) => {
        fn oracle() -> BTreeMap<&'static str, Codec> {
            use kafka_protocol::protocol::Message;
            let mut codecs = BTreeMap::new();
            $(
                let versions = kafka_protocol::messages::$name::VERSIONS;
                codecs.insert(stringify!($name), Codec {
                    versions: versions.min..=versions.max,
                    again: |bytes, version| oracle_again::<kafka_protocol::messages::$name>(bytes, version),
                    default: |version| oracle_encoded(&kafka_protocol::messages::$name::default(), version),
                });
            )*
            codecs
        }
    };
}

#[rustfmt::skip]
oracles! {
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddRaftVoterRequest, AddRaftVoterResponse, AllocateProducerIdsRequest, AllocateProducerIdsResponse,
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterConfigsRequest, AlterConfigsResponse,
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, AlterPartitionRequest,
    AlterPartitionResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, ApiVersionsRequest, ApiVersionsResponse, AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse, BeginQuorumEpochRequest, BeginQuorumEpochResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
    ControllerRegistrationRequest, ControllerRegistrationResponse, CreateAclsRequest, CreateAclsResponse,
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DeleteGroupsRequest, DeleteGroupsResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse, DeleteShareGroupStateRequest,
    DeleteShareGroupStateResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeAclsRequest,
    DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, DescribeGroupsRequest, DescribeGroupsResponse, DescribeLogDirsRequest,
    DescribeLogDirsResponse, DescribeProducersRequest, DescribeProducersResponse, DescribeQuorumRequest,
    DescribeQuorumResponse, DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    ElectLeadersRequest, ElectLeadersResponse, EndQuorumEpochRequest, EndQuorumEpochResponse, EndTxnMarker,
    EndTxnRequest, EndTxnResponse, EnvelopeRequest, EnvelopeResponse, ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse, FetchRequest, FetchResponse, FetchSnapshotRequest, FetchSnapshotResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse, HeartbeatRequest, HeartbeatResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse,
    InitializeShareGroupStateRequest, InitializeShareGroupStateResponse, JoinGroupRequest, JoinGroupResponse,
    KRaftVersionRecord, LeaderChangeMessage, LeaveGroupRequest, LeaveGroupResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ListTransactionsRequest,
    ListTransactionsResponse, MetadataRequest, MetadataResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest, ProduceResponse,
    PushTelemetryRequest, PushTelemetryResponse, ReadShareGroupStateRequest, ReadShareGroupStateResponse,
    ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse, RemoveRaftVoterRequest,
    RemoveRaftVoterResponse, RenewDelegationTokenRequest, RenewDelegationTokenResponse, RequestHeader,
    ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse, ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareFetchRequest,
    ShareFetchResponse, ShareGroupDescribeRequest, ShareGroupDescribeResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse, SnapshotFooterRecord, SnapshotHeaderRecord, SyncGroupRequest,
    SyncGroupResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse, UnregisterBrokerRequest,
    UnregisterBrokerResponse, UpdateFeaturesRequest, UpdateFeaturesResponse, UpdateRaftVoterRequest,
    UpdateRaftVoterResponse, VoteRequest, VoteResponse, VotersRecord, WriteShareGroupStateRequest,
    WriteShareGroupStateResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse
}

// ---- The comparison --------------------------------------------------------------------------------------------------

/// A random message that the oracle can read. It confuses a field named `Version` with the version that it decodes
/// (`LeaderChangeMessage`, `VotersRecord`), so there the field says the version.
fn draw_for_oracle(message: &table::schema::Message, version: i16, seed: u64) -> Vec<u8> {
    let mut bytes = table::draw(message, version, &mut Random(seed));
    if message.root().fields.first().is_some_and(|field| field.name == "Version") {
        bytes[..2].copy_from_slice(&version.to_be_bytes());
    }
    bytes
}

/// The versions that both know.
fn shared(ours: &Codec, theirs: &Codec) -> std::ops::RangeInclusive<i16> {
    *ours.versions.start().max(theirs.versions.start())..=*ours.versions.end().min(theirs.versions.end())
}

#[test]
fn random_messages_agree_in_both_directions() {
    let (messages, ours, oracle) = (table::messages(), ours(), oracle());
    let (mut compared, mut wrong) = (0, BTreeMap::new());
    for (name, theirs) in &oracle {
        for version in shared(&ours[name], theirs) {
            for seed in 0..DRAWS {
                let bytes = draw_for_oracle(table::find(&messages, name), version, seed);
                let mine = (ours[name].again)(&bytes, version);
                assert_eq!(mine.as_deref(), Ok(bytes.as_slice()), "{name} {version}, seed {seed}");
                match (theirs.again)(&bytes, version) {
                    Ok(again) if again == bytes => compared += 1,
                    other => {
                        let what = other.map(|_| "other bytes").unwrap_or_else(|e| Box::leak(e.into_boxed_str()));
                        wrong.entry(*name).or_insert((version, seed, what));
                    }
                }
            }
        }
    }
    println!("{compared} messages of {} kinds agree", oracle.len());
    assert!(wrong.is_empty(), "the oracle reads or writes otherwise: {wrong:#?}");
}

#[test]
fn defaults_agree() {
    let (ours, oracle) = (ours(), oracle());
    let mut wrong = BTreeMap::new();
    for (name, theirs) in &oracle {
        for version in shared(&ours[name], theirs) {
            let (mine, other) = ((ours[name].default)(version), (theirs.default)(version));
            if mine != other && !(mine.is_err() && other.is_err()) {
                wrong.entry(*name).or_insert((version, mine, other));
            }
        }
    }
    assert!(wrong.is_empty(), "other defaults: {wrong:#?}");
}

#[test]
fn every_message_in_every_version_comes_back_as_it_was() {
    let (messages, ours) = (table::messages(), ours());
    assert_eq!(messages.len(), ours.len());
    let mut file = String::new();
    for message in &messages {
        let codec = &ours[message.name.as_str()];
        for version in message.valid.min..=message.valid.max {
            let mut note = |what: &str, bytes: &[u8]| {
                let _ = writeln!(file, "{what} {} {} {version} {}", message.kind, message.name, hex(bytes));
            };
            if let Ok(bytes) = (codec.default)(version) {
                note("default", &bytes);
            }
            for seed in 0..DRAWS {
                let bytes = table::draw(message, version, &mut Random(seed ^ 0xfeed));
                let again = (codec.again)(&bytes, version);
                assert_eq!(again.as_deref(), Ok(bytes.as_slice()), "{} {version}, seed {seed}", message.name);
                if seed < DRAWS_FOR_JAVA {
                    note("again", &bytes);
                }
            }
        }
    }
    // For scripts/check-codec.sh, which puts the same messages before Kafka's own classes.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/messages.txt"), file).unwrap();
}

/// The place where an answer says for how long its client is throttled: what is written there is decoded there, in each
/// API and version that has it, and nothing else changes.
#[test]
fn throttling_is_told_in_its_place() {
    use klamm::model::ApiKey;
    use klamm::wire::{api, frame};
    const MS: i32 = 123_456_789;
    let mut found = BTreeMap::new();
    macro_rules! one {
        ($name:literal, $type:ty) => {
            let of_broker = |key: &&ApiKey| format!("{}Response", key.name()) == $name;
            if let Some(description) = ApiKey::ALL.iter().find(of_broker).and_then(|key| api::describe(*key)) {
                for version in description.min_version..=description.max_version {
                    let mut bytes = Vec::new();
                    frame::append_response(&mut bytes, description, 7, &<$type>::default(), version).unwrap();
                    let at = description.throttle_at(version, &bytes);
                    if let Some(at) = at {
                        assert_eq!(bytes[at..at + 4], [0; 4], "{} v{version}", $name);
                        bytes[at..at + 4].copy_from_slice(&MS.to_be_bytes());
                    }
                    let head = 8 + description.response_header_version(version) as usize;
                    let decoded = <$type>::decode(&mut Reader::new(&bytes[head..]), version).unwrap();
                    let (told, default) = (format!("{decoded:?}"), format!("{:?}", <$type>::default()));
                    let named = format!("throttle_time_ms: {MS}");
                    assert_eq!(told.replace(&named, "throttle_time_ms: 0"), default, "{} v{version}", $name);
                    assert_eq!(told.contains(&named), at.is_some(), "{} v{version}", $name);
                    *found.entry($name).or_insert(0) += i32::from(at.is_some());
                }
            }
        };
    }
    every_message!(one);
    let without: Vec<_> = found.iter().filter(|(_, versions)| **versions == 0).map(|(name, _)| *name).collect();
    assert_eq!(without, WITHOUT_THROTTLE);
    assert!(found.len() > 70, "{}", found.len());
    // ApiVersions has a list before it.
    let description = api::describe(ApiKey::ApiVersions).unwrap();
    for version in 1..=description.max_version {
        let keys = vec![api::api_versions::ApiVersion { api_key: 1, min_version: 2, max_version: 3 }; 200];
        let response = api::api_versions::Response { api_keys: keys, throttle_time_ms: MS, ..Default::default() };
        let mut bytes = Vec::new();
        frame::append_response(&mut bytes, description, 7, &response, version).unwrap();
        let at = description.throttle_at(version, &bytes).unwrap();
        assert_eq!(bytes[at..at + 4], MS.to_be_bytes(), "v{version}");
        assert_eq!(description.throttle_at(version, &bytes[..at]), None, "v{version}");
    }
}

/// Responses that never tell of throttling.
const WITHOUT_THROTTLE: &[&str] = &[
    "BeginQuorumEpochResponse",
    "DeleteShareGroupStateResponse",
    "DescribeQuorumResponse",
    "EndQuorumEpochResponse",
    "EnvelopeResponse",
    "InitializeShareGroupStateResponse",
    "ReadShareGroupStateResponse",
    "ReadShareGroupStateSummaryResponse",
    "SaslAuthenticateResponse",
    "SaslHandshakeResponse",
    "VoteResponse",
    "WriteShareGroupStateResponse",
    "WriteTxnMarkersResponse",
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("x".to_string(), |text, byte| text + &format!("{byte:02x}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_refused_or_understood(bytes in prop::collection::vec(0..=255u8, 0..200), version in -1..19i16) {
        for (name, codec) in ours() {
            if let Ok(written) = (codec.again)(&bytes, version) {
                // What was read may have been written in a roundabout way; what we write is the straight one.
                let again = (codec.again)(&written, version);
                prop_assert_eq!(again.as_deref(), Ok(written.as_slice()), "{} {}", name, version);
            }
        }
    }
}

/// The table as data, by which frames are shown, reads every message to its end and shows each field that is not tagged.
#[test]
fn every_frame_is_shown_to_its_end() {
    use klamm::wire::json::{RecordsShown, Side, show};
    let mut random = Random(7);
    for message in table::messages() {
        let side = match message.kind.as_str() {
            "request" => Side::Request,
            "response" => Side::Response,
            _ => continue,
        };
        let suffix = if side == Side::Request { "Request" } else { "Response" };
        let name = message.name.strip_suffix(suffix).unwrap();
        let api = klamm::model::ApiKey::ALL.iter().copied().find(|api| api.name() == name).unwrap();
        for version in message.valid.min..=message.valid.max {
            for _ in 0..20 {
                let bytes = table::draw(&message, version, &mut random);
                let mut reader = Reader::new(&bytes);
                let shown = show(api, side, version, &mut reader, RecordsShown::Whole);
                let shown = shown.unwrap_or_else(|error| panic!("{} of version {version}: {error}", message.name));
                assert_eq!(reader.remaining(), 0, "{} of version {version}", message.name);
                for field in &message.root().fields {
                    let mut camel = field.name.clone();
                    camel[..1].make_ascii_lowercase();
                    let is_here = field.versions.has(version) && !field.tagged.has(version);
                    assert!(!is_here || shown.get(&camel).is_some(), "{}.{camel} of version {version}", message.name);
                }
            }
        }
    }
}
