//! DescribeQuorum (key 55), versions 0–2: the quorum that keeps the metadata log (KIP-595, KIP-836, KIP-853).
//!
//! This node is leader and only voter, so the end of the log is its high watermark, and it is caught up now
//! (`KafkaRaftClient.handleDescribeQuorumRequest`). Versions: 1 when replicas were caught up; 2 their directories, and
//! where voters can be reached. Deviation: a directory that began here has no endpoint of a controller to tell of.

use super::{Outcome, Request, State};
use crate::metadata::topic_name::CLUSTER_METADATA_TOPIC;
use crate::model::ErrorCode;
use crate::replica::view::{Leadership, VoterEndpoint};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::describe_quorum::{self as message, request, response};

/// The first version that tells of nodes and directories.
const NODES_SINCE: i16 = 2;
/// The first version with sentences beside its errors.
const MESSAGE_SINCE: i16 = 2;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let head = request.head;
    if !request.may_cluster(context, AclOperation::Describe) {
        return head.answer(&message::Response {
            error_code: ErrorCode::ClusterAuthorizationFailed.code(),
            error_message: (head.version >= MESSAGE_SINCE).then(|| "Cluster authorization failed.".into()),
            ..Default::default()
        });
    }
    if !asks_for_the_metadata_log(&body.topics) {
        return head.answer(&unknown(&body.topics));
    }
    let leadership = &context.view.leadership;
    let node_id = context.shared.config.node_id;
    let knows_nodes = head.version >= NODES_SINCE;
    let end_offset = context.view.applied_offset().0 + 1;
    let voter = response::ReplicaState {
        replica_id: node_id,
        replica_directory_id: if knows_nodes { leadership.directory_id } else { Default::default() },
        log_end_offset: end_offset,
        last_fetch_timestamp: context.wall.0,
        last_caught_up_timestamp: context.wall.0,
    };
    let partition = response::PartitionData {
        leader_id: node_id,
        leader_epoch: leadership.leader_epoch.0,
        high_watermark: end_offset,
        current_voters: vec![voter],
        ..Default::default()
    };
    let topic = response::TopicData { topic_name: CLUSTER_METADATA_TOPIC.into(), partitions: vec![partition] };
    let nodes = if knows_nodes { vec![node(node_id, leadership)] } else { Vec::new() };
    head.answer(&message::Response { topics: vec![topic], nodes, ..Default::default() })
}

fn node(node_id: i32, leadership: &Leadership) -> response::Node<'_> {
    let listener = |endpoint: &VoterEndpoint| response::Listener {
        name: endpoint.listener.clone().into(),
        host: endpoint.host.clone().into(),
        port: endpoint.port,
    };
    response::Node { node_id, listeners: leadership.endpoints.iter().map(listener).collect() }
}

/// Its only partition, and nothing else.
fn asks_for_the_metadata_log(topics: &[request::TopicData<'_>]) -> bool {
    let [topic] = topics else { return false };
    topic.topic_name == CLUSTER_METADATA_TOPIC && matches!(&topic.partitions[..], [only] if only.partition_index == 0)
}

fn unknown<'r>(topics: &'r [request::TopicData<'_>]) -> message::Response<'r> {
    let partition = |asked: &request::PartitionData| response::PartitionData {
        partition_index: asked.partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.code(),
        error_message: Some("This server does not host this topic-partition.".into()),
        ..Default::default()
    };
    let topic = |asked: &'r request::TopicData<'_>| response::TopicData {
        topic_name: (&*asked.topic_name).into(),
        partitions: asked.partitions.iter().map(partition).collect(),
    };
    message::Response { topics: topics.iter().map(topic).collect(), ..Default::default() }
}
