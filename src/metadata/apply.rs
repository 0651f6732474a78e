//! Replay: what each of the 27 records of the metadata log does to the image.
//!
//! Never fails and never panics: a record that speaks about something that is not there changes nothing and is
//! reported. Rules are those of Kafka's `MetadataDelta` and `PartitionRegistration.merge` (4.x).

use super::image::{Configs, Image, Partition, ResourceType, Topic};
use super::record::{
    AccessControlEntryRecord, BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord, PartitionChangeRecord,
    PartitionRecord, Record, TopicRecord,
};
use super::registration::{Broker, Controller, DIRECTORY_MIGRATING};
use super::security::{self, DelegationToken, ScramCredential};
use crate::model::Uuid;
use std::sync::Arc;

/// `LeaderConstants.NO_LEADER_CHANGE`
pub(super) const NO_LEADER_CHANGE: i32 = -2;
/// No replica leads.
pub const NO_LEADER: i32 = -1;
/// `PartitionChangeRecord.LeaderRecoveryState`: unchanged.
pub(super) const NO_RECOVERY_CHANGE: i8 = -1;

/// Why a record changed nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ignored {
    UnknownTopic(Uuid),
    UnknownPartition(Uuid, i32),
    /// Not registered, or registered with another epoch.
    UnknownBroker(i32),
    UnknownController(i32),
    /// An end or an abort without a beginning, or a beginning inside a transaction.
    TransactionOutOfPlace,
    Unknown(&'static str),
}

impl Image {
    /// Replays the record at this offset.
    pub fn apply(&mut self, record: &Record<'_>, offset: i64) -> Option<Ignored> {
        let outcome = match (record, &mut self.pending) {
            (Record::BeginTransaction(_), Some(_)) => Err(Ignored::TransactionOutOfPlace),
            (Record::BeginTransaction(_), pending) => {
                *pending = None;
                self.pending = Some(Box::new(self.clone()));
                Ok(())
            }
            (Record::EndTransaction(_), _) => self.end_transaction(),
            (Record::AbortTransaction(_), _) => self.abort_transaction(),
            (_, Some(pending)) => pending.apply_one(record),
            (_, None) => self.apply_one(record),
        };
        self.offset = offset;
        assert!(self.pending.as_ref().is_none_or(|pending| pending.pending.is_none()), "transactions do not nest");
        outcome.err()
    }

    fn end_transaction(&mut self) -> Result<(), Ignored> {
        let pending = self.pending.take().ok_or(Ignored::TransactionOutOfPlace)?;
        *self = *pending;
        Ok(())
    }

    fn abort_transaction(&mut self) -> Result<(), Ignored> {
        self.pending.take().map(drop).ok_or(Ignored::TransactionOutOfPlace)
    }

    fn apply_one(&mut self, record: &Record<'_>) -> Result<(), Ignored> {
        match record {
            Record::Topic(r) => self.apply_topic(r),
            Record::Partition(r) => self.apply_partition(r)?,
            Record::PartitionChange(r) => self.apply_partition_change(r)?,
            Record::RemoveTopic(r) => self.apply_remove_topic(r.topic_id)?,
            Record::ClearElr(r) => self.apply_clear_elr(&r.topic_name)?,
            Record::Config(r) => self.apply_config(r),
            Record::FeatureLevel(r) => self.apply_feature(&r.name, r.feature_level),
            Record::ProducerIds(r) => self.next_producer_id = r.next_producer_id,
            Record::RegisterBroker(r) => self.brokers.insert_mut(r.broker_id, Arc::new(Broker::from_record(r))),
            Record::UnregisterBroker(r) => self.apply_unregister_broker(r.broker_id, r.broker_epoch)?,
            Record::FenceBroker(r) => self.broker_mut(r.id, r.epoch)?.fenced = true,
            Record::UnfenceBroker(r) => self.broker_mut(r.id, r.epoch)?.fenced = false,
            Record::BrokerRegistrationChange(r) => {
                apply_broker_change(self.broker_mut(r.broker_id, r.broker_epoch)?, r)
            }
            Record::RegisterController(r) => {
                self.controllers.insert_mut(r.controller_id, Arc::new(Controller::from_record(r)));
            }
            Record::UnregisterController(r) => {
                let known = self.controllers.remove_mut(&r.controller_id);
                known.then_some(()).ok_or(Ignored::UnknownController(r.controller_id))?;
            }
            Record::ZkMigrationState(r) => self.zk_migration_state = r.zk_migration_state,
            Record::NoOp(_) => {}
            other => self.apply_security(other)?,
        }
        Ok(())
    }

