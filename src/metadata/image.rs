//! The cluster as its metadata log describes it: one immutable value that every shard reads.
//!
//! Built only by [`Image::apply`] from records, in the order of the log; equal logs give equal images. Cloning is cheap
//! and a change costs the logarithm of what it touches (persistent maps share what did not change). Knows nothing of
//! time, of files, or of what this process is.

use super::registration::{Broker, Controller};
use super::security::{DelegationToken, QuotaEntity, ScramCredential};
use crate::model::Uuid;
use crate::security::acl::{Acl, AclIndex};
use crate::security::quota::Quotas;
use rpds::RedBlackTreeMapSync;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) type Map<K, V> = RedBlackTreeMapSync<K, V>;

/// Names of features that decisions ask for.
pub const METADATA_VERSION: &str = "metadata.version";

/// `ConfigResource.Type` on the wire and in records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i8)]
pub enum ResourceType {
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

impl ResourceType {
    pub fn from_id(id: i8) -> Option<ResourceType> {
        use ResourceType::*;
        [Topic, Broker, BrokerLogger, ClientMetrics, Group].into_iter().find(|kind| *kind as i8 == id)
    }
}

/// One partition as the log describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    pub index: i32,
    pub replicas: Box<[i32]>,
    /// The log directory of each replica, in the order of `replicas`.
    pub directories: Box<[Uuid]>,
    pub isr: Box<[i32]>,
    pub removing_replicas: Box<[i32]>,
    pub adding_replicas: Box<[i32]>,
    pub eligible_leader_replicas: Box<[i32]>,
    pub last_known_elr: Box<[i32]>,
    /// -1: no leader.
    pub leader: i32,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    /// 0: recovered; 1: an unclean election happened and recovery is under way.
    pub leader_recovery_state: i8,
}

impl Partition {
    /// The directory of a broker's replica; `None` if it has none, or the metadata is from before KIP-858.
    pub fn directory_of(&self, broker: i32) -> Option<Uuid> {
        let at = self.replicas.iter().position(|replica| *replica == broker)?;
        self.directories.get(at).copied()
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    pub name: Arc<str>,
    pub id: Uuid,
    /// Sorted by index; without gaps unless the log is strange.
    pub partitions: Vec<Arc<Partition>>,
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.position(index).ok().map(|at| &self.partitions[at])
    }

    /// Where the partition stands, or where it would have to stand.
    pub(super) fn position(&self, index: i32) -> Result<usize, usize> {
        let direct =
            usize::try_from(index).ok().filter(|at| self.partitions.get(*at).is_some_and(|p| p.index == index));
        direct.map_or_else(|| self.partitions.binary_search_by_key(&index, |p| p.index), Ok)
    }
}

/// Dynamic configs of one resource.
pub type Configs = BTreeMap<String, String>;

static NO_CONFIGS: Configs = Configs::new();

#[derive(Clone, PartialEq, Debug)]
pub struct Image {
    /// The offset of the last record applied; -1 before the first.
    pub(super) offset: i64,
    pub(super) features: Map<String, i16>,
    pub(super) topics: Map<Uuid, Arc<Topic>>,
    pub(super) topic_ids: Map<Arc<str>, Uuid>,
    pub(super) brokers: Map<i32, Arc<Broker>>,
    pub(super) controllers: Map<i32, Arc<Controller>>,
    /// The key is the number of the resource's type, which may be one that we do not know, then the resource's name.
    pub(super) configs: Map<i8, Map<Arc<str>, Arc<Configs>>>,
    pub(super) next_producer_id: i64,
    pub(super) acls: Map<Uuid, Arc<Acl>>,
    /// The same, the other way round: no rule is there twice.
    pub(super) acl_ids: Map<Arc<Acl>, Uuid>,
    /// The same, to decide by.
    pub(super) acl_index: AclIndex,
    /// The credentials by user and mechanism.
    pub(super) scram: Map<(String, i8), Arc<ScramCredential>>,
    pub(super) quotas: Map<QuotaEntity, Arc<BTreeMap<String, f64>>>,
    /// What `quotas` means, for look-ups.
    pub(super) client_quotas: Quotas,
    pub(super) tokens: Map<String, Arc<DelegationToken>>,
    pub(super) zk_migration_state: i8,
    /// While the log is inside a metadata transaction (KIP-868): the image as it will be when the transaction ends.
    pub(super) pending: Option<Box<Image>>,
}

