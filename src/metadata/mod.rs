//! Cluster metadata as a log of Kafka's own KRaft records: the image that they make, and the decisions that make them.
//!
//! `image.apply(record, offset)` replays, never fails; [`decide`] reads an image and a [`Change`], and gives records and an
//! answer. The caller appends the records to `__cluster_metadata-0`, waits until they are committed, applies them and
//! publishes the new image. There is no other way to change metadata. Ids and offsets come in as arguments; nothing
//! here knows of files, sockets or the clock.

mod acls;
mod apply;
mod auto_creation;
mod bootstrap;
mod change;
mod configs;
mod decision;
mod deletions;
mod directories;
mod elections;
mod feature_updates;
mod features;
mod image;
mod inputs;
mod levels;
mod partition_change;
mod placement;
mod played;
mod producer_ids;
mod quotas;
mod reassignments;
pub mod record;
mod registration;
mod scram;
mod security;
mod snapshot;
mod tokens;
pub mod topic_name;
mod topics;
mod unregistration;

#[cfg(test)]
mod test_log;
#[cfg(test)]
mod tests;

pub use apply::{Ignored, NO_LEADER};
#[cfg(test)]
pub use bootstrap::register_broker;
pub use bootstrap::{Registration, fresh_cluster};
pub use change::{Change, Decided, Decision, decide};
pub use configs::{ConfigChange, Operation, RESOURCE_TWICE, ResourceChanges, ResourceResult, check_changes};
pub use configs::{alter_configs, incremental_alter_configs};
pub use decision::{MAX_RECORDS_PER_REQUEST, Refusal};
pub use deletions::{Contradictions, DeleteTopic, DeletionResult, UNKNOWN_ID, UNKNOWN_NAME};
pub use directories::DirectoryAssignment;
pub use elections::{Elected, ElectionType};
pub use feature_updates::{FeatureUpdate, UpgradeType};
pub use features::{FRESH_FEATURES, SUPPORTED_FEATURES, check_level, supported_features};
pub use features::{KRAFT_VERSION, SPOKEN_FEATURES};
pub use image::{Configs, Image, METADATA_VERSION, Partition, ResourceType, Topic};
pub use inputs::Inputs;
pub use levels::{
    METADATA_VERSION_LEVEL, METADATA_VERSION_MAX, METADATA_VERSION_MIN, at_level, knows_cordoned_directories,
    knows_directories,
};
pub use partition_change::is_unclean_election;
pub use played::Play;
pub use producer_ids::PRODUCER_ID_BLOCK_SIZE;
pub use quotas::{QuotaAlteration, QuotaAltered};
pub use reassignments::{Reassigned, Reassignment};
pub use record::Record;
pub use registration::{Broker, Controller, Endpoint, FeatureRange, is_open_assignment};
pub use scram::{ScramDeletion, ScramResult, ScramUpsertion, scram_record};
pub use security::{DelegationToken, QuotaEntity, ScramCredential};
pub use tokens::{NewDelegationToken, TokenPeriod};
pub use topics::{CreatedTopic, NewPartitions, NewTopic, TopicDefaults, TopicResult};
pub use topics::{duplicate_name, prohibited_name, take_twice, twice};

// What an image's ACLs are asked with, which the benchmarks see as well.
pub use crate::security::access::{AclOperation, AclResource, Action};
pub use crate::security::acl::{Acl, AclIndex, HostAddress, Subject};
pub use crate::security::allowed::Allowed;
pub use crate::security::authorizer::Authorizer;
pub use crate::security::principal::Principal;
