//! A change of metadata as data: what is asked, and [`decide`], which reads an image and gives the records that make the
//! change and the answer to it.
//!
//! The requests of clients that change metadata are changes, and so is what a broker asks for itself. Both are owned
//! values: a change can wait in a queue, and be decided wherever the newest image is.

use std::ops::Range;
use std::sync::Arc;

use super::acls::{create_acls, delete_acls};
use super::auto_creation::auto_create_topics;
use super::bootstrap::{Registration, change_log_dirs, fence_broker, register_broker};
use super::configs::{ResourceChanges, ResourceResult, alter_configs, incremental_alter_configs};
use super::decision::{Decisions, Refusal};
use super::deletions::{DeleteTopic, DeletionResult, delete_topics};
use super::directories::{DirectoryAssignment, assign_replicas_to_dirs};
use super::elections::{Elected, ElectionType, elect_leaders};
use super::feature_updates::{FeatureUpdate, update_features};
use super::image::Image;
use super::inputs::Inputs;
use super::played::{Play, play};
use super::producer_ids::allocate_producer_ids;
use super::quotas::{QuotaAlteration, QuotaAltered, alter_client_quotas};
use super::reassignments::{Reassigned, Reassignment, alter_partition_reassignments};
use super::record::Record;
use super::scram::{ScramDeletion, ScramResult, ScramUpsertion, alter_scram_credentials};
use super::security::DelegationToken;
use super::tokens::{NewDelegationToken, TokenPeriod, create_token, expire_token, renew_token, sweep_tokens};
use super::topics::{CreatedTopic, NewPartitions, NewTopic, TopicResult, create_partitions, create_topics};
use super::unregistration::unregister_broker;
use crate::model::{ErrorCode, Uuid};
use crate::security::acl::{Acl, AclFilter};

/// What shall change.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    CreateTopics {
        topics: Vec<NewTopic>,
        validate_only: bool,
    },
    /// Topics that are made at their first use.
    AutoCreateTopics {
        names: Vec<String>,
    },
    DeleteTopics {
        topics: Vec<DeleteTopic>,
    },
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
    },
    AlterConfigs {
        resources: Vec<ResourceChanges>,
        validate_only: bool,
    },
    IncrementalAlterConfigs {
        resources: Vec<ResourceChanges>,
        validate_only: bool,
    },
    AlterPartitionReassignments {
        topics: Vec<(String, Vec<Reassignment>)>,
        allows_other_factor: bool,
    },
    ElectLeaders {
        election: ElectionType,
        /// `None`: all of them.
        partitions: Option<Vec<(String, Vec<i32>)>>,
    },
    UpdateFeatures {
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    },
    UnregisterBroker {
        id: i32,
    },
    AlterClientQuotas {
        entries: Vec<QuotaAlteration>,
        validate_only: bool,
    },
    CreateAcls {
        acls: Vec<Acl>,
    },
    DeleteAcls {
        filters: Vec<AclFilter>,
    },
    AlterUserScramCredentials {
        deletions: Vec<ScramDeletion>,
        upsertions: Vec<ScramUpsertion>,
    },
    CreateDelegationToken(NewDelegationToken),
    RenewDelegationToken(TokenPeriod),
    ExpireDelegationToken(TokenPeriod),
    /// Some of the tokens that have expired go.
    SweepDelegationTokens,
    /// A block of producer ids for a broker.
    AllocateProducerIds {
        broker_id: i32,
    },
    /// A broker begins to serve.
    RegisterBroker {
        registration: Box<Registration>,
        was_clean_shutdown: bool,
    },
    /// A broker tells which log directories it has left and which of them are cordoned.
    ChangeLogDirs {
        broker_id: i32,
        left: Vec<Uuid>,
        cordoned: Vec<Uuid>,
    },
    /// A broker tells where its replicas lie.
    AssignReplicasToDirs {
        broker_id: i32,
        assignments: Vec<DirectoryAssignment>,
    },
    /// A broker stops.
    FenceBroker {
        broker_id: i32,
    },
    /// What a test does to brokers that this process plays.
    Play(Play),
}

/// What is answered to a change.
#[derive(Clone, PartialEq, Debug)]
pub enum Decided {
    TopicsCreated(Vec<TopicResult<CreatedTopic>>),
    TopicsDeleted(Vec<DeletionResult>),
    PartitionsCreated(Vec<TopicResult<()>>),
    ConfigsAltered(Vec<ResourceResult>),
    Reassigned(Vec<Reassigned>),
    Elected(Vec<Elected>),
    QuotasAltered(Vec<QuotaAltered>),
    AclsCreated(Vec<Result<(), Refusal>>),
    AclsDeleted(Vec<Result<Vec<Arc<Acl>>, Refusal>>),
    ProducerIds(Result<Range<i64>, Refusal>),
    ScramAltered(Vec<ScramResult>),
    TokenCreated(Result<Arc<DelegationToken>, ErrorCode>),
    /// The new end of a token.
    TokenEnds(Result<i64, ErrorCode>),
    /// The answer to what is done as a whole or not at all.
    Whole(Result<(), Refusal>),
}