impl Default for Image {
    fn default() -> Image {
        Image {
            offset: -1,
            features: Map::default(),
            topics: Map::default(),
            topic_ids: Map::default(),
            brokers: Map::default(),
            controllers: Map::default(),
            configs: Map::default(),
            next_producer_id: 0,
            acls: Map::default(),
            acl_ids: Map::default(),
            acl_index: AclIndex::default(),
            scram: Map::default(),
            quotas: Map::default(),
            client_quotas: Quotas::default(),
            tokens: Map::default(),
            zk_migration_state: 0,
            pending: None,
        }
    }
}

impl Image {
    /// The offset of the last record applied; -1 before the first.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Whether the log ends inside a metadata transaction; what stands after its beginning is not visible.
    pub fn in_transaction(&self) -> bool {
        self.pending.is_some()
    }

    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topic_ids.get(name).and_then(|id| self.topics.get(id))
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// Whether a text is the name of a topic or its id.
    pub fn is_topic(&self, text: &str, name: &str) -> bool {
        let by_id = || self.topic_by_id(Uuid::parse(text)?);
        text == name || by_id().is_some_and(|topic| *topic.name == *name)
    }

    /// All topics by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topic_ids.values().filter_map(|id| self.topics.get(id))
    }

    pub fn partition(&self, topic_id: Uuid, index: i32) -> Option<&Arc<Partition>> {
        self.topics.get(&topic_id)?.partition(index)
    }

    pub fn broker(&self, id: i32) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// All registered brokers by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// Finalized features with their levels, by name; level 0 is "not there".
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    pub fn metadata_version(&self) -> i16 {
        self.feature(METADATA_VERSION)
    }

    /// Dynamic configs of a resource; empty where there are none.
    pub fn configs(&self, resource: ResourceType, name: &str) -> &Configs {
        self.configs_of(resource as i8, name)
    }

    pub fn topic_configs(&self, name: &str) -> &Configs {
        self.configs(ResourceType::Topic, name)
    }

    /// Dynamic configs of one broker.
    pub fn broker_configs(&self, id: i32) -> &Configs {
        self.configs(ResourceType::Broker, &id.to_string())
    }

    /// Dynamic configs of all brokers.
    pub fn default_broker_configs(&self) -> &Configs {
        self.configs(ResourceType::Broker, "")
    }

    /// The names of all resources of a type that have dynamic configs.
    pub fn config_resources(&self, resource: ResourceType) -> impl Iterator<Item = &str> {
        self.configs.get(&(resource as i8)).into_iter().flat_map(|resources| resources.keys()).map(AsRef::as_ref)
    }

    pub(super) fn configs_of(&self, resource_type: i8, name: &str) -> &Configs {
        let configs = self.configs.get(&resource_type).and_then(|resources| resources.get(name));
        configs.map_or(&NO_CONFIGS, |configs| configs)
    }

    /// The first producer id that no block holds yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// All ACLs, in the order of the resources that they are for.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<Acl>> {
        self.acl_ids.keys()
    }

    /// The ACLs, as an authorizer decides by them.
    pub fn acl_index(&self) -> &AclIndex {
        &self.acl_index
    }

    /// `mechanism`: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512.
    pub fn scram_credential(&self, user: &str, mechanism: i8) -> Option<&Arc<ScramCredential>> {
        self.scram.get(&(user.to_string(), mechanism))
    }

    /// All users with credentials; one with two mechanisms comes twice.
    pub fn scram_users(&self) -> impl Iterator<Item = &str> {
        self.scram.keys().map(|(user, _)| user.as_str())
    }

    pub fn delegation_token(&self, id: &str) -> Option<&Arc<DelegationToken>> {
        self.tokens.get(id)
    }

    /// All delegation tokens by id, also those that have expired and were not swept.
    pub fn delegation_tokens(&self) -> impl Iterator<Item = &Arc<DelegationToken>> {
        self.tokens.values()
    }

    pub fn quotas(&self) -> impl Iterator<Item = (&QuotaEntity, &Arc<BTreeMap<String, f64>>)> {
        self.quotas.iter()
    }

    /// Which quota holds for whom.
    pub fn client_quotas(&self) -> &Quotas {
        &self.client_quotas
    }
}