    fn apply_security(&mut self, record: &Record<'_>) -> Result<(), Ignored> {
        let known = |removed: bool, what| if removed { Ok(()) } else { Err(Ignored::Unknown(what)) };
        match record {
            Record::AccessControlEntry(r) => self.apply_acl(r)?,
            Record::RemoveAccessControlEntry(r) => known(self.remove_acl(r.id), "ACL")?,
            Record::UserScramCredential(r) => {
                let key = (r.name.to_string(), r.mechanism);
                self.scram.insert_mut(key, Arc::new(ScramCredential::from_record(r)));
            }
            Record::RemoveUserScramCredential(r) => {
                known(self.scram.remove_mut(&(r.name.to_string(), r.mechanism)), "SCRAM credential")?;
            }
            Record::ClientQuota(r) => self.apply_quota(r),
            Record::DelegationToken(r) => {
                let before = self.tokens.get(r.token_id.as_ref());
                let hmac = before.map(|token| token.hmac.clone()).unwrap_or_default();
                let token = DelegationToken { hmac, ..DelegationToken::from_record(r) };
                self.tokens.insert_mut(r.token_id.to_string(), Arc::new(token));
            }
            Record::RemoveDelegationToken(r) => known(self.tokens.remove_mut(r.token_id.as_ref()), "delegation token")?,
            _ => {}
        }
        Ok(())
    }

    /// A log never has one rule under two ids; if it does, the first is the one that can be removed, as no rule may end while
    /// another record says that it holds.
    fn apply_acl(&mut self, r: &AccessControlEntryRecord<'_>) -> Result<(), Ignored> {
        let acl = Arc::new(security::acl(r));
        if self.acl_ids.contains_key(&acl) {
            return Err(Ignored::Unknown("ACL that is not there under another id"));
        }
        self.remove_acl(r.id);
        self.acl_index.insert(&acl);
        self.acl_ids.insert_mut(acl.clone(), r.id);
        self.acls.insert_mut(r.id, acl);
        assert_eq!(self.acls.size(), self.acl_ids.size(), "each rule has one id");
        Ok(())
    }

    fn remove_acl(&mut self, id: Uuid) -> bool {
        let Some(acl) = self.acls.get(&id).cloned() else { return false };
        self.acl_index.remove(&acl);
        self.acl_ids.remove_mut(&acl);
        self.acls.remove_mut(&id)
    }

    fn apply_topic(&mut self, r: &TopicRecord<'_>) {
        let name: Arc<str> = r.name.as_ref().into();
        // A log never has one name twice; if it does, the later topic is the one that the name means.
        if let Some(former) = self.topic_ids.get(&name).copied().filter(|former| *former != r.topic_id) {
            self.topics.remove_mut(&former);
        }
        let topic = Topic { name: name.clone(), id: r.topic_id, partitions: Vec::new() };
        self.topic_ids.insert_mut(name, r.topic_id);
        self.topics.insert_mut(r.topic_id, Arc::new(topic));
    }

    fn topic_mut(&mut self, id: Uuid) -> Result<&mut Topic, Ignored> {
        self.topics.get_mut(&id).map(Arc::make_mut).ok_or(Ignored::UnknownTopic(id))
    }

