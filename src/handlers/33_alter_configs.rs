//! AlterConfigs (key 33), versions 0–2: the old way to change dynamic configs, which deletes what it does not name.
//!
//! For topics, for groups, for subscriptions of client metrics and for this broker (by its id, or without a name for all
//! brokers). Version 2 is flexible. Loggers are refused, as by Kafka: they have IncrementalAlterConfigs. Needs AlterConfigs of
//! each topic or group, and of the cluster for all else.

use super::config_changes::{self, Api};
use super::{Outcome, Request, State, code_and_message};
use crate::metadata::{ConfigChange, Operation, ResourceChanges, ResourceResult};
use crate::shard::context::Context;
use crate::wire::api::alter_configs::{self as message, AlterConfigsResource, AlterConfigsResourceResponse};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let resources = body.resources.iter().map(changes).collect();
    config_changes::submit(context, request, Api::Alter, resources, body.validate_only)
}

fn changes(resource: &AlterConfigsResource<'_>) -> ResourceChanges {
    let change = |config: &message::AlterableConfig<'_>| ConfigChange {
        name: config.name.to_string(),
        operation: Some(Operation::Set),
        value: config.value.as_ref().map(|value| value.to_string()),
    };
    ResourceChanges {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.to_string(),
        changes: resource.configs.iter().map(change).collect(),
    }
}

pub(super) fn respond(results: Vec<ResourceResult>) -> message::Response<'static> {
    let response = |resource: ResourceResult| {
        let (error_code, error_message) = code_and_message(&resource.result);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.into(),
        }
    };
    message::Response { responses: results.into_iter().map(response).collect(), ..Default::default() }
}
