//! What the metadata log says about users: ACLs, SCRAM credentials, quotas, delegation tokens.
//!
//! Kept as written, so that a directory loses nothing. The structs are the records with owned text; an ACL is one of
//! `security::acl`, whose index decides.

use std::fmt;
use std::sync::OnceLock;

use super::record::{AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, UserScramCredentialRecord};
use crate::model::Uuid;
use crate::security::acl::Acl;
use crate::stdx::secret::Secret;

#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub name: String,
    pub mechanism: i8,
    pub salt: Vec<u8>,
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
    pub iterations: i32,
}

/// Keys must not reach a log line.
impl std::fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScramCredential({}, {}, {})", self.name, self.mechanism, self.iterations)
    }
}

/// Whom a quota is for: entity types (`user`, `client-id`, `ip`) with names, sorted; no name is the default entity.
pub type QuotaEntity = Vec<(String, Option<String>)>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DelegationToken {
    pub owner: String,
    pub requester: String,
    pub renewers: Vec<String>,
    pub issue_timestamp: i64,
    pub max_timestamp: i64,
    pub expiration_timestamp: i64,
    pub token_id: String,
    pub(super) hmac: KnownHmac,
}

/// The HMAC of a token, once it was asked for. It follows from the token's id and the cluster's key, which the image does not
/// have and which never changes; so it makes no difference between two tokens, and stands in no record.
#[derive(Clone, Default)]
pub(super) struct KnownHmac(OnceLock<Secret>);

impl KnownHmac {
    pub(super) fn get(&self, compute: impl FnOnce() -> Secret) -> &Secret {
        self.0.get_or_init(compute)
    }
}

impl PartialEq for KnownHmac {
    fn eq(&self, _: &KnownHmac) -> bool {
        true
    }
}

impl Eq for KnownHmac {}

impl fmt::Debug for KnownHmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

pub(super) fn acl(r: &AccessControlEntryRecord<'_>) -> Acl {
    Acl {
        resource_type: r.resource_type,
        resource_name: r.resource_name.to_string(),
        pattern_type: r.pattern_type,
        principal: r.principal.to_string(),
        host: r.host.to_string(),
        operation: r.operation,
        permission_type: r.permission_type,
    }
}

pub(super) fn acl_record(id: Uuid, acl: &Acl) -> AccessControlEntryRecord<'static> {
    AccessControlEntryRecord {
        id,
        resource_type: acl.resource_type,
        resource_name: acl.resource_name.clone().into(),
        pattern_type: acl.pattern_type,
        principal: acl.principal.clone().into(),
        host: acl.host.clone().into(),
        operation: acl.operation,
        permission_type: acl.permission_type,
    }
}

impl ScramCredential {
    pub(super) fn from_record(r: &UserScramCredentialRecord<'_>) -> ScramCredential {
        ScramCredential {
            name: r.name.to_string(),
            mechanism: r.mechanism,
            salt: r.salt.to_vec(),
            stored_key: r.stored_key.to_vec(),
            server_key: r.server_key.to_vec(),
            iterations: r.iterations,
        }
    }

    pub(super) fn to_record(&self) -> UserScramCredentialRecord<'static> {
        UserScramCredentialRecord {
            name: self.name.clone().into(),
            mechanism: self.mechanism,
            salt: self.salt.clone().into(),
            stored_key: self.stored_key.clone().into(),
            server_key: self.server_key.clone().into(),
            iterations: self.iterations,
        }
    }
}

impl DelegationToken {
    pub(super) fn from_record(r: &DelegationTokenRecord<'_>) -> DelegationToken {
        DelegationToken {
            owner: r.owner.to_string(),
            requester: r.requester.to_string(),
            renewers: r.renewers.iter().map(|renewer| renewer.to_string()).collect(),
            issue_timestamp: r.issue_timestamp,
            max_timestamp: r.max_timestamp,
            expiration_timestamp: r.expiration_timestamp,
            token_id: r.token_id.to_string(),
            hmac: KnownHmac::default(),
        }
    }

    pub(super) fn to_record(&self) -> DelegationTokenRecord<'static> {
        DelegationTokenRecord {
            owner: self.owner.clone().into(),
            requester: self.requester.clone().into(),
            renewers: self.renewers.iter().map(|renewer| renewer.clone().into()).collect(),
            issue_timestamp: self.issue_timestamp,
            max_timestamp: self.max_timestamp,
            expiration_timestamp: self.expiration_timestamp,
            token_id: self.token_id.clone().into(),
        }
    }
}

pub(super) fn quota_entity(r: &ClientQuotaRecord<'_>) -> QuotaEntity {
    let named = |name: &Option<crate::codec::Str<'_>>| name.as_ref().map(|n| n.to_string());
    let mut entity: QuotaEntity = r.entity.iter().map(|e| (e.entity_type.to_string(), named(&e.entity_name))).collect();
    entity.sort();
    entity
}