    fn apply_partition(&mut self, r: &PartitionRecord) -> Result<(), Ignored> {
        let topic = self.topic_mut(r.topic_id)?;
        let partition = Arc::new(Partition::from_record(r));
        match topic.position(r.partition_id) {
            Ok(at) => topic.partitions[at] = partition,
            Err(at) => topic.partitions.insert(at, partition),
        }
        let at = topic.position(r.partition_id).ok();
        assert!(
            at.is_some_and(|at| topic.partitions[at].index == r.partition_id),
            "a partition is found where it stands"
        );
        Ok(())
    }

    fn apply_partition_change(&mut self, r: &PartitionChangeRecord) -> Result<(), Ignored> {
        let topic = self.topic_mut(r.topic_id)?;
        let unknown = |_| Ignored::UnknownPartition(r.topic_id, r.partition_id);
        let at = topic.position(r.partition_id).map_err(unknown)?;
        Arc::make_mut(&mut topic.partitions[at]).merge(r);
        Ok(())
    }

    /// The topic's dynamic configs go with it.
    fn apply_remove_topic(&mut self, id: Uuid) -> Result<(), Ignored> {
        let topic = self.topics.get(&id).cloned().ok_or(Ignored::UnknownTopic(id))?;
        self.topics.remove_mut(&id);
        self.topic_ids.remove_mut(&topic.name);
        self.put_configs(ResourceType::Topic as i8, &topic.name, Configs::new());
        Ok(())
    }

    /// An empty name means every topic.
    fn apply_clear_elr(&mut self, name: &str) -> Result<(), Ignored> {
        let all = || self.topics.keys().copied().collect();
        let ids: Vec<Uuid> =
            if name.is_empty() { all() } else { self.topic_ids.get(name).copied().into_iter().collect() };
        if ids.is_empty() && !name.is_empty() {
            return Err(Ignored::Unknown("topic"));
        }
        for id in ids {
            for partition in &mut self.topic_mut(id)?.partitions {
                if !partition.eligible_leader_replicas.is_empty() || !partition.last_known_elr.is_empty() {
                    let partition = Arc::make_mut(partition);
                    partition.eligible_leader_replicas = Box::default();
                    partition.last_known_elr = Box::default();
                }
            }
        }
        Ok(())
    }

    fn apply_config(&mut self, r: &ConfigRecord<'_>) {
        let mut configs = self.configs_of(r.resource_type, &r.resource_name).clone();
        match &r.value {
            Some(value) => configs.insert(r.name.to_string(), value.to_string()),
            None => configs.remove(r.name.as_ref()),
        };
        self.put_configs(r.resource_type, &r.resource_name, configs);
    }

    /// Where there are none, nothing stays.
    fn put_configs(&mut self, resource_type: i8, name: &str, configs: Configs) {
        let mut resources = self.configs.get(&resource_type).cloned().unwrap_or_default();
        if configs.is_empty() {
            resources.remove_mut(name);
        } else {
            resources.insert_mut(name.into(), Arc::new(configs));
        }
        if resources.is_empty() {
            self.configs.remove_mut(&resource_type);
        } else {
            self.configs.insert_mut(resource_type, resources);
        }
    }

    fn apply_feature(&mut self, name: &str, level: i16) {
        if level == 0 {
            self.features.remove_mut(name);
        } else {
            self.features.insert_mut(name.to_string(), level);
        }
    }

    fn broker_mut(&mut self, id: i32, epoch: i64) -> Result<&mut Broker, Ignored> {
        let broker = self.brokers.get_mut(&id).filter(|broker| broker.epoch == epoch);
        broker.map(Arc::make_mut).ok_or(Ignored::UnknownBroker(id))
    }

    fn apply_unregister_broker(&mut self, id: i32, epoch: i64) -> Result<(), Ignored> {
        self.broker_mut(id, epoch)?;
        self.brokers.remove_mut(&id);
        Ok(())
    }

