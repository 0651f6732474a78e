//! DescribeClientQuotas (key 48), versions 0–1: the quotas that a filter matches (KIP-546).
//!
//! Told as the metadata log has them (`ClientQuotasImage.describe`). A filter names each type
//! of entity once: by a name, as the default entity, or by any name; a strict one matches entities that have these types
//! and no other. Version 1 is flexible. Needs DescribeConfigs of the cluster.

use std::collections::BTreeMap;

use super::{Outcome, Request, State};
use crate::metadata::QuotaEntity;
use crate::model::{ErrorCode, Refusal};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::describe_client_quotas::{self as message, ComponentData, EntityData, EntryData, ValueData};

/// `DescribeClientQuotasRequest.MATCH_TYPE_…`
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;
/// `ClientQuotaEntity`
const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let read = match request.may_cluster(context, AclOperation::DescribeConfigs) {
        true => Filter::read(&body),
        false => Err(Refusal::of(ErrorCode::ClusterAuthorizationFailed)),
    };
    let filter = match read {
        Ok(filter) => filter,
        Err(refusal) => {
            return request.head.answer(&message::Response {
                error_code: refusal.error.code(),
                error_message: refusal.message.map(Into::into),
                entries: None,
                ..Default::default()
            });
        }
    };
    let matching = context.view.image.quotas().filter(|(entity, _)| filter.matches(entity));
    let entries = matching.map(|(entity, values)| entry(entity, values)).collect();
    request.head.answer(&message::Response { entries: Some(entries), ..Default::default() })
}

/// What an entity must have of a type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    /// The name; `None` is the default entity.
    Name(Option<&'a str>),
    Any,
}

struct Filter<'a> {
    wanted: BTreeMap<&'a str, Wanted<'a>>,
    strict: bool,
}

impl<'a> Filter<'a> {
    fn read(body: &'a message::Request<'_>) -> Result<Filter<'a>, Refusal> {
        let mut wanted = BTreeMap::new();
        for component in &body.components {
            let entity_type = &*component.entity_type;
            if entity_type.is_empty() {
                return Err(invalid("Invalid empty entity type."));
            }
            if wanted.contains_key(entity_type) {
                return Err(invalid(format!("Entity type {entity_type} cannot appear more than once in the filter.")));
            }
            if ![USER, CLIENT_ID, IP].contains(&entity_type) {
                let message = format!("Unsupported entity type {entity_type}");
                return Err(Refusal::new(ErrorCode::UnsupportedVersion, message));
            }
            wanted.insert(entity_type, wanted_of(component)?);
        }
        if wanted.contains_key(IP) && wanted.len() > 1 {
            return Err(invalid(
                "Invalid entity filter component combination. IP filter component should not be used with user or \
                 clientId filter component.",
            ));
        }
        Ok(Filter { wanted, strict: body.strict })
    }

    fn matches(&self, entity: &QuotaEntity) -> bool {
        let has = |(entity_type, wanted): (&&str, &Wanted<'_>)| {
            let named = entity.iter().find(|(known, _)| known == entity_type);
            named.is_some_and(|(_, name)| matches!(wanted, Wanted::Any) || *wanted == Wanted::Name(name.as_deref()))
        };
        self.wanted.iter().all(has) && (!self.strict || entity.len() == self.wanted.len())
    }
}

fn wanted_of<'a>(component: &'a ComponentData<'_>) -> Result<Wanted<'a>, Refusal> {
    match (component.match_type, component.r#match.as_deref()) {
        (EXACT, Some(name)) => Ok(Wanted::Name(Some(name))),
        (EXACT, None) => Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null.")),
        (DEFAULT, None) => Ok(Wanted::Name(None)),
        (DEFAULT, Some(_)) => Err(invalid("Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")),
        (SPECIFIED, None) => Ok(Wanted::Any),
        (SPECIFIED, Some(_)) => {
            Err(invalid("Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."))
        }
        (other, _) => Err(invalid(format!("Unknown match type {other}"))),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}

fn entry<'r>(entity: &'r QuotaEntity, values: &'r BTreeMap<String, f64>) -> EntryData<'r> {
    let named = |(entity_type, name): &'r (String, Option<String>)| EntityData {
        entity_type: entity_type.as_str().into(),
        entity_name: name.as_deref().map(Into::into),
    };
    EntryData {
        entity: entity.iter().map(named).collect(),
        values: values.iter().map(|(key, value)| ValueData { key: key.as_str().into(), value: *value }).collect(),
    }
}
