//! CreateDelegationToken (key 38), versions 1–3: a token that stands for a user (KIP-48).
//!
//! Refused first, with the owner that was asked for: clients that have not said who they are, or only by a token
//! (DELEGATION_TOKEN_REQUEST_NOT_ALLOWED); then who wants a token for another user and may not (needs CreateTokens of the
//! User); then renewers that are no users. The rest is decided with the newest metadata. What is refused there has 0 for
//! its times, as in Kafka, what is refused before it -1. Versions: 2 flexible; 3 tokens for other users (KIP-373).

use super::delegation_tokens::{self, NO_TIMESTAMP, TIMEOUT_MS};
use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State};
use crate::metadata::{Change, Decided, NewDelegationToken};
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::security::delegation;
use crate::security::principal::Principal;
use crate::shard::context::Context;
use crate::wire::api::create_delegation_token as message;

/// The first version that names the requester beside the owner.
const REQUESTER_SINCE: i16 = 3;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    owner: Principal,
    requester: Principal,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let requester = request.session.principal.clone();
    let owner = match (body.owner_principal_type.as_deref(), body.owner_principal_name.as_deref()) {
        (_, None | Some("")) => requester.clone(),
        (Some(kind), Some(name)) => Principal::new(kind.to_string(), name.to_string()),
        // In Kafka a principal without a type is an exception.
        (None, Some(_)) => {
            let waiting = Waiting { head: request.head, owner: Principal::ANONYMOUS, requester: Principal::ANONYMOUS };
            return request.head.answer(&waiting.refused(ErrorCode::UnknownServerError, NO_TIMESTAMP));
        }
    };
    let waiting = Waiting { head: request.head, owner, requester };
    if let Err(error) = check(context, request, &waiting, &body) {
        return request.head.answer(&waiting.refused(error, NO_TIMESTAMP));
    }
    let renewer = |one: &message::CreatableRenewers<'_>| {
        Principal::new(one.principal_type.to_string(), one.principal_name.to_string())
    };
    let change = Change::CreateDelegationToken(NewDelegationToken {
        owner: waiting.owner.clone(),
        requester: waiting.requester.clone(),
        renewers: body.renewers.iter().map(renewer).collect(),
        max_lifetime_ms: body.max_lifetime_ms,
    });
    metadata_job::submit(context, TIMEOUT_MS, change, Finish::CreateToken(waiting))
}

/// What is refused before anything is decided.
fn check(
    context: &Context<'_>,
    request: &Request<'_>,
    waiting: &Waiting,
    body: &message::Request<'_>,
) -> Result<(), ErrorCode> {
    if !delegation_tokens::are_allowed(context, request) {
        return Err(ErrorCode::DelegationTokenRequestNotAllowed);
    }
    let Waiting { owner, requester, .. } = waiting;
    if owner != requester && !request.may(context, AclOperation::CreateTokens, AclResource::User, owner.text()) {
        return Err(ErrorCode::DelegationTokenAuthorizationFailed);
    }
    match body.renewers.iter().all(|renewer| renewer.principal_type == Principal::USER) {
        true => Ok(()),
        false => Err(ErrorCode::InvalidPrincipalType),
    }
}

impl Waiting {
    pub(super) fn finish(self, context: &Context<'_>, decided: metadata_job::Result) -> Result<Answer, String> {
        let token = match decided {
            Ok(Decided::TokenCreated(Ok(token))) => token,
            Ok(Decided::TokenCreated(Err(error))) => return self.head.encode(&self.refused(error, 0)),
            other => {
                let unnamed = Waiting { owner: Principal::ANONYMOUS, requester: Principal::ANONYMOUS, ..self };
                return self.head.encode(&unnamed.refused(metadata_job::why_not(other), NO_TIMESTAMP));
            }
        };
        let settings = context.shared.config.delegation_tokens.as_ref();
        let hmac = settings.map(|settings| delegation::hmac(&settings.secret_key, &token.token_id));
        let hmac = hmac.map_or_else(Vec::new, |hmac| hmac.expose().to_vec());
        let response = message::Response {
            issue_timestamp_ms: token.issue_timestamp,
            expiry_timestamp_ms: token.expiration_timestamp,
            max_timestamp_ms: token.max_timestamp,
            token_id: token.token_id.as_str().into(),
            hmac: hmac.into(),
            ..self.refused(ErrorCode::None, 0)
        };
        self.head.encode(&response)
    }

    /// The answer but for what a token has.
    fn refused(&self, error: ErrorCode, times: i64) -> message::Response<'static> {
        let Waiting { head, owner, requester } = self;
        let mut response = message::Response {
            error_code: error.code(),
            principal_type: owner.kind().to_string().into(),
            principal_name: owner.name().to_string().into(),
            issue_timestamp_ms: times,
            expiry_timestamp_ms: times,
            max_timestamp_ms: times,
            ..Default::default()
        };
        if head.version >= REQUESTER_SINCE {
            response.token_requester_principal_type = requester.kind().to_string().into();
            response.token_requester_principal_name = requester.name().to_string().into();
        }
        response
    }
}
