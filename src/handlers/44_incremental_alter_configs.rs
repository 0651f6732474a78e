//! IncrementalAlterConfigs (key 44), versions 0–1: sets, deletes, appends to or subtracts from dynamic configs (KIP-339).
//!
//! For topics, for groups and for this broker (by its id, or without a name for all brokers). Version 1 is flexible.
//! Client metrics and loggers are refused until they are built.

use super::{Outcome, Request, State, code_and_message, config_changes};
use crate::metadata::{self, Change, Operation, ResourceChanges, ResourceResult};
use crate::shard::context::Context;
use crate::wire::api::incremental_alter_configs::{
    self as message, AlterConfigsResource, AlterConfigsResourceResponse,
};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let resources = body.resources.iter().map(changes).collect();
    config_changes::submit(
        context,
        request.head,
        metadata::incremental_alter_configs,
        resources,
        body.validate_only,
        respond,
    )
}

fn changes(resource: &AlterConfigsResource<'_>) -> ResourceChanges {
    let change = |config: &message::AlterableConfig<'_>| Change {
        name: config.name.to_string(),
        operation: Operation::from_id(config.config_operation),
        value: config.value.as_ref().map(|value| value.to_string()),
    };
    ResourceChanges {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.to_string(),
        changes: resource.configs.iter().map(change).collect(),
    }
}

fn respond(results: Vec<ResourceResult>) -> message::Response<'static> {
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
