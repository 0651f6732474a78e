//! CreateAcls (key 30), versions 1–3: new ACLs (KIP-140).
//!
//! Needs Alter of the cluster. Without an authorizer SECURITY_DISABLED for each of them (`AclApis.handleCreateAcls`).
//! Decided by `metadata::create_acls`; one that is there already is a success. Versions: 1 prefixed patterns (KIP-290); 2
//! flexible; 3 users as resources (KIP-373).

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, acls, code_and_message};
use crate::metadata::{Change, Decided, Refusal};
use crate::model::ErrorCode;
use crate::security::access::AclOperation;
use crate::security::acl::Acl;
use crate::shard::context::Context;
use crate::wire::api::create_acls::{self as message, AclCreation, AclCreationResult};

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    count: usize,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let elements =
        |acl: &AclCreation<'_>| [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type];
    if let Err(early) = acls::refuse_unknown(request, body.creations.iter().map(elements)) {
        return early;
    }
    let acls: Vec<Acl> = body.creations.iter().map(acl).collect();
    let waiting = Waiting { head: request.head, count: acls.len() };
    let refused = acls::refuse(context, request, AclOperation::Alter, acls::NO_AUTHORIZER).err();
    let vague = || acls.iter().any(Acl::is_vague).then(|| Refusal::of(ErrorCode::UnknownServerError));
    if let Some(refusal) = refused.or_else(vague) {
        return waiting.answer(Err(refusal)).map_or_else(Outcome::Close, Outcome::Answer);
    }
    metadata_job::submit(context, acls::TIMEOUT_MS, Change::CreateAcls { acls }, Finish::CreateAcls(waiting))
}

fn acl(creation: &AclCreation<'_>) -> Acl {
    Acl {
        resource_type: creation.resource_type,
        resource_name: creation.resource_name.to_string(),
        pattern_type: creation.resource_pattern_type,
        principal: creation.principal.to_string(),
        host: creation.host.to_string(),
        operation: creation.operation,
        permission_type: creation.permission_type,
    }
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        match decided {
            Ok(Decided::AclsCreated(results)) => self.answer(Ok(results)),
            other => self.answer(Err(Refusal::of(metadata_job::why_not(other)))),
        }
    }

    /// What became of each creation, or why all of them are refused.
    fn answer(self, results: Result<Vec<Result<(), Refusal>>, Refusal>) -> Result<Answer, String> {
        let results = results.unwrap_or_else(|refusal| vec![Err(refusal); self.count]);
        // Kafka says nothing of a success, which leaves an empty message.
        let respond = |result: &Result<(), Refusal>| match code_and_message(result) {
            (0, _) => AclCreationResult::default(),
            (error_code, error_message) => AclCreationResult { error_code, error_message },
        };
        let results = results.iter().map(respond).collect();
        self.head.encode(&message::Response { results, ..Default::default() })
    }
}
