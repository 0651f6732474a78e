//! What AlterConfigs and IncrementalAlterConfigs have in common: the way of a change of configs through the metadata
//! thread.

use super::{Head, Outcome, State, effective, metadata_job};
use crate::codec::Message;
use crate::config::{self, Settings};
use crate::metadata::{Decision, Image, Refusal, ResourceChanges, ResourceResult, ResourceType};
use crate::shard::context::Context;

/// Neither request has a timeout of its own: Kafka's `request.timeout.ms`.
const TIMEOUT_MS: i32 = 30_000;

/// One of the two decisions of `metadata`.
type Alter = fn(&Image, &Settings<'_>, i32, &[ResourceChanges], bool) -> Decision<ResourceResult>;

/// Decides about the changes; `respond` makes the answer's body of the results.
pub(super) fn submit<R: Message<'static> + 'static>(
    context: &Context<'_>,
    head: Head,
    alter: Alter,
    resources: Vec<ResourceChanges>,
    validate_only: bool,
    respond: impl FnOnce(Vec<ResourceResult>) -> R + 'static,
) -> Outcome {
    let shared = context.shared.clone();
    let named = |resource: &ResourceChanges| (resource.resource_type, resource.resource_name.clone());
    let names: Vec<(i8, String)> = resources.iter().map(named).collect();
    let decide = move |image: &Image, _: &mut metadata_job::Inputs| {
        let settings = effective::settings(&shared, image);
        let decision = alter(image, &settings, shared.config.node_id, &resources, validate_only);
        let made =
            resources.iter().zip(&decision.results).filter(|(_, result)| result.result.is_ok() && !validate_only);
        made.for_each(|(resource, _)| warn_of_idle(resource));
        (decision.records, decision.results)
    };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<Vec<ResourceResult>>| {
        let results = decided.unwrap_or_else(|error| {
            let failed = |(resource_type, resource_name)| ResourceResult {
                resource_type,
                resource_name,
                result: Err(Refusal::of(error)),
            };
            names.into_iter().map(failed).collect()
        });
        head.encode(&respond(results))
    };
    metadata_job::submit(context, TIMEOUT_MS, decide, finish)
}

/// A config that is kept and shown, and that nothing acts on yet, is said once, when it is set.
fn warn_of_idle(resource: &ResourceChanges) {
    let set = resource.changes.iter().filter(|change| change.value.is_some()).map(|change| &change.name);
    let notices = match ResourceType::from_id(resource.resource_type) {
        Some(ResourceType::Broker) => config::notices_of_dynamic(set),
        Some(ResourceType::Topic | ResourceType::Group) => config::notice_of_resources(set).into_iter().collect(),
        Some(ResourceType::ClientMetrics | ResourceType::BrokerLogger) | None => Vec::new(),
    };
    for notice in notices {
        log::warn!("configs of {:?}: {notice}", resource.resource_name);
    }
}
