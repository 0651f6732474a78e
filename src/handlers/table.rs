//! The table of what is implemented: one row for each API, which declares everything that the server must know of it.
//!
//! Dispatch, ApiVersions, the README and the order of a connection's requests come from here, so that what has no row is
//! not advertised. What a row says of authorisation and forwarding is Kafka's, read in `KafkaApis` and `ControllerApis`.

use super::{Outcome, Request, State};
use crate::config::Config;
use crate::model::ApiKey;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;

/// When a request may be handled while earlier ones of its connection still wait for their answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// When all of them are answered, as in Kafka, which handles one request of a connection at a time.
    Alone,
    /// Behind other requests of this order, whose appends are all written by the end of the turn.
    Pipelined,
}

/// What handling a request costs: the classes in which latencies are told, and in which requests will be held back
/// when there is too much to do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cost {
    /// Little: the answer comes from memory and does not grow with the cluster.
    Small,
    /// Records that are written or read: the bytes count. A fetch may wait for them as long as its client wants.
    Data,
    /// It grows with the topics, partitions, groups or configs that are asked for.
    Listing,
    /// A step of a group, which may append a record and wait for other members.
    Group,
    /// A change that the controller decides, or a check that it must make; answered when the records are on the disk.
    Change,
}

impl Cost {
    pub const ALL: [Cost; 5] = [Cost::Small, Cost::Data, Cost::Listing, Cost::Group, Cost::Change];
}

/// An operation that the authorizer will be asked about.
pub type Need = (AclOperation, AclResource);

type Handle = fn(&mut State, &mut Context<'_>, &Request<'_>) -> Outcome;

/// One row of the table of what is implemented.
pub struct Handler {
    pub key: ApiKey,
    pub min_version: i16,
    pub max_version: i16,
    /// The same with `unstable.api.versions.enable`: versions that Kafka may still change.
    pub unstable_max_version: i16,
    /// What ApiVersions says instead of `min_version`.
    pub advertised_min_version: i16,
    pub order: Order,
    /// Whether a broker of Kafka that is not the active controller passes the request on to it (`ApiKeys.forwardable`).
    /// This broker is the controller itself: nothing is passed on yet.
    pub forwarded: bool,
    pub cost: Cost,
    /// Every operation that Kafka asks its authorizer about for this API, each of which guards a part of the request or of
    /// its answer: which, is the handler's to know.
    pub needs: &'static [Need],
    pub(super) handle: Handle,
}

impl Handler {
    /// Kafka's name of the API.
    pub fn name(&self) -> &'static str {
        self.key.name()
    }

    /// The versions that this broker handles, and the lowest one that it tells of. `None` where it is to be taken for one
    /// that has none of them.
    pub fn offer(&self, config: &Config) -> Option<OfferedVersions> {
        let newest = if config.unstable_api_versions { self.unstable_max_version } else { self.max_version };
        let everything = OfferedVersions {
            told_min: self.advertised_min_version,
            min_version: self.min_version,
            max_version: newest,
        };
        let Some(release) = &config.as_version else { return Some(everything) };
        let (low, high) = release.api(self.key)?;
        let told_min = self.advertised_min_version.max(low);
        let offer = OfferedVersions {
            told_min,
            min_version: self.min_version.max(low),
            max_version: self.max_version.min(high),
        };
        (offer.min_version <= offer.max_version).then_some(offer)
    }

    /// Whether it is built in this version, whatever is offered.
    pub fn has(&self, version: i16) -> bool {
        (self.min_version..=self.max_version).contains(&version)
    }

    /// Whether this broker handles this version.
    pub fn offers(&self, version: i16, config: &Config) -> bool {
        self.offer(config).is_some_and(|offer| (offer.min_version..=offer.max_version).contains(&version))
    }
}

/// The versions of an API that are offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfferedVersions {
    /// What ApiVersions says instead of `min_version`.
    pub told_min: i16,
    pub min_version: i16,
    pub max_version: i16,
}

const HERE: bool = false;
const CONTROLLER: bool = true;

