//! DescribeUserScramCredentials (key 50), version 0: which users have SCRAM credentials, never the keys (KIP-554).
//!
//! Told as the metadata log has them (`ScramImage.describe`): of all users, or of each that is named. A user without
//! credentials is RESOURCE_NOT_FOUND, one that is named twice is answered once, DUPLICATE_RESOURCE. Users come in the
//! order of their names, which in Kafka have no order.
//!
//! Needs Describe of the cluster. Deviation: Kafka sends no answer to a client that may not and asks for all users.

use std::collections::BTreeMap;

use super::{Outcome, Request, State};
use crate::metadata::Image;
use crate::model::{ErrorCode, Refusal};
use crate::security::access::AclOperation;
use crate::shard::context::Context;
use crate::wire::api::describe_user_scram_credentials::{
    self as message, CredentialInfo, DescribeUserScramCredentialsResult,
};

/// `ScramMechanism`: SCRAM-SHA-256 and SCRAM-SHA-512.
const MECHANISMS: [i8; 2] = [1, 2];

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    if !request.may_cluster(context, AclOperation::Describe) {
        let error_code = ErrorCode::ClusterAuthorizationFailed.code();
        let refused = |_| DescribeUserScramCredentialsResult { error_code, error_message: None, ..Default::default() };
        let results = body.users.iter().flatten().map(refused).collect();
        let response = message::Response { error_code, error_message: None, results, ..Default::default() };
        return request.head.answer(&response);
    }
    let image = &context.view.image;
    // How often each is named.
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    match body.users.as_deref() {
        None | Some([]) => users.extend(image.scram_users().map(|user| (user, 1))),
        Some(named) => named.iter().for_each(|user| *users.entry(&*user.name).or_default() += 1),
    }
    let results = users.into_iter().map(|(user, times)| result(image, user, times)).collect();
    request.head.answer(&message::Response { results, ..Default::default() })
}

fn result<'r>(image: &Image, user: &'r str, times: usize) -> DescribeUserScramCredentialsResult<'r> {
    let described = DescribeUserScramCredentialsResult { user: user.into(), ..Default::default() };
    match credentials(image, user, times) {
        Ok(credential_infos) => DescribeUserScramCredentialsResult { credential_infos, ..described },
        Err(refusal) => DescribeUserScramCredentialsResult {
            error_code: refusal.error.code(),
            error_message: refusal.message.map(Into::into),
            ..described
        },
    }
}

fn credentials(image: &Image, user: &str, times: usize) -> Result<Vec<CredentialInfo>, Refusal> {
    if times > 1 {
        let message = format!("Cannot describe SCRAM credentials for the same user twice in a single request: {user}");
        return Err(Refusal::new(ErrorCode::DuplicateResource, message));
    }
    let known = MECHANISMS.into_iter().filter_map(|mechanism| image.scram_credential(user, mechanism));
    let infos: Vec<_> =
        known.map(|known| CredentialInfo { mechanism: known.mechanism, iterations: known.iterations }).collect();
    if infos.is_empty() {
        let message = format!("Attempt to describe a user credential that does not exist: {user}");
        return Err(Refusal::new(ErrorCode::ResourceNotFound, message));
    }
    Ok(infos)
}
