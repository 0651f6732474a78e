//! UpdateFeatures (key 57), versions 0–2: the finalized levels of features (KIP-584, KIP-778).
//!
//! Decided by `metadata::update_features`, all or none. Versions: 0 can only raise levels (as in Kafka, which does not
//! read its `AllowDowngrade`); 1 says how far a downgrade may go, and may only ask what would come of it; 2 has no
//! results of single features any more. Deviations: what is not built (transactions, share and streams groups) can be
//! turned off but not set to another level; `kraft.version` cannot be raised, because the voters that it puts into the log
//! must have a controller's endpoint, without which Apache Kafka would not start on the directory again.

use super::{Outcome, Request, State, metadata_job};
use crate::metadata::{self, Decider, FeatureUpdate, Image, Refusal, UpgradeType};
use crate::shard::context::Context;
use crate::wire::api::update_features::{self as message, FeatureUpdateKey, UpdatableFeatureResult};

/// The last version with a result of each feature.
const RESULTS_UNTIL: i16 = 1;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let (head, validate_only) = (request.head, body.validate_only);
    let config = &context.shared.config;
    let decider = Decider {
        node_id: config.node_id,
        kraft_version: context.view.leadership.kraft_version,
        static_min_insync_replicas: config.topic_defaults.min_insync_replicas,
    };
    let updates: Vec<FeatureUpdate> = body.feature_updates.iter().map(update).collect();
    let names: Vec<String> = updates.iter().map(|update| update.name.clone()).collect();
    let decide =
        move |image: &Image, _: &mut metadata_job::Inputs| match metadata::update_features(image, decider, &updates) {
            Ok(records) => (if validate_only { Vec::new() } else { records }, Ok(())),
            Err(refusal) => (Vec::new(), Err(refusal)),
        };
    let finish = move |_: &mut State, _: &Context<'_>, decided: metadata_job::Decided<Result<(), Refusal>>| {
        let result = decided.unwrap_or_else(|error| Err(Refusal::of(error)));
        head.encode(&respond(head.version, names, result))
    };
    metadata_job::submit(context, body.timeout_ms, decide, finish)
}

fn update(update: &FeatureUpdateKey<'_>) -> FeatureUpdate {
    FeatureUpdate {
        name: update.feature.to_string(),
        level: update.max_version_level,
        upgrade_type: UpgradeType::from_id(update.upgrade_type),
    }
}

fn respond(version: i16, names: Vec<String>, result: Result<(), Refusal>) -> message::Response<'static> {
    if let Err(refusal) = result {
        let of_one = "The update failed for all features since the following feature had an error: ";
        let error_message = refusal.message.map(|message| format!("{of_one}{message}").into());
        return message::Response { error_code: refusal.error.code(), error_message, ..Default::default() };
    }
    let names = if version <= RESULTS_UNTIL { names } else { Vec::new() };
    // Kafka's text for "no error" is the code's name.
    let done = |name: String| UpdatableFeatureResult {
        feature: name.into(),
        error_message: Some("NONE".into()),
        ..Default::default()
    };
    message::Response { error_message: None, results: names.into_iter().map(done).collect(), ..Default::default() }
}
