//! DescribeConfigs (key 32), versions 1–4: configurations of topics, groups, client metrics, of this broker and its
//! loggers, and where each value comes from.
//!
//! Follows `ConfigHelper`: the broker resource without a name is the dynamic defaults of all brokers; another id than
//! our own is INVALID_REQUEST; an empty list of keys means all, like null. Versions: 1 sources and synonyms (KIP-226); 3
//! types and documentation (KIP-569); 4 flexible.
//!
//! Needs DescribeConfigs of each topic or group, and of the cluster for all else, which is asked before names are looked at. A
//! type that there is not refuses the whole request.
//!
//! Deviations: the documentation is a sentence of our own for each key that we know, and null for client metrics and
//! loggers; a resource that is named twice is answered once, because a small request must not cause an answer without
//! bounds.

use std::collections::HashSet;

use super::access::{CLUSTER_REFUSED, GROUP_REFUSED, INVALID_REQUEST, TOPIC_REFUSED};
use super::{Outcome, Request, State, broker_loggers, code_and_message, effective};
use crate::config::{self, Entry};
use crate::io::loggers::Level;
use crate::metadata::{Refusal, ResourceType, topic_name};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::shard::context::Context;
use crate::wire::api::describe_configs::{
    self as message, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym,
};

/// `ConfigSource.DYNAMIC_BROKER_LOGGER_CONFIG`
const BROKER_LOGGER_CONFIG: i8 = 6;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut seen = HashSet::new();
    let once = body.resources.iter().filter(|r| seen.insert((r.resource_type, &*r.resource_name)));
    let is_odd = |resource: &DescribeConfigsResource<'_>| ResourceType::from_id(resource.resource_type).is_none();
    let results = match body.resources.iter().any(is_odd) {
        true => Ok(once.map(refuse).collect()),
        false => request.head.gather(once.map(|resource| respond(context, request, resource, &body))),
    };
    match results {
        Ok(results) => request.head.answer(&message::Response { results, ..Default::default() }),
        Err(early) => early,
    }
}

/// The request as a whole is refused (`DescribeConfigsRequest.getErrorResponse`).
fn refuse<'r>(resource: &'r DescribeConfigsResource<'_>) -> DescribeConfigsResult<'r> {
    DescribeConfigsResult {
        error_code: ErrorCode::InvalidRequest.code(),
        error_message: Some(INVALID_REQUEST.into()),
        resource_type: resource.resource_type,
        resource_name: (&*resource.resource_name).into(),
        configs: Vec::new(),
    }
}

/// Whether the client may see the configs of a resource.
fn authorize(
    context: &Context<'_>,
    request: &Request<'_>,
    resource: &DescribeConfigsResource<'_>,
) -> Result<(), Refusal> {
    let may = |kind| request.may(context, AclOperation::DescribeConfigs, kind, &resource.resource_name);
    let (may, error, text) = match ResourceType::from_id(resource.resource_type) {
        Some(ResourceType::Topic) => (may(AclResource::Topic), ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED),
        Some(ResourceType::Group) => (may(AclResource::Group), ErrorCode::GroupAuthorizationFailed, GROUP_REFUSED),
        _ => {
            let may = request.may_cluster(context, AclOperation::DescribeConfigs);
            (may, ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED)
        }
    };
    if may { Ok(()) } else { Err(Refusal::new(error, text)) }
}

fn respond<'r>(
    context: &Context<'_>,
    request: &Request<'_>,
    resource: &'r DescribeConfigsResource<'_>,
    body: &message::Request<'_>,
) -> DescribeConfigsResult<'r> {
    let described = authorize(context, request, resource).and_then(|()| describe(context, resource));
    let (error_code, message) = code_and_message(&described);
    // Where Kafka says nothing its answer has the schema's default, which is not null.
    let error_message = message.or_else(|| Some("".into()));
    let keys: HashSet<&str> = resource.configuration_keys.iter().flatten().map(|key| &**key).collect();
    let mut configs = described.unwrap_or_default();
    configs.retain(|config| keys.is_empty() || keys.contains(&*config.name));
    if !body.include_synonyms {
        configs.iter_mut().for_each(|config| config.synonyms.clear());
    }
    if !body.include_documentation {
        configs.iter_mut().for_each(|config| config.documentation = None);
    }
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: (&*resource.resource_name).into(),
        configs,
    }
}

