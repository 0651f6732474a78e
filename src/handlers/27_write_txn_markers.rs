//! WriteTxnMarkers (key 27), versions 1–2: ends transactions in partitions that this broker leads.
//!
//! Other brokers' coordinators ask for it, and `kafka-transactions abort`. Each marker is answered when it is committed.
//! Versions: 1 flexible; 2 the transaction version, which decides what epoch a marker must have (KIP-1228). Source:
//! `KafkaApis.handleWriteTxnMarkersRequest`. Needs Alter or ClusterAction of the cluster.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::{Answer, Head, Outcome, Parked, Polled, Request, State};
use crate::coordinator::machine::Producer;
use crate::coordinator_runtime::append_marker;
use crate::model::ErrorCode;
use crate::record::control::EndTxnMarker;
use crate::replica::partition::Partition;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::storage::log::Mark;
use crate::wire::api::write_txn_markers::{
    self as message, WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
};

/// How long a marker may take to be committed (`request.timeout.ms`).
const TIMEOUT: Duration = Duration::from_secs(30);

/// A marker for one partition, and what became of it.
struct Marker {
    producer_id: i64,
    topic: Arc<str>,
    index: i32,
    result: Result<(Arc<Partition>, Mark), ErrorCode>,
}

/// Markers that are on their way to the disk.
pub struct Waiting {
    head: Head,
    markers: Vec<Marker>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let may = request.may_cluster_silently(context, AclOperation::Alter)
        || request.may_cluster(context, AclOperation::ClusterAction);
    if !may {
        return refuse_all(request.head, &body);
    }
    let mut markers = Vec::new();
    for marker in &body.markers {
        for topic in &marker.topics {
            let name: Arc<str> = (&*topic.name).into();
            for index in &topic.partition_indexes {
                let result = append(context, marker, (&name, *index));
                markers.push(Marker { producer_id: marker.producer_id, topic: name.clone(), index: *index, result });
            }
        }
    }
    let written = || markers.iter().filter_map(|marker| marker.result.as_ref().ok());
    let watched = super::numbers(written().map(|(partition, _)| partition));
    let mut waiting = Box::new(Waiting { head: request.head, markers });
    let deadline = context.now + TIMEOUT;
    waiting.poll(context, false, true).or_wait(|| Outcome::Wait {
        parked: Parked::WriteTxnMarkers(waiting),
        deadline,
        watched,
    })
}

fn append(
    context: &mut Context<'_>,
    marker: &WritableTxnMarker<'_>,
    at: (&str, i32),
) -> Result<(Arc<Partition>, Mark), ErrorCode> {
    // What is offline is as unknown to those who ask (`ReplicaManager.onlinePartition`).
    context.view.partition_by_name(at.0, at.1).map_err(|_| ErrorCode::UnknownTopicOrPartition)?;
    // Kafka cannot build such a batch (`MemoryRecordsBuilder.close`), and no log takes it.
    if marker.producer_id < 0 || marker.producer_epoch < 0 {
        return Err(ErrorCode::UnknownServerError);
    }
    let producer = Producer { id: marker.producer_id, epoch: marker.producer_epoch };
    let control = EndTxnMarker { commit: marker.transaction_result, coordinator_epoch: marker.coordinator_epoch };
    let (groups, version) = (context.shared.coordinators(), marker.transaction_version.into());
    let appended = append_marker(groups, context.view, context.moment(), producer, control, version, at)?;
    context.dirty.add(&appended.0);
    Ok(appended)
}

impl Waiting {
    pub(super) fn poll(&mut self, context: &Context<'_>, expired: bool, asks: bool) -> Polled {
        let mut all_decided = true;
        for marker in &mut self.markers {
            let Ok((partition, mark)) = &marker.result else { continue };
            if asks {
                partition.waiting.add(context.shard);
            }
            match partition.is_committed(*mark) {
                Ok(true) => {}
                Ok(false) if expired => marker.result = Err(ErrorCode::RequestTimedOut),
                Ok(false) => all_decided = false,
                Err(error) => marker.result = Err(error),
            }
        }
        if all_decided { self.answer().map_or_else(Polled::Close, Polled::Answer) } else { Polled::Wait }
    }

    fn answer(&self) -> Result<Answer, String> {
        let mut results = Results::default();
        let is_of_one = |a: &Marker, b: &Marker| a.producer_id == b.producer_id && Arc::ptr_eq(&a.topic, &b.topic);
        for of_topic in self.markers.chunk_by(is_of_one) {
            let told =
                |marker: &Marker| told(marker.index, marker.result.as_ref().err().map_or(0, |error| error.code()));
            let of_producer = results.entry(of_topic[0].producer_id).or_default();
            of_producer.entry(&of_topic[0].topic).or_default().extend(of_topic.iter().map(told));
        }
        self.head.encode(&response(results))
    }
}

/// Results by producer and topic, in the order in which they were first named. What a request names in one place is looked up
/// once: it may have hundreds of thousands of producers, and as many partitions of a topic with a long name.
type Results<'a> = IndexMap<i64, IndexMap<&'a str, Vec<WritableTxnMarkerPartitionResult>>>;

fn told(partition_index: i32, error_code: i16) -> WritableTxnMarkerPartitionResult {
    WritableTxnMarkerPartitionResult { partition_index, error_code }
}

fn response<'a>(results: Results<'a>) -> message::Response<'a> {
    let of_topic = |(name, partitions): (&'a str, _)| WritableTxnMarkerTopicResult { name: name.into(), partitions };
    let of_producer = |(producer_id, topics): (i64, IndexMap<_, _>)| WritableTxnMarkerResult {
        producer_id,
        topics: topics.into_iter().map(of_topic).collect(),
    };
    message::Response { markers: results.into_iter().map(of_producer).collect() }
}

/// Nothing is looked at for those who may not (`WriteTxnMarkersRequest.getErrorResponse`).
fn refuse_all(head: Head, body: &message::Request<'_>) -> Outcome {
    let mut results = Results::default();
    let error_code = ErrorCode::ClusterAuthorizationFailed.code();
    for marker in &body.markers {
        let of_producer = results.entry(marker.producer_id).or_default();
        for topic in &marker.topics {
            let indexes = topic.partition_indexes.iter();
            of_producer.entry(&topic.name).or_default().extend(indexes.map(|index| told(*index, error_code)));
        }
    }
    head.answer(&response(results))
}
