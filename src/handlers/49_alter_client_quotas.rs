//! AlterClientQuotas (key 49), versions 0–1: sets quotas of users, clients and addresses, and takes them away (KIP-546).
//!
//! Decided by `metadata::alter_client_quotas`: each entity by itself. Version 1 is flexible.

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::codec::Str;
use crate::metadata::{Change, Decided, QuotaAlteration, QuotaAltered, QuotaEntity, Refusal};
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::alter_client_quotas::{self as message, request, response};

/// How long a request waits for its records; then the client shall ask again.
const TIMEOUT_MS: i32 = 30_000;
/// What `Errors` says of a client that may not.
const NOT_ALLOWED: &str = "Cluster authorization failed.";

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    entities: Vec<QuotaEntity>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let entries: Vec<QuotaAlteration> = body.entries.iter().map(alteration).collect();
    let entities = entries.iter().map(|entry| entry.entity.clone()).collect();
    let waiting = Waiting { head: request.head, entities };
    if request.must_cluster(context, AclOperation::AlterConfigs).is_err() {
        let refusal = Refusal::new(ErrorCode::ClusterAuthorizationFailed, NOT_ALLOWED);
        return waiting.refuse(&refusal).map_or_else(Outcome::Close, Outcome::Answer);
    }
    let change = Change::AlterClientQuotas { entries, validate_only: body.validate_only };
    metadata_job::submit(context, TIMEOUT_MS, change, Finish::AlterClientQuotas(waiting))
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        match decided {
            Ok(Decided::QuotasAltered(results)) => self.head.encode(&answer(&results)),
            other => self.refuse(&Refusal::of(metadata_job::why_not(other))),
        }
    }

    fn refuse(self, refusal: &Refusal) -> Result<Answer, String> {
        let refused = |entity| QuotaAltered { entity, result: Err(refusal.clone()) };
        self.head.encode(&answer(&self.entities.into_iter().map(refused).collect::<Vec<_>>()))
    }
}

fn alteration(entry: &request::EntryData<'_>) -> QuotaAlteration {
    let named = |name: &Option<Str<'_>>| name.as_ref().map(|name| name.to_string());
    QuotaAlteration {
        entity: entry.entity.iter().map(|part| (part.entity_type.to_string(), named(&part.entity_name))).collect(),
        operations: entry.ops.iter().map(|op| (op.key.to_string(), (!op.remove).then_some(op.value))).collect(),
    }
}

fn answer(results: &[QuotaAltered]) -> message::Response<'_> {
    let entry = |altered: &QuotaAltered| {
        let (error_code, error_message) = code_and_message(&altered.result);
        let part = |(kind, name): &(String, Option<String>)| response::EntityData {
            entity_type: kind.clone().into(),
            entity_name: name.clone().map(Into::into),
        };
        let entity = altered.entity.iter().map(part).collect();
        response::EntryData { error_code, error_message, entity }
    };
    message::Response { entries: results.iter().map(entry).collect(), ..Default::default() }
}
