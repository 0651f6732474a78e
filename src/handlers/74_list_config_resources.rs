//! ListConfigResources (key 74), versions 0–1: the names of everything that may have configurations.
//!
//! Version 0 lists subscriptions of client metrics (KIP-714); 1 any type (KIP-1142), all of them where none is named: of
//! groups those that have configs. A type that there is not is UNSUPPORTED_VERSION.

use super::{Outcome, Request, State};
use crate::metadata::ResourceType;
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::list_config_resources::{self as message, ConfigResource};

/// The first version that names types.
const TYPES_SINCE: i16 = 1;

const ALL: [ResourceType; 5] = [
    ResourceType::Topic,
    ResourceType::Broker,
    ResourceType::BrokerLogger,
    ResourceType::ClientMetrics,
    ResourceType::Group,
];

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may_cluster(context, AclOperation::DescribeConfigs) {
        let error_code = ErrorCode::ClusterAuthorizationFailed.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    if body.resource_types.iter().any(|id| ResourceType::from_id(*id).is_none()) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return request.head.answer(&message::Response { error_code, ..Default::default() });
    }
    let is_wanted = |kind: ResourceType| match request.head.version {
        ..TYPES_SINCE => kind == ResourceType::ClientMetrics,
        _ => body.resource_types.is_empty() || body.resource_types.contains(&(kind as i8)),
    };
    let wanted = ALL.into_iter().filter(|kind| is_wanted(*kind));
    let resources = wanted.flat_map(|kind| {
        let resource = move |resource_name: String| ConfigResource {
            resource_name: resource_name.into(),
            resource_type: kind as i8,
        };
        names(context, kind).into_iter().map(resource)
    });
    request.head.answer(&message::Response { config_resources: resources.collect(), ..Default::default() })
}

fn names(context: &Context<'_>, kind: ResourceType) -> Vec<String> {
    let image = &context.view.image;
    match kind {
        ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
        ResourceType::Broker | ResourceType::BrokerLogger => {
            context.shared.config.cast().ids().map(|id| id.to_string()).collect()
        }
        ResourceType::ClientMetrics | ResourceType::Group => image.config_resources(kind).map(str::to_string).collect(),
    }
}
