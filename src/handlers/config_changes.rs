//! What AlterConfigs and IncrementalAlterConfigs have in common: the way of a change of configs through the metadata
//! thread, and what a client may change. What contradicts itself is said before it is asked whether the client may
//! (`ConfigAdminManager.preprocess` of Apache Kafka 4.4.0, which asks before it looks at a broker's name and values).

use std::collections::BTreeSet;

use super::access::{CLUSTER_REFUSED, GROUP_REFUSED, TOPIC_REFUSED};
use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, alter_configs, incremental_alter_configs};
use crate::config;
use crate::metadata::{self, Change, Decided, RESOURCE_TWICE, Refusal, ResourceChanges, ResourceResult, ResourceType};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
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
    /// What the client may not change, with its places among the other resources.
    refused: Vec<(usize, ResourceResult)>,
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
    request: &Request<'_>,
    api: Api,
    mut resources: Vec<ResourceChanges>,
    validate_only: bool,
) -> Outcome {
    let head = request.head;
    let refused = refuse(context, request, &mut resources);
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
    metadata_job::submit(context, TIMEOUT_MS, change, Finish::Configs(Waiting { head, api, resources: kept, refused }))
}

/// Takes out what is named twice and what the client may not change, with its places.
fn refuse(
    context: &Context<'_>,
    request: &Request<'_>,
    resources: &mut Vec<ResourceChanges>,
) -> Vec<(usize, ResourceResult)> {
    let twice = named_twice(resources);
    let mut refused = Vec::new();
    let mut places = 0..;
    resources.retain(|resource| {
        let place = places.next();
        let refusal = match twice.contains(&(resource.resource_type, resource.resource_name.clone())) {
            true => Some(Refusal::new(ErrorCode::InvalidRequest, RESOURCE_TWICE)),
            false => refuse_one(context, request, resource),
        };
        let Some(refusal) = refusal else { return true };
        let ResourceChanges { resource_type, resource_name, .. } = resource.clone();
        refused.extend(place.map(|here| (here, ResourceResult { resource_type, resource_name, result: Err(refusal) })));
        false
    });
    refused
}

/// Resources that stand in a request more than once.
fn named_twice(resources: &[ResourceChanges]) -> BTreeSet<(i8, String)> {
    let twice = metadata::twice(resources.iter().map(ResourceChanges::resource));
    twice.into_iter().map(|(resource_type, name)| (resource_type, name.to_string())).collect()
}

/// Why a resource is not changed for this client. Of types that there are not nothing is asked.
fn refuse_one(context: &Context<'_>, request: &Request<'_>, resource: &ResourceChanges) -> Option<Refusal> {
    let may = |kind| request.may(context, AclOperation::AlterConfigs, kind, &resource.resource_name);
    let kind = ResourceType::from_id(resource.resource_type)?;
    let (may, error, text) = match kind {
        ResourceType::Topic => (may(AclResource::Topic), ErrorCode::TopicAuthorizationFailed, TOPIC_REFUSED),
        ResourceType::Group => (may(AclResource::Group), ErrorCode::GroupAuthorizationFailed, GROUP_REFUSED),
        ResourceType::Broker | ResourceType::ClientMetrics => {
            let may = request.may_cluster(context, AclOperation::AlterConfigs);
            (may, ErrorCode::ClusterAuthorizationFailed, CLUSTER_REFUSED)
        }
        ResourceType::BrokerLogger => return None,
    };
    if may {
        return None;
    }
    let wrong = metadata::check_changes(&resource.changes).err();
    Some(wrong.unwrap_or_else(|| match kind {
        // The broker that is asked says so, and not the controller.
        ResourceType::Broker => Refusal::of(error),
        _ => Refusal::new(error, text),
    }))
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
        let results = match decided {
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
        let results = in_places(results, self.refused);
        match self.api {
            Api::Alter => self.head.encode(&alter_configs::respond(results)),
            Api::Incremental { loggers } => {
                self.head.encode(&incremental_alter_configs::respond(in_places(results, loggers)))
            }
        }
    }
}

/// The answers with those that were known early at their places, which ascend. Each answer is moved once: a request may have
/// hundreds of thousands of them.
fn in_places<T>(answers: Vec<T>, known: Vec<(usize, T)>) -> Vec<T> {
    let mut all = Vec::with_capacity(answers.len() + known.len());
    let mut answers = answers.into_iter();
    for (place, one) in known {
        assert!(place >= all.len(), "places ascend");
        all.extend(answers.by_ref().take(place - all.len()));
        all.push(one);
    }
    all.extend(answers);
    all
}

#[cfg(test)]
mod tests {
    use super::in_places;

    /// Each answer is moved once: to make room for one after the other would take minutes.
    #[test]
    fn answers_find_their_places_among_very_many() {
        const MANY: usize = 500_000;
        let even = (0..MANY).map(|number| (2 * number, 2 * number)).collect();
        let odd: Vec<usize> = (0..MANY).map(|number| 2 * number + 1).collect();
        assert!(in_places(odd, even).into_iter().eq(0..2 * MANY));
        // Where the controller has answered less than was asked, what is known comes behind.
        assert_eq!(in_places(vec![1], vec![(0, 0), (5, 5)]), [0, 1, 5]);
    }
}