/// What was decided of a change: records to append as one batch, atomically, and the answer. It holds once the records
/// are committed and applied; nothing happened before.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    pub records: Vec<Record<'static>>,
    pub answer: Decided,
}

impl<T> Decisions<T> {
    /// As the decision about the whole request.
    fn into_decision(self, answer: impl FnOnce(Vec<T>) -> Decided) -> Decision {
        Decision { records: self.records, answer: answer(self.results) }
    }
}

/// Decides about a change. The same image, change and inputs give the same decision.
pub fn decide(image: &Image, change: &Change, inputs: &mut Inputs<'_>) -> Decision {
    let settings = inputs.settings(image);
    let cast = inputs.config.cast();
    match change {
        Change::CreateTopics { topics, validate_only } => {
            let defaults = inputs.topic_defaults(image);
            create_topics(image, &defaults, topics, &mut inputs.new_id, *validate_only)
                .into_decision(Decided::TopicsCreated)
        }
        Change::AutoCreateTopics { names } => {
            auto_create_topics(image, names, inputs).into_decision(Decided::TopicsCreated)
        }
        Change::DeleteTopics { topics } => delete_topics(image, topics).into_decision(Decided::TopicsDeleted),
        Change::CreatePartitions { topics, validate_only } => {
            create_partitions(image, topics, *validate_only).into_decision(Decided::PartitionsCreated)
        }
        Change::AlterConfigs { resources, validate_only } => {
            alter_configs(image, &settings, cast, resources, *validate_only).into_decision(Decided::ConfigsAltered)
        }
        Change::IncrementalAlterConfigs { resources, validate_only } => {
            incremental_alter_configs(image, &settings, cast, resources, *validate_only)
                .into_decision(Decided::ConfigsAltered)
        }
        Change::AlterPartitionReassignments { topics, allows_other_factor } => {
            alter_partition_reassignments(image, &settings, topics, *allows_other_factor)
                .into_decision(Decided::Reassigned)
        }
        Change::ElectLeaders { election, partitions } => {
            elect_leaders(image, &settings, *election, partitions.as_deref()).into_decision(Decided::Elected)
        }
        Change::UpdateFeatures { updates, validate_only } => {
            let records = update_features(image, inputs.decider(), updates);
            whole(records.map(|records| if *validate_only { Vec::new() } else { records }))
        }
        Change::AlterClientQuotas { entries, validate_only } => {
            alter_client_quotas(image, entries, *validate_only).into_decision(Decided::QuotasAltered)
        }
        Change::UnregisterBroker { id } => whole(unregister_broker(image, &settings, cast, *id)),
        Change::CreateAcls { acls } => create_acls(image, acls, &mut inputs.new_id).into_decision(Decided::AclsCreated),
        Change::DeleteAcls { filters } => delete_acls(image, filters).into_decision(Decided::AclsDeleted),
        Change::AlterUserScramCredentials { deletions, upsertions } => {
            alter_scram_credentials(image, deletions, upsertions).into_decision(Decided::ScramAltered)
        }
        Change::CreateDelegationToken(asked) => create_token(image, asked, inputs),
        Change::RenewDelegationToken(asked) => renew_token(image, asked, inputs),
        Change::ExpireDelegationToken(asked) => expire_token(image, asked, inputs),
        Change::SweepDelegationTokens => done(sweep_tokens(image, inputs.now)),
        Change::AllocateProducerIds { broker_id } => match allocate_producer_ids(image, *broker_id) {
            Ok((record, block)) => Decision { records: vec![record], answer: Decided::ProducerIds(Ok(block)) },
            Err(refusal) => Decision { records: Vec::new(), answer: Decided::ProducerIds(Err(refusal)) },
        },
        Change::RegisterBroker { registration, was_clean_shutdown } => {
            done(register_broker(image, registration, inputs.next_offset.0, *was_clean_shutdown))
        }
        Change::ChangeLogDirs { broker_id, left, cordoned } => done(change_log_dirs(image, *broker_id, left, cordoned)),
        Change::AssignReplicasToDirs { broker_id, assignments } => {
            done(assign_replicas_to_dirs(image, *broker_id, assignments))
        }
        Change::FenceBroker { broker_id } => done(fence_broker(image, *broker_id)),
        Change::Play(wanted) => whole(play(image, &settings, wanted)),
    }
}

fn done(records: Vec<Record<'static>>) -> Decision {
    Decision { records, answer: Decided::Whole(Ok(())) }
}

fn whole(decided: Result<Vec<Record<'static>>, Refusal>) -> Decision {
    match decided {
        Ok(records) => done(records),
        Err(refusal) => Decision { records: Vec::new(), answer: Decided::Whole(Err(refusal)) },
    }
}

#[cfg(test)]
mod tests;