macro_rules! first {
    ($first:literal $($rest:literal)?) => {
        $first
    };
}

macro_rules! rows {
    ($(
        $key:ident $min:literal - $max:literal $(unstable to $unstable:literal)? $(shown from $shown:literal)?, $order:ident, $forwarded:ident, $cost:ident,
        [$($operation:ident $resource:ident),*], $handler:ident;
    )*) => {
        /// Everything that is implemented, in the order of the keys.
        pub static HANDLERS: &[Handler] = &[$(Handler {
            key: ApiKey::$key,
            min_version: $min,
            max_version: $max,
            unstable_max_version: first!($($unstable)? $max),
            advertised_min_version: first!($($shown)? $min),
            order: Order::$order,
            forwarded: $forwarded,
            cost: Cost::$cost,
            needs: &[$((AclOperation::$operation, AclResource::$resource)),*],
            handle: super::$handler::handle,
        },)*];
    };
}

rows! {
    // Advertised from 0: librdkafka up to 2.x takes a higher minimum for a broker without the features of 0 to 2
    // (KAFKA-18659). Kafka refuses those versions just as we do.
    Produce 3-13 shown from 0, Pipelined, HERE, Data, [Write TransactionalId, Write Topic], produce;
    // A follower's: ClusterAction.
    Fetch 4-18, Alone, HERE, Data, [Read Topic, ClusterAction Cluster], fetch;
    ListOffsets 1-11, Alone, HERE, Listing, [Describe Topic], list_offsets;
    // Create: of topics that are made because they are asked for. Describe of the cluster: to tell what may be done with it.
    Metadata 0-13, Alone, HERE, Listing, [Describe Topic, Create Cluster, Create Topic, Describe Cluster], metadata;
    OffsetCommit 2-10, Alone, HERE, Group, [Read Group, Read Topic], offset_commit;
    OffsetFetch 1-10, Alone, HERE, Group, [Describe Group, Describe Topic], offset_fetch;
    FindCoordinator 0-6, Alone, HERE, Small,
        [Describe Group, Describe TransactionalId, ClusterAction Cluster], find_coordinator;
    JoinGroup 0-9, Alone, HERE, Group, [Read Group], join_group;
    Heartbeat 0-4, Alone, HERE, Group, [Read Group], heartbeat;
    LeaveGroup 0-5, Alone, HERE, Group, [Read Group], leave_group;
    SyncGroup 0-5, Alone, HERE, Group, [Read Group], sync_group;
    DescribeGroups 0-6, Alone, HERE, Listing, [Describe Group], describe_groups;
    ListGroups 0-5, Alone, HERE, Listing, [Describe Cluster, Describe Group], list_groups;
    // Before the session is open it is `authentication` that handles these three.
    SaslHandshake 0-1, Alone, HERE, Small, [], sasl_handshake;
    ApiVersions 0-5, Alone, HERE, Small, [], api_versions;
    // DescribeConfigs: to be told the new topic's configs.
    CreateTopics 2-7, Alone, CONTROLLER, Change, [Create Cluster, Create Topic, DescribeConfigs Topic], create_topics;
    DeleteTopics 1-6, Alone, CONTROLLER, Change, [Delete Cluster, Describe Topic, Delete Topic], delete_topics;
    DeleteRecords 0-2, Alone, HERE, Data, [Delete Topic], delete_records;
    // 6 is of KIP-939.
    InitProducerId 0-5 unstable to 6, Alone, HERE, Small,
        [Write TransactionalId, TwoPhaseCommit TransactionalId, IdempotentWrite Cluster, Write Topic], init_producer_id;
    OffsetForLeaderEpoch 2-4, Alone, HERE, Listing, [ClusterAction Cluster, Describe Topic], offset_for_leader_epoch;
    // 4 and 5 come from other brokers.
    AddPartitionsToTxn 0-5, Alone, HERE, Small,
        [Write TransactionalId, Write Topic, ClusterAction Cluster], add_partitions_to_txn;
    AddOffsetsToTxn 0-4, Alone, HERE, Small, [Write TransactionalId, Read Group], add_offsets_to_txn;
    EndTxn 0-5, Alone, HERE, Small, [Write TransactionalId], end_txn;
    WriteTxnMarkers 1-2, Alone, HERE, Data, [Alter Cluster, ClusterAction Cluster], write_txn_markers;
    TxnOffsetCommit 0-6, Alone, HERE, Group, [Write TransactionalId, Read Group, Read Topic], txn_offset_commit;
    DescribeAcls 1-3, Alone, HERE, Listing, [Describe Cluster], describe_acls;
    CreateAcls 1-3, Alone, CONTROLLER, Change, [Alter Cluster], create_acls;
    DeleteAcls 1-3, Alone, CONTROLLER, Change, [Alter Cluster], delete_acls;
    DescribeConfigs 1-4, Alone, HERE, Listing,
        [DescribeConfigs Cluster, DescribeConfigs Topic, DescribeConfigs Group], describe_configs;
    // Loggers are the broker's own that is asked.
    AlterConfigs 0-2, Alone, CONTROLLER, Change,
        [AlterConfigs Cluster, AlterConfigs Topic, AlterConfigs Group], alter_configs;
    AlterReplicaLogDirs 1-2, Alone, HERE, Change, [Alter Cluster], alter_replica_log_dirs;
    DescribeLogDirs 1-5, Alone, HERE, Listing, [Describe Cluster], describe_log_dirs;
    SaslAuthenticate 0-2, Alone, HERE, Small, [], sasl_authenticate;
    CreatePartitions 0-3, Alone, CONTROLLER, Change, [Alter Topic], create_partitions;
    // CreateTokens: for another user than oneself.
    CreateDelegationToken 1-3, Alone, CONTROLLER, Change, [CreateTokens User], create_delegation_token;
    // The token's owner and renewers may, whatever the ACLs say.
    RenewDelegationToken 1-2, Alone, CONTROLLER, Change, [], renew_delegation_token;
    ExpireDelegationToken 1-2, Alone, CONTROLLER, Change, [], expire_delegation_token;
    DescribeDelegationToken 1-3, Alone, HERE, Listing,
        [Describe DelegationToken, DescribeTokens User], describe_delegation_token;
    DeleteGroups 0-3, Alone, HERE, Group, [Delete Group], delete_groups;
    ElectLeaders 0-2, Alone, CONTROLLER, Change, [Alter Cluster], elect_leaders;
    IncrementalAlterConfigs 0-1, Alone, CONTROLLER, Change,
        [AlterConfigs Cluster, AlterConfigs Topic, AlterConfigs Group], incremental_alter_configs;
    AlterPartitionReassignments 0-1, Alone, CONTROLLER, Change, [Alter Cluster], alter_partition_reassignments;
    ListPartitionReassignments 0-0, Alone, CONTROLLER, Listing, [Describe Cluster], list_partition_reassignments;
    OffsetDelete 0-0, Alone, HERE, Group, [Delete Group, Read Topic], offset_delete;
    DescribeClientQuotas 0-1, Alone, HERE, Listing, [DescribeConfigs Cluster], describe_client_quotas;
    AlterClientQuotas 0-1, Alone, CONTROLLER, Change, [AlterConfigs Cluster], alter_client_quotas;
    DescribeUserScramCredentials 0-0, Alone, HERE, Listing, [Describe Cluster], describe_user_scram_credentials;
    AlterUserScramCredentials 0-0, Alone, CONTROLLER, Change, [Alter Cluster], alter_user_scram_credentials;
    DescribeQuorum 0-2, Alone, CONTROLLER, Small, [Describe Cluster], describe_quorum;
    UpdateFeatures 0-2, Alone, CONTROLLER, Change, [Alter Cluster], update_features;
    // Every client may; Describe: to tell what may be done with the cluster.
    DescribeCluster 0-2, Alone, HERE, Small, [Describe Cluster], describe_cluster;
    DescribeProducers 0-0, Alone, HERE, Listing, [Read Topic], describe_producers;
    UnregisterBroker 0-0, Alone, CONTROLLER, Change, [Alter Cluster], unregister_broker;
    DescribeTransactions 0-0, Alone, HERE, Listing, [Describe TransactionalId, Describe Topic], describe_transactions;
    ListTransactions 0-2, Alone, HERE, Listing, [Describe TransactionalId], list_transactions;
    ConsumerGroupHeartbeat 0-1, Alone, HERE, Group, [Read Group, Describe Topic], consumer_group_heartbeat;
    ConsumerGroupDescribe 0-1, Alone, HERE, Listing, [Describe Group, Describe Topic], consumer_group_describe;
    ListConfigResources 0-1, Alone, HERE, Listing, [DescribeConfigs Cluster], list_config_resources;
    DescribeTopicPartitions 0-0, Alone, HERE, Listing, [Describe Topic], describe_topic_partitions;
}

