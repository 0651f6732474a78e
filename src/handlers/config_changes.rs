//! What AlterConfigs and IncrementalAlterConfigs have in common: the way of a change of configs through the metadata
//! thread.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, alter_configs, incremental_alter_configs};
use crate::config;
use crate::metadata::{Change, Decided, Refusal, ResourceChanges, ResourceResult, ResourceType};
use crate::shard::context::Context;

/// Neither request has a timeout of its own: Kafka's `request.timeout.ms`.
const TIMEOUT_MS: i32 = 30_000;

/// Which of the two was asked.
pub(super) enum Api {
    Alter,
    /// What came of the changes of loggers, which are no metadata, stands with its places in the answer.
    Incremental {
        loggers: Vec<(usize, ResourceResult)>,
    },
}

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    api: Api,
    resources: Vec<Resource>,
}

struct Resource {
    resource_type: i8,
    resource_name: String,
    /// The log says this when the configs are set.
    notices: Vec<config::Notice>,
}

/// Hands the changes to the metadata thread.
pub(super) fn submit(
    context: &Context<'_>,
    head: Head,
    api: Api,
    resources: Vec<ResourceChanges>,
    validate_only: bool,
) -> Outcome {
    let named = |resource: &ResourceChanges| Resource {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        notices: if validate_only { Vec::new() } else { notices_of_idle(resource) },
    };
    let kept = resources.iter().map(named).collect();
    let change = match api {
        Api::Alter => Change::AlterConfigs { resources, validate_only },
        Api::Incremental { .. } => Change::IncrementalAlterConfigs { resources, validate_only },
    };
    metadata_job::submit(context, TIMEOUT_MS, change, Finish::Configs(Waiting { head, api, resources: kept }))
}

/// What is said of configs that are kept and shown, and that nothing acts on yet: once, when they are set.
fn notices_of_idle(resource: &ResourceChanges) -> Vec<config::Notice> {
    let set = resource.changes.iter().filter(|change| change.value.is_some()).map(|change| &change.name);
    match ResourceType::from_id(resource.resource_type) {
        Some(ResourceType::Broker) => config::notices_of_dynamic(set),
        Some(ResourceType::Topic | ResourceType::Group) => config::notice_of_resources(set).into_iter().collect(),
        Some(ResourceType::ClientMetrics | ResourceType::BrokerLogger) | None => Vec::new(),
    }
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let mut results = match decided {
            Ok(Decided::ConfigsAltered(results)) => results,
            other => {
                let error = metadata_job::why_not(other);
                let failed = |resource: &Resource| ResourceResult {
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name.clone(),
                    result: Err(Refusal::of(error)),
                };
                self.resources.iter().map(failed).collect()
            }
        };
        for (resource, _) in self.resources.iter().zip(&results).filter(|(_, result)| result.result.is_ok()) {
            for notice in &resource.notices {
                log::warn!("configs of {:?}: {notice}", resource.resource_name);
            }
        }
        match self.api {
            Api::Alter => self.head.encode(&alter_configs::respond(results)),
            Api::Incremental { loggers } => {
                for (place, result) in loggers {
                    results.insert(place.min(results.len()), result);
                }
                self.head.encode(&incremental_alter_configs::respond(results))
            }
        }
    }
}
