//! DescribeDelegationToken (key 41), versions 1–3: which tokens there are, with their HMACs (KIP-48).
//!
//! Clients that may not speak of tokens are refused first, as by CreateDelegationToken. A token is told to its owner, its
//! requester and its renewers; to others who may Describe the DelegationToken or DescribeTokens of the User that owns it.
//! `owners` leaves those of which one of these is owner, requester or renewer; an empty list leaves none. Tokens that have
//! expired are told until they are swept. Tokens come in the order of their ids, which in Kafka have none. Versions: 2
//! flexible; 3 who asked for a token beside whose it is (KIP-373).

use std::collections::BTreeSet;

use super::delegation_tokens::{self, parts};
use super::{Outcome, Request, State};
use crate::config::DelegationTokenSettings;
use crate::metadata::DelegationToken;
use crate::model::ErrorCode;
use crate::security::access::{AclOperation, AclResource};
use crate::security::delegation;
use crate::shard::context::Context;
use crate::wire::api::describe_delegation_token::{
    self as message, DescribedDelegationToken, DescribedDelegationTokenRenewer,
};

/// The first version that names the requester beside the owner.
const REQUESTER_SINCE: i16 = 3;

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let refused = |error: ErrorCode| message::Response { error_code: error.code(), ..Default::default() };
    if !delegation_tokens::are_allowed(context, request) {
        return request.head.answer(&refused(ErrorCode::DelegationTokenRequestNotAllowed));
    }
    let Some(settings) = &context.shared.config.delegation_tokens else {
        return request.head.answer(&refused(ErrorCode::DelegationTokenAuthDisabled));
    };
    let owners: Option<BTreeSet<String>> = body.owners.as_deref().map(|owners| {
        let text =
            |one: &message::DescribeDelegationTokenOwner<'_>| format!("{}:{}", one.principal_type, one.principal_name);
        owners.iter().map(text).collect()
    });
    let is_wanted = |token: &DelegationToken| {
        owners.as_ref().is_none_or(|owners| principals(token).any(|one| owners.contains(one)))
    };
    let told = context.view.image.delegation_tokens();
    let told = told.filter(|token| is_wanted(token) && may_see(context, request, token));
    let tokens = told.map(|token| described(token, settings, request.head.version)).collect();
    request.head.answer(&message::Response { tokens, ..Default::default() })
}

/// `TokenInformation.ownerOrRenewer`
fn concerns(token: &DelegationToken, principal: &str) -> bool {
    principals(token).any(|one| one == principal)
}

fn principals(token: &DelegationToken) -> impl Iterator<Item = &String> {
    token.renewers.iter().chain([&token.owner, &token.requester])
}

fn may_see(context: &Context<'_>, request: &Request<'_>, token: &DelegationToken) -> bool {
    concerns(token, request.session.principal.text())
        || request.may(context, AclOperation::Describe, AclResource::DelegationToken, &token.token_id)
        || request.may(context, AclOperation::DescribeTokens, AclResource::User, &token.owner)
}

fn described<'t>(
    token: &'t DelegationToken,
    settings: &DelegationTokenSettings,
    version: i16,
) -> DescribedDelegationToken<'t> {
    let renewer = |principal: &'t String| {
        let (principal_type, principal_name) = parts(principal);
        DescribedDelegationTokenRenewer { principal_type: principal_type.into(), principal_name: principal_name.into() }
    };
    let (owner_type, owner_name) = parts(&token.owner);
    let (requester_type, requester_name) = if version >= REQUESTER_SINCE { parts(&token.requester) } else { ("", "") };
    DescribedDelegationToken {
        principal_type: owner_type.into(),
        principal_name: owner_name.into(),
        token_requester_principal_type: requester_type.into(),
        token_requester_principal_name: requester_name.into(),
        issue_timestamp: token.issue_timestamp,
        expiry_timestamp: token.expiration_timestamp,
        max_timestamp: token.max_timestamp,
        token_id: token.token_id.as_str().into(),
        hmac: delegation::hmac(&settings.secret_key, &token.token_id).expose().to_vec().into(),
        renewers: token.renewers.iter().map(renewer).collect(),
    }
}