    fn apply_quota(&mut self, r: &ClientQuotaRecord<'_>) {
        let entity = security::quota_entity(r);
        let mut values = self.quotas.get(&entity).map(|values| (**values).clone()).unwrap_or_default();
        match r.remove {
            true => values.remove(r.key.as_ref()),
            false => values.insert(r.key.to_string(), r.value),
        };
        self.client_quotas.set(&entity, &r.key, (!r.remove).then_some(r.value));
        if values.is_empty() {
            self.quotas.remove_mut(&entity);
        } else {
            self.quotas.insert_mut(entity, Arc::new(values));
        }
    }
}

fn apply_broker_change(broker: &mut Broker, r: &BrokerRegistrationChangeRecord) {
    /// `BrokerRegistrationFencingChange`
    const FENCE: i8 = 1;
    const UNFENCE: i8 = -1;
    /// `BrokerRegistrationInControlledShutdownChange.IN_CONTROLLED_SHUTDOWN`
    const IN_CONTROLLED_SHUTDOWN: i8 = 1;
    match r.fenced {
        FENCE => broker.fenced = true,
        UNFENCE => broker.fenced = false,
        _ => {}
    }
    if r.in_controlled_shutdown == IN_CONTROLLED_SHUTDOWN {
        broker.in_controlled_shutdown = true;
    }
    if !r.log_dirs.is_empty() {
        broker.log_dirs.clone_from(&r.log_dirs);
    }
    if r.cordoned_log_dirs.is_some() {
        broker.cordoned_log_dirs.clone_from(&r.cordoned_log_dirs);
    }
}

impl Partition {
    fn from_record(r: &PartitionRecord) -> Partition {
        let list = |ids: &Option<Vec<i32>>| ids.as_deref().unwrap_or_default().into();
        Partition {
            index: r.partition_id,
            replicas: r.replicas.as_slice().into(),
            directories: sized_directories(&r.directories, r.replicas.len()),
            isr: r.isr.as_slice().into(),
            removing_replicas: r.removing_replicas.as_slice().into(),
            adding_replicas: r.adding_replicas.as_slice().into(),
            eligible_leader_replicas: list(&r.eligible_leader_replicas),
            last_known_elr: list(&r.last_known_elr),
            leader: r.leader,
            leader_epoch: r.leader_epoch,
            partition_epoch: r.partition_epoch,
            leader_recovery_state: r.leader_recovery_state,
        }
    }

    /// Takes over what the change names. The partition's epoch counts every change, the leader's epoch those that name
    /// a leader.
    fn merge(&mut self, r: &PartitionChangeRecord) {
        fn set(field: &mut Box<[i32]>, to: &Option<Vec<i32>>) {
            if let Some(ids) = to {
                *field = ids.as_slice().into();
            }
        }
        set(&mut self.replicas, &r.replicas);
        set(&mut self.isr, &r.isr);
        set(&mut self.removing_replicas, &r.removing_replicas);
        set(&mut self.adding_replicas, &r.adding_replicas);
        set(&mut self.eligible_leader_replicas, &r.eligible_leader_replicas);
        set(&mut self.last_known_elr, &r.last_known_elr);
        if let Some(directories) = &r.directories {
            self.directories = directories.as_slice().into();
        }
        self.directories = sized_directories(&self.directories, self.replicas.len());
        assert_eq!(self.directories.len(), self.replicas.len(), "each replica lies in a directory");
        if r.leader != NO_LEADER_CHANGE {
            self.leader = r.leader;
            self.leader_epoch = self.leader_epoch.wrapping_add(1);
        }
        if r.leader_recovery_state != NO_RECOVERY_CHANGE {
            self.leader_recovery_state = r.leader_recovery_state;
        }
        self.partition_epoch = self.partition_epoch.wrapping_add(1);
    }
}

/// One directory per replica; records of before JBOD have none.
fn sized_directories(directories: &[Uuid], replicas: usize) -> Box<[Uuid]> {
    if directories.len() == replicas { directories.into() } else { vec![DIRECTORY_MIGRATING; replicas].into() }
}