/// No row.
const NONE: u8 = u8::MAX;

/// The row of each key.
static ROWS: [u8; ApiKey::ALL.len()] = {
    let mut rows = [NONE; ApiKey::ALL.len()];
    let mut at = 0;
    while at < HANDLERS.len() {
        rows[HANDLERS[at].key as usize] = at as u8;
        at += 1;
    }
    rows
};

const _: () = assert!(ApiKey::ALL.len() < NONE as usize, "a row has a number that is not the one of none");

/// The row of a key as a client has sent it.
pub(super) fn find(key: i16) -> Option<&'static Handler> {
    let row = *ROWS.get(usize::try_from(key).ok()?)?;
    HANDLERS.get(usize::from(row))
}

/// The row that handles a frame, found by its first two bytes; `None` if its API is not offered.
pub fn of_frame(frame: &[u8]) -> Option<&'static Handler> {
    find(i16::from_be_bytes(*frame.first_chunk()?))
}

/// The version that a frame names in the two bytes behind its API; 0 of a frame that ends before.
pub fn version_of(frame: &[u8]) -> i16 {
    frame.get(2..4).map_or(0, |bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::wire::api;

    #[test]
    fn rows_are_unique_and_stand_in_the_order_of_the_keys() {
        assert!(HANDLERS.windows(2).all(|pair| pair[0].key < pair[1].key));
        for key in ApiKey::ALL {
            let row = HANDLERS.iter().find(|handler| handler.key == *key);
            assert_eq!(find(key.id()).map(|found| found.key), row.map(|row| row.key), "{key}");
        }
        assert!(find(-1).is_none() && find(i16::MAX).is_none() && of_frame(&[0]).is_none());
        assert_eq!(of_frame(&[0, 18, 0]).map(Handler::name), Some("ApiVersions"));
    }

    #[test]
    fn rows_serve_versions_that_exist() {
        for handler in HANDLERS {
            let kafka = api::describe(handler.key).unwrap();
            assert!(handler.min_version <= handler.max_version, "{}", handler.name());
            assert!(kafka.has_version(handler.min_version) && handler.max_version <= kafka.max_stable_version());
            let unstable = handler.unstable_max_version;
            assert!((handler.max_version..=kafka.max_version).contains(&unstable), "{}", handler.name());
            assert!(handler.advertised_min_version <= handler.min_version && kafka.on_broker);
        }
    }

    /// Only what is written by the end of its turn may have others behind it: the answers of the rest may depend on it.
    #[test]
    fn only_produces_are_pipelined() {
        let pipelined = HANDLERS.iter().filter(|handler| handler.order == Order::Pipelined);
        assert_eq!(pipelined.map(|handler| handler.key).collect::<Vec<_>>(), [ApiKey::Produce]);
    }

    /// Keys with `forwardable` in Kafka 4.4's `ApiKeys`.
    const FORWARDABLE: &[ApiKey] = &[
        ApiKey::CreateTopics,
        ApiKey::DeleteTopics,
        ApiKey::CreateAcls,
        ApiKey::DeleteAcls,
        ApiKey::AlterConfigs,
        ApiKey::CreatePartitions,
        ApiKey::CreateDelegationToken,
        ApiKey::RenewDelegationToken,
        ApiKey::ExpireDelegationToken,
        ApiKey::ElectLeaders,
        ApiKey::IncrementalAlterConfigs,
        ApiKey::AlterPartitionReassignments,
        ApiKey::ListPartitionReassignments,
        ApiKey::AlterClientQuotas,
        ApiKey::AlterUserScramCredentials,
        ApiKey::DescribeQuorum,
        ApiKey::UpdateFeatures,
        ApiKey::UnregisterBroker,
        ApiKey::AllocateProducerIds,
        ApiKey::AddRaftVoter,
        ApiKey::RemoveRaftVoter,
        ApiKey::UnregisterController,
    ];

    #[test]
    fn what_is_forwarded_is_what_kafka_forwards() {
        for handler in HANDLERS {
            assert_eq!(handler.forwarded, FORWARDABLE.contains(&handler.key), "{}", handler.name());
            let is_change = handler.cost == Cost::Change;
            let is_local = handler.key == ApiKey::AlterReplicaLogDirs;
            assert!(!is_change || handler.forwarded || is_local, "{} changes what others decide", handler.name());
        }
    }

    /// APIs for which Kafka asks its authorizer nothing.
    const FREE: &[ApiKey] = &[
        ApiKey::SaslHandshake,
        ApiKey::ApiVersions,
        ApiKey::SaslAuthenticate,
        ApiKey::RenewDelegationToken,
        ApiKey::ExpireDelegationToken,
    ];

    #[test]
    fn every_row_says_what_it_needs() {
        for handler in HANDLERS {
            assert_eq!(handler.needs.is_empty(), FREE.contains(&handler.key), "{}", handler.name());
            for (at, (operation, resource)) in handler.needs.iter().enumerate() {
                // Kafka asks for Delete of the cluster, which no ACL can name but those of all operations.
                let is_odd = handler.key == ApiKey::DeleteTopics && *resource == AclResource::Cluster;
                let is_known = resource.supports(*operation);
                assert_eq!(is_known, !is_odd, "{}: {operation:?} of {resource:?}", handler.name());
                assert!(!handler.needs[..at].contains(&(*operation, *resource)), "{} needs it twice", handler.name());
            }
        }
    }

    /// The files of handlers, by the key that stands in their names.
    fn files() -> Vec<(i16, PathBuf)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/handlers");
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let with_key = paths.filter_map(|path| {
            let (key, _) = path.file_name()?.to_str()?.split_once('_')?;
            Some((key.parse().ok()?, path))
        });
        let mut files: Vec<_> = with_key.collect();
        files.sort();
        files
    }

    /// What the first line of a handler's file says: name, key and versions.
    fn header(text: &str) -> Option<(String, i16, (i16, i16))> {
        let rest = text.lines().next()?.strip_prefix("//! ")?;
        let (name, rest) = rest.split_once(" (key ")?;
        let (key, rest) = rest.split_once("), version")?;
        let rest = rest.strip_prefix("s ").or_else(|| rest.strip_prefix(' '))?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '–')?;
        let (min, max) = rest[..end].split_once('–').unwrap_or((&rest[..end], &rest[..end]));
        Some((name.to_string(), key.parse().ok()?, (min.parse().ok()?, max.parse().ok()?)))
    }

    #[test]
    fn every_file_says_the_versions_of_its_row() {
        let files = files();
        assert_eq!(files.len(), HANDLERS.len());
        for ((key, path), row) in files.iter().zip(HANDLERS) {
            let said = header(&fs::read_to_string(path).unwrap());
            let said = said.unwrap_or_else(|| panic!("{} begins without its versions", path.display()));
            let expected = (row.name().to_string(), row.key.id(), (row.min_version, row.max_version));
            assert_eq!((said, *key), (expected, row.key.id()), "{}", path.display());
        }
        assert_eq!(header("//! X (key 5), version 3: x"), Some(("X".into(), 5, (3, 3))));
        assert_eq!(header("//! X (key 5): x"), None);
    }
}
