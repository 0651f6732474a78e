//! What is asked, by the kind of resource that it is about, and what each API needs.

mod cluster;
mod data;
mod groups;
mod transactions;

use serde_json::{Value, json};

pub use cluster::any_rule;
pub use groups::committed;

/// An operation and the type of its resource, as numbers of Kafka.
pub type Need = (i8, i8);

pub const READ: i8 = 3;
pub const WRITE: i8 = 4;
pub const CREATE: i8 = 5;
pub const DELETE: i8 = 6;
pub const ALTER: i8 = 7;
pub const DESCRIBE: i8 = 8;
pub const CLUSTER_ACTION: i8 = 9;
pub const DESCRIBE_CONFIGS: i8 = 10;
pub const ALTER_CONFIGS: i8 = 11;
pub const IDEMPOTENT_WRITE: i8 = 12;
pub const CREATE_TOKENS: i8 = 13;
pub const DESCRIBE_TOKENS: i8 = 14;
pub const TWO_PHASE_COMMIT: i8 = 15;

pub const TOPIC: i8 = 2;
pub const GROUP: i8 = 3;
pub const CLUSTER: i8 = 4;
pub const TRANSACTIONAL_ID: i8 = 5;
pub const TOKEN: i8 = 6;
pub const USER: i8 = 7;

/// Every API and what Kafka asks its authorizer about for it.
pub const NEEDS: &[(&str, &[Need])] = &[
    ("Produce", &[(WRITE, TRANSACTIONAL_ID), (WRITE, TOPIC)]),
    ("Fetch", &[(READ, TOPIC), (CLUSTER_ACTION, CLUSTER)]),
    ("ListOffsets", &[(DESCRIBE, TOPIC)]),
    ("Metadata", &[(DESCRIBE, TOPIC), (CREATE, CLUSTER), (CREATE, TOPIC), (DESCRIBE, CLUSTER)]),
    ("OffsetCommit", &[(READ, GROUP), (READ, TOPIC)]),
    ("OffsetFetch", &[(DESCRIBE, GROUP), (DESCRIBE, TOPIC)]),
    ("FindCoordinator", &[(DESCRIBE, GROUP), (DESCRIBE, TRANSACTIONAL_ID), (CLUSTER_ACTION, CLUSTER)]),
    ("JoinGroup", &[(READ, GROUP)]),
    ("Heartbeat", &[(READ, GROUP)]),
    ("LeaveGroup", &[(READ, GROUP)]),
    ("SyncGroup", &[(READ, GROUP)]),
    ("DescribeGroups", &[(DESCRIBE, GROUP)]),
    ("ListGroups", &[(DESCRIBE, CLUSTER), (DESCRIBE, GROUP)]),
    ("SaslHandshake", &[]),
    ("ApiVersions", &[]),
    ("CreateTopics", &[(CREATE, CLUSTER), (CREATE, TOPIC), (DESCRIBE_CONFIGS, TOPIC)]),
    ("DeleteTopics", &[(DELETE, CLUSTER), (DESCRIBE, TOPIC), (DELETE, TOPIC)]),
    ("DeleteRecords", &[(DELETE, TOPIC)]),
    (
        "InitProducerId",
        &[(WRITE, TRANSACTIONAL_ID), (TWO_PHASE_COMMIT, TRANSACTIONAL_ID), (IDEMPOTENT_WRITE, CLUSTER), (WRITE, TOPIC)],
    ),
    ("OffsetForLeaderEpoch", &[(CLUSTER_ACTION, CLUSTER), (DESCRIBE, TOPIC)]),
    ("AddPartitionsToTxn", &[(WRITE, TRANSACTIONAL_ID), (WRITE, TOPIC), (CLUSTER_ACTION, CLUSTER)]),
    ("AddOffsetsToTxn", &[(WRITE, TRANSACTIONAL_ID), (READ, GROUP)]),
    ("EndTxn", &[(WRITE, TRANSACTIONAL_ID)]),
    ("WriteTxnMarkers", &[(ALTER, CLUSTER), (CLUSTER_ACTION, CLUSTER)]),
    ("TxnOffsetCommit", &[(WRITE, TRANSACTIONAL_ID), (READ, GROUP), (READ, TOPIC)]),
    ("DescribeAcls", &[(DESCRIBE, CLUSTER)]),
    ("CreateAcls", &[(ALTER, CLUSTER)]),
    ("DeleteAcls", &[(ALTER, CLUSTER)]),
    ("DescribeConfigs", &[(DESCRIBE_CONFIGS, CLUSTER), (DESCRIBE_CONFIGS, TOPIC), (DESCRIBE_CONFIGS, GROUP)]),
    ("AlterConfigs", &[(ALTER_CONFIGS, CLUSTER), (ALTER_CONFIGS, TOPIC), (ALTER_CONFIGS, GROUP)]),
    ("AlterReplicaLogDirs", &[(ALTER, CLUSTER)]),
    ("DescribeLogDirs", &[(DESCRIBE, CLUSTER)]),
    ("SaslAuthenticate", &[]),
    ("CreatePartitions", &[(ALTER, TOPIC)]),
    ("CreateDelegationToken", &[(CREATE_TOKENS, USER)]),
    ("RenewDelegationToken", &[]),
    ("ExpireDelegationToken", &[]),
    ("DescribeDelegationToken", &[(DESCRIBE, TOKEN), (DESCRIBE_TOKENS, USER)]),
    ("DeleteGroups", &[(DELETE, GROUP)]),
    ("ElectLeaders", &[(ALTER, CLUSTER)]),
    ("IncrementalAlterConfigs", &[(ALTER_CONFIGS, CLUSTER), (ALTER_CONFIGS, TOPIC), (ALTER_CONFIGS, GROUP)]),
    ("AlterPartitionReassignments", &[(ALTER, CLUSTER)]),
    ("ListPartitionReassignments", &[(DESCRIBE, CLUSTER)]),
    ("OffsetDelete", &[(DELETE, GROUP), (READ, TOPIC)]),
    ("DescribeClientQuotas", &[(DESCRIBE_CONFIGS, CLUSTER)]),
    ("AlterClientQuotas", &[(ALTER_CONFIGS, CLUSTER)]),
    ("DescribeUserScramCredentials", &[(DESCRIBE, CLUSTER)]),
    ("AlterUserScramCredentials", &[(ALTER, CLUSTER)]),
    ("DescribeQuorum", &[(DESCRIBE, CLUSTER)]),
    ("UpdateFeatures", &[(ALTER, CLUSTER)]),
    ("DescribeCluster", &[(DESCRIBE, CLUSTER)]),
    ("DescribeProducers", &[(READ, TOPIC)]),
    ("UnregisterBroker", &[(ALTER, CLUSTER)]),
    ("DescribeTransactions", &[(DESCRIBE, TRANSACTIONAL_ID), (DESCRIBE, TOPIC)]),
    ("ListTransactions", &[(DESCRIBE, TRANSACTIONAL_ID)]),
    ("ConsumerGroupHeartbeat", &[(READ, GROUP), (DESCRIBE, TOPIC)]),
    ("ConsumerGroupDescribe", &[(DESCRIBE, GROUP), (DESCRIBE, TOPIC)]),
    ("ListConfigResources", &[(DESCRIBE_CONFIGS, CLUSTER)]),
    ("DescribeTopicPartitions", &[(DESCRIBE, TOPIC)]),
];

