//! Brokers and controllers as they registered themselves.

use super::record::{self, RegisterBrokerRecord, RegisterControllerRecord};
use crate::model::Uuid;

/// `DirectoryId.MIGRATING`: the replica is from the time before directories were told.
pub const DIRECTORY_MIGRATING: Uuid = Uuid::ZERO;
/// `DirectoryId.UNASSIGNED`: the broker has not said yet where the replica lies.
pub const DIRECTORY_UNASSIGNED: Uuid = Uuid::ONE;
/// `DirectoryId.LOST`: the replica lies in a directory that its broker did not have when the metadata was upgraded.
pub const DIRECTORY_LOST: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);

/// Whether an assignment leaves it to the broker where the replica lies.
pub fn is_open_assignment(directory: Uuid) -> bool {
    directory == DIRECTORY_UNASSIGNED || directory == DIRECTORY_MIGRATING
}

/// Where a node can be reached on one of its listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    pub name: String,
    pub host: String,
    pub port: u16,
    /// 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL
    pub security_protocol: i16,
}

/// The levels of a feature that a node supports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FeatureRange {
    pub name: String,
    pub min: i16,
    pub max: i16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    pub id: i32,
    /// The offset of its registration's record.
    pub epoch: i64,
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: Vec<FeatureRange>,
    pub rack: Option<String>,
    /// A fenced broker leads nothing and serves no client.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    pub log_dirs: Vec<Uuid>,
    /// Directories that get no new partitions; `None` from brokers older than that.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    pub is_migrating_zk_broker: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Controller {
    pub id: i32,
    pub incarnation_id: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub features: Vec<FeatureRange>,
    pub zk_migration_ready: bool,
}

impl Broker {
    /// Leaders may be put here.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }

    /// The log directories that may get new partitions.
    pub fn open_log_dirs(&self) -> impl Iterator<Item = Uuid> {
        let cordoned = self.cordoned_log_dirs.as_deref().unwrap_or_default();
        self.log_dirs.iter().copied().filter(|dir| !cordoned.contains(dir))
    }

    /// Whether new partitions may be put here; a broker of before directories had identities says nothing of them.
    pub(super) fn has_uncordoned_dirs(&self) -> bool {
        self.log_dirs.is_empty() || self.open_log_dirs().next().is_some()
    }

    /// Whether a replica in this directory can be served (`DirectoryId.isOnline`). A broker that told of no directory did so
    /// before KIP-858.
    pub fn has_online(&self, directory: Uuid) -> bool {
        let is_here = || self.log_dirs.is_empty() || self.log_dirs.contains(&directory);
        is_open_assignment(directory) || (directory != DIRECTORY_LOST && is_here())
    }

    pub fn endpoint(&self, listener: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|e| e.name == listener)
    }

    pub(super) fn from_record(r: &RegisterBrokerRecord<'_>) -> Broker {
        let endpoint = |e: &record::BrokerEndpoint<'_>| Endpoint {
            name: e.name.to_string(),
            host: e.host.to_string(),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &record::BrokerFeature<'_>| FeatureRange {
            name: f.name.to_string(),
            min: f.min_supported_version,
            max: f.max_supported_version,
        };
        Broker {
            id: r.broker_id,
            epoch: r.broker_epoch,
            incarnation_id: r.incarnation_id,
            endpoints: r.end_points.iter().map(endpoint).collect(),
            features: r.features.iter().map(feature).collect(),
            rack: r.rack.as_ref().map(|rack| rack.to_string()),
            fenced: r.fenced,
            in_controlled_shutdown: r.in_controlled_shutdown,
            log_dirs: r.log_dirs.clone(),
            cordoned_log_dirs: r.cordoned_log_dirs.clone(),
            is_migrating_zk_broker: r.is_migrating_zk_broker,
        }
    }

    pub(super) fn to_record(&self) -> RegisterBrokerRecord<'static> {
        let endpoint = |e: &Endpoint| record::BrokerEndpoint {
            name: e.name.clone().into(),
            host: e.host.clone().into(),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &FeatureRange| record::BrokerFeature {
            name: f.name.clone().into(),
            min_supported_version: f.min,
            max_supported_version: f.max,
        };
        RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
            rack: self.rack.clone().map(Into::into),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.log_dirs.clone(),
            cordoned_log_dirs: self.cordoned_log_dirs.clone(),
        }
    }
}

impl Controller {
    pub(super) fn from_record(r: &RegisterControllerRecord<'_>) -> Controller {
        let endpoint = |e: &record::ControllerEndpoint<'_>| Endpoint {
            name: e.name.to_string(),
            host: e.host.to_string(),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &record::ControllerFeature<'_>| FeatureRange {
            name: f.name.to_string(),
            min: f.min_supported_version,
            max: f.max_supported_version,
        };
        Controller {
            id: r.controller_id,
            incarnation_id: r.incarnation_id,
            endpoints: r.end_points.iter().map(endpoint).collect(),
            features: r.features.iter().map(feature).collect(),
            zk_migration_ready: r.zk_migration_ready,
        }
    }

    pub(super) fn to_record(&self) -> RegisterControllerRecord<'static> {
        let endpoint = |e: &Endpoint| record::ControllerEndpoint {
            name: e.name.clone().into(),
            host: e.host.clone().into(),
            port: e.port,
            security_protocol: e.security_protocol,
        };
        let feature = |f: &FeatureRange| record::ControllerFeature {
            name: f.name.clone().into(),
            min_supported_version: f.min,
            max_supported_version: f.max,
        };
        RegisterControllerRecord {
            controller_id: self.id,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self.endpoints.iter().map(endpoint).collect(),
            features: self.features.iter().map(feature).collect(),
        }
    }
}
