//! The image as records: what a snapshot of the metadata log holds, in the order of Kafka's `MetadataImage.write`.
//!
//! Replaying them into an empty image gives this image again, but for its offset and an open transaction.

use super::image::{Image, Partition};
use super::record::client_quota_record::EntityData;
use super::record::{
    ClientQuotaRecord, ConfigRecord, FeatureLevelRecord, PartitionRecord, ProducerIdsRecord, Record, TopicRecord,
    ZkMigrationStateRecord,
};
use super::security;
use crate::model::Uuid;

impl Image {
    /// Everything that is visible, as records.
    pub fn to_records(&self) -> Vec<Record<'static>> {
        let mut records = Vec::new();
        self.feature_records(&mut records);
        records.extend(self.brokers.values().map(|b| Record::RegisterBroker(b.to_record())));
        records.extend(self.controllers.values().map(|c| Record::RegisterController(c.to_record())));
        self.topic_records(&mut records);
        self.config_records(&mut records);
        self.quota_records(&mut records);
        if self.next_producer_id != 0 {
            let next_producer_id = self.next_producer_id;
            records.push(Record::ProducerIds(ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id }));
        }
        records.extend(self.acls.iter().map(|(id, acl)| Record::AccessControlEntry(security::acl_record(*id, acl))));
        records.extend(self.scram.values().map(|c| Record::UserScramCredential(c.to_record())));
        records.extend(self.tokens.values().map(|token| Record::DelegationToken(token.to_record())));
        if self.zk_migration_state != 0 {
            let zk_migration_state = self.zk_migration_state;
            records.push(Record::ZkMigrationState(ZkMigrationStateRecord { zk_migration_state }));
        }
        records
    }

    /// `metadata.version` comes first: it says how to read the rest.
    fn feature_records(&self, out: &mut Vec<Record<'static>>) {
        let first = self.features().filter(|(name, _)| *name == super::METADATA_VERSION);
        let others = self.features().filter(|(name, _)| *name != super::METADATA_VERSION);
        for (name, feature_level) in first.chain(others) {
            out.push(Record::FeatureLevel(FeatureLevelRecord { name: name.to_string().into(), feature_level }));
        }
    }

    fn topic_records(&self, out: &mut Vec<Record<'static>>) {
        for topic in self.topics() {
            out.push(Record::Topic(TopicRecord { name: topic.name.to_string().into(), topic_id: topic.id }));
            out.extend(topic.partitions.iter().map(|p| Record::Partition(p.to_record(topic.id))));
        }
    }

    fn config_records(&self, out: &mut Vec<Record<'static>>) {
        let all = self.configs.iter().flat_map(|(of, resources)| resources.iter().map(move |it| (of, it)));
        for (resource_type, (resource, configs)) in all {
            for (name, value) in configs.iter() {
                out.push(Record::Config(ConfigRecord {
                    resource_type: *resource_type,
                    resource_name: resource.to_string().into(),
                    name: name.clone().into(),
                    value: Some(value.clone().into()),
                }));
            }
        }
    }

    fn quota_records(&self, out: &mut Vec<Record<'static>>) {
        for (entity, values) in self.quotas.iter() {
            let part = |(entity_type, entity_name): &(String, Option<String>)| EntityData {
                entity_type: entity_type.clone().into(),
                entity_name: entity_name.clone().map(Into::into),
            };
            for (key, value) in values.iter() {
                out.push(Record::ClientQuota(ClientQuotaRecord {
                    entity: entity.iter().map(part).collect(),
                    key: key.clone().into(),
                    value: *value,
                    remove: false,
                }));
            }
        }
    }
}

impl Partition {
    pub(super) fn to_record(&self, topic_id: Uuid) -> PartitionRecord {
        let unless_empty = |ids: &[i32]| (!ids.is_empty()).then(|| ids.to_vec());
        PartitionRecord {
            partition_id: self.index,
            topic_id,
            replicas: self.replicas.to_vec(),
            isr: self.isr.to_vec(),
            removing_replicas: self.removing_replicas.to_vec(),
            adding_replicas: self.adding_replicas.to_vec(),
            leader: self.leader,
            leader_recovery_state: self.leader_recovery_state,
            leader_epoch: self.leader_epoch,
            partition_epoch: self.partition_epoch,
            directories: self.directories.to_vec(),
            eligible_leader_replicas: unless_empty(&self.eligible_leader_replicas),
            last_known_elr: unless_empty(&self.last_known_elr),
        }
    }
}