/// What a request is about, so which names it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    Topics,
    Groups,
    Ids,
    /// Names that are used once: `NEW` in requests.
    Fresh,
    Nothing,
}

/// The names of a kind: with rules that begin with `r-` and without, present and absent, and internal.
const TOPICS: &[&str] = &["r-seen", "r-none", "f-seen", "f-none", "__consumer_offsets"];
const OF_GROUPS: &[&str] = &["r-group", "r-gone", "f-group", "f-gone"];
const IDS: &[&str] = &["r-txn", "r-nil", "f-txn", "f-nil"];
const FRESH: &[&str] = &["r-NEW", "f-NEW"];

impl About {
    /// Each alone, and all together.
    pub fn names(self) -> Vec<&'static [&'static str]> {
        let all = match self {
            About::Topics => TOPICS,
            About::Groups => OF_GROUPS,
            About::Ids => IDS,
            About::Fresh => FRESH,
            About::Nothing => return vec![&[]],
        };
        all.chunks(1).chain([all]).collect()
    }
}

/// What must be there before: an API, a version, a request of the super user's.
pub type Step = (&'static str, i16, Value);

pub struct Case {
    pub api: &'static str,
    pub label: &'static str,
    pub about: About,
    pub request: fn(&[&str]) -> Value,
    /// Versions besides the first and the last.
    pub also: &'static [i16],
    /// The only versions that can say it.
    pub from: i16,
    pub to: i16,
    /// Topics that are made before each request.
    pub topics: fn(&[&str]) -> Vec<String>,
    /// Before each request, what else.
    pub before: fn(&[&str]) -> Vec<Step>,
}

impl Case {
    fn of(api: &'static str, label: &'static str, about: About, request: fn(&[&str]) -> Value) -> Case {
        let (also, from, to): (&[i16], _, _) = (&[], 0, i16::MAX);
        Case { api, label, about, request, also, from, to, topics: |_| Vec::new(), before: |_| Vec::new() }
    }

    fn also(self, also: &'static [i16]) -> Case {
        Case { also, ..self }
    }

    fn from(self, from: i16) -> Case {
        Case { from, ..self }
    }

    fn to(self, to: i16) -> Case {
        Case { to, ..self }
    }

    fn with_topics(self, topics: fn(&[&str]) -> Vec<String>) -> Case {
        Case { topics, ..self }
    }

    fn behind(self, before: fn(&[&str]) -> Vec<Step>) -> Case {
        Case { before, ..self }
    }
}

pub fn all() -> Vec<Case> {
    [data::cases(), groups::cases(), transactions::cases(), cluster::cases()].into_iter().flatten().collect()
}

fn each(names: &[&str], element: impl Fn(&str) -> Value) -> Value {
    names.iter().map(|name| element(name)).collect()
}

fn id(topic: &str) -> Value {
    json!(format!("@{topic}"))
}