type Described = Result<Vec<DescribeConfigsResourceResult<'static>>, Refusal>;

fn describe(context: &Context<'_>, resource: &DescribeConfigsResource<'_>) -> Described {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidRequest, message));
    let name = &*resource.resource_name;
    match ResourceType::from_id(resource.resource_type) {
        Some(ResourceType::Topic) => describe_topic(context, name),
        Some(ResourceType::Broker) => describe_broker(context, name),
        Some(ResourceType::ClientMetrics) if name.is_empty() => {
            refuse("Client metrics subscription name must not be empty".into())
        }
        Some(ResourceType::ClientMetrics) => Ok(describe_client_metrics(context, name)),
        Some(ResourceType::Group) if name.is_empty() => refuse("Group name must not be empty".into()),
        Some(ResourceType::Group) => Ok(describe_group(context, name)),
        Some(ResourceType::BrokerLogger) => describe_loggers(context, name),
        None => refuse(format!("Unexpected resource type {} for resource {name}", resource.resource_type)),
    }
}

fn describe_topic(context: &Context<'_>, name: &str) -> Described {
    topic_name::validate(name).map_err(|message| Refusal::new(ErrorCode::InvalidTopicException, message))?;
    let image = &context.view.image;
    image.topic(name).ok_or(Refusal::of(ErrorCode::UnknownTopicOrPartition))?;
    let entries = config::describe_topic(&effective::settings(context.shared, image), image.topic_configs(name));
    Ok(entries.into_iter().map(entry).collect())
}

fn describe_group(context: &Context<'_>, name: &str) -> Vec<DescribeConfigsResourceResult<'static>> {
    let image = &context.view.image;
    let overrides = image.configs(ResourceType::Group, name);
    let entries = config::describe_group(&effective::settings(context.shared, image), overrides);
    entries.into_iter().map(entry).collect()
}

fn describe_broker(context: &Context<'_>, name: &str) -> Described {
    let (image, node_id) = (&context.view.image, context.broker);
    let settings = context.shared.config.settings(image.default_broker_configs(), image.broker_configs(node_id));
    let entries = match name.parse::<i32>() {
        _ if name.is_empty() => config::describe_broker_defaults(&settings),
        Ok(id) if id == node_id => config::describe_broker(&settings),
        Ok(_) => {
            let message = format!("Unexpected broker id, expected {node_id} or empty string, but received {name}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
        Err(_) => {
            let message = format!("Broker id must be an integer, but it is: {name}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, message));
        }
    };
    Ok(entries.into_iter().map(entry).collect())
}

fn describe_client_metrics(context: &Context<'_>, name: &str) -> Vec<DescribeConfigsResourceResult<'static>> {
    let overrides = context.view.image.configs(ResourceType::ClientMetrics, name);
    config::describe_client_metrics(overrides).into_iter().map(entry).collect()
}

fn describe_loggers(context: &Context<'_>, name: &str) -> Described {
    let loggers = broker_loggers::describe(context.broker, name)?;
    let entry = |(name, level): (&'static str, Level)| DescribeConfigsResourceResult {
        name: name.into(),
        value: Some(level.name().into()),
        config_source: BROKER_LOGGER_CONFIG,
        documentation: None,
        ..Default::default()
    };
    Ok(loggers.into_iter().map(entry).collect())
}

fn entry(entry: Entry) -> DescribeConfigsResourceResult<'static> {
    let synonyms = entry.synonyms.into_iter().map(|synonym| DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: synonym.value.map(Into::into),
        source: synonym.source as i8,
    });
    DescribeConfigsResourceResult {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.is_sensitive,
        synonyms: synonyms.collect(),
        config_type: entry.kind.map_or(0, config::Type::id),
        documentation: entry.documentation,
    }
}
