//! UpdateFeatures (key 57), versions 0–2: the finalized levels of features (KIP-584, KIP-778).
//!
//! Decided by `metadata::update_features`, all or none. Versions: 0 can only raise levels (as in Kafka, which does not
//! read its `AllowDowngrade`); 1 says how far a downgrade may go, and may only ask what would come of it; 2 has no
//! results of single features any more. Deviations: what is not built (share and streams groups) can be turned off
//! but not set to another level; `kraft.version` cannot be raised, because the voters that it puts into the log
//! must have a controller's endpoint, without which Apache Kafka would not start on the directory again. Needs Alter of the cluster.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, FeatureUpdate, Refusal, UpgradeType};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::update_features::{self as message, FeatureUpdateKey, UpdatableFeatureResult};

/// The last version with a result of each feature.
const RESULTS_UNTIL: i16 = 1;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    names: Vec<String>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if let Err(refusal) = request.must_cluster(context, AclOperation::Alter) {
        let (error_code, error_message) = code_and_message::<()>(&Err(refusal));
        return request.head.answer(&message::Response { error_code, error_message, ..Default::default() });
    }
    let updates: Vec<FeatureUpdate> = body.feature_updates.iter().map(update).collect();
    let names = updates.iter().map(|update| update.name.clone()).collect();
    let finish = Finish::UpdateFeatures(Waiting { head: request.head, names });
    let change = Change::UpdateFeatures { updates, validate_only: body.validate_only };
    metadata_job::submit(context, body.timeout_ms, change, finish)
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let result = match decided {
            Ok(Decided::Whole(result)) => result,
            other => Err(Refusal::of(metadata_job::why_not(other))),
        };
        self.head.encode(&respond(self.head.version, self.names, result))
    }
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
