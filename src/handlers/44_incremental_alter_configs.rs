//! IncrementalAlterConfigs (key 44), versions 0–1: sets, deletes, appends to or subtracts from dynamic configs (KIP-339).
//!
//! For topics, for groups, for subscriptions of client metrics (KIP-714), for this broker (by its id, or without a name for
//! all brokers) and for its loggers (KIP-412), whose levels are not kept. Version 1 is flexible. Needs AlterConfigs
//! of each topic or group, and of the cluster for all else.

use super::config_changes::{self, Api};
use super::{Outcome, Request, State, broker_loggers, code_and_message};
use crate::metadata::{ConfigChange, Operation, ResourceChanges, ResourceResult};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::incremental_alter_configs::{
    self as message, AlterConfigsResource, AlterConfigsResourceResponse,
};

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let mut resources = body.resources.iter().map(changes).collect();
    let node_id = context.broker;
    let may = || request.may_cluster(context, AclOperation::AlterConfigs);
    let loggers = broker_loggers::take_and_alter(node_id, &mut resources, body.validate_only, may);
    config_changes::submit(context, request, Api::Incremental { loggers }, resources, body.validate_only)
}

fn changes(resource: &AlterConfigsResource<'_>) -> ResourceChanges {
    let change = |config: &message::AlterableConfig<'_>| ConfigChange {
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
