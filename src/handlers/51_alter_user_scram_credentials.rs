//! AlterUserScramCredentials (key 51), version 0: users get SCRAM credentials, or lose them (KIP-554).
//!
//! Decided by `metadata::alter_scram_credentials` (`ScramControlManager`), each user alone. The client has salted the
//! password; what is kept of it is made here, so that it goes no further. Deviation: users come in the order of their names,
//! which in Kafka have no order.

use std::collections::BTreeSet;

use super::metadata_job::{self, Finish};
use super::{Answer, Head, Outcome, Request, State, code_and_message};
use crate::metadata::{Change, Decided, ScramDeletion, ScramResult, ScramUpsertion};
use crate::model::Refusal;
use crate::security::access::AclOperation;
use crate::security::sasl::scram::{Credential, mechanism_hash};
use crate::shard::context::Context;
use crate::wire::api::alter_user_scram_credentials::{
    self as message, AlterUserScramCredentialsResult, ScramCredentialDeletion, ScramCredentialUpsertion,
};

/// The message names no time: as long as a client waits by its defaults.
const TIMEOUT_MS: i32 = 30_000;

/// What the answer needs.
pub(super) struct Waiting {
    head: Head,
    users: BTreeSet<String>,
}

pub(super) fn handle(_: &mut State, context: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let body: message::Request = match request.decode() {
        Ok(body) => body,
        Err(early) => return early,
    };
    let named = body.deletions.iter().map(|one| &one.name).chain(body.upsertions.iter().map(|one| &one.name));
    let users = named.map(|user| user.to_string()).collect();
    if let Err(refusal) = request.must_cluster(context, AclOperation::Alter) {
        return request.head.answer(&response(refuse_all(users, refusal)));
    }
    let change = Change::AlterUserScramCredentials {
        deletions: body.deletions.iter().map(deletion).collect(),
        upsertions: body.upsertions.iter().map(upsertion).collect(),
    };
    let finish = Finish::AlterScram(Waiting { head: request.head, users });
    metadata_job::submit(context, TIMEOUT_MS, change, finish)
}

impl Waiting {
    pub(super) fn finish(self, decided: metadata_job::Result) -> Result<Answer, String> {
        let results = match decided {
            Ok(Decided::ScramAltered(results)) => results,
            other => refuse_all(self.users, Refusal::of(metadata_job::why_not(other))),
        };
        self.head.encode(&response(results))
    }
}

fn deletion(deletion: &ScramCredentialDeletion<'_>) -> ScramDeletion {
    ScramDeletion { user: deletion.name.to_string(), mechanism: deletion.mechanism }
}

fn upsertion(upsertion: &ScramCredentialUpsertion<'_>) -> ScramUpsertion {
    let ScramCredentialUpsertion { mechanism, iterations, .. } = *upsertion;
    // Java has no empty keys.
    let hash = mechanism_hash(mechanism).filter(|_| !upsertion.salted_password.is_empty());
    let keys =
        |hash| Credential::of_salted(hash, &upsertion.salted_password, upsertion.salt.to_vec(), upsertion.iterations);
    ScramUpsertion { user: upsertion.name.to_string(), mechanism, iterations, credential: hash.map(keys) }
}

fn refuse_all(users: BTreeSet<String>, refusal: Refusal) -> Vec<ScramResult> {
    users.into_iter().map(|user| ScramResult { user, result: Err(refusal.clone()) }).collect()
}

fn response(results: Vec<ScramResult>) -> message::Response<'static> {
    let result = |one: ScramResult| {
        let (error_code, error_message) = code_and_message(&one.result);
        AlterUserScramCredentialsResult { user: one.user.into(), error_code, error_message }
    };
    message::Response { results: results.into_iter().map(result).collect(), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Broker;
    use super::*;
    use crate::config::AuthorizerSettings;
    use crate::model::ApiKey;
    use crate::security::crypto::Hash;
    use crate::security::principal::Principal;
    use crate::wire::api::describe_user_scram_credentials as describe;

    fn request() -> message::Request<'static> {
        let salted_password = Hash::Sha256.hmac(b"any", b"bytes");
        let upsertion = |name: &'static str, mechanism, salted_password: Vec<u8>| ScramCredentialUpsertion {
            name: name.into(),
            mechanism,
            iterations: 8192,
            salt: b"salt".to_vec().into(),
            salted_password: salted_password.into(),
        };
        message::Request {
            deletions: vec![ScramCredentialDeletion { name: "gone".into(), mechanism: 1 }],
            upsertions: vec![
                upsertion("zoe", 1, salted_password.clone()),
                upsertion("alice", 2, salted_password.clone()),
                upsertion("empty", 1, Vec::new()),
                upsertion("odd", 5, salted_password),
            ],
        }
    }

    fn told(response: &message::Response<'_>) -> Vec<(String, i16)> {
        response.results.iter().map(|one| (one.user.to_string(), one.error_code)).collect()
    }

    #[test]
    fn credentials_are_kept_as_keys_and_told_by_describe() {
        let mut broker = Broker::start(&[]);
        let response: message::Response<'_> = broker.ask(ApiKey::AlterUserScramCredentials, 0, &request());
        let of = |user: &str, code| (user.to_string(), code);
        assert_eq!(told(&response), [of("alice", 0), of("zoe", 0), of("empty", -1), of("gone", 91), of("odd", 33)]);
        let view = broker.view();
        let kept = view.image.scram_credential("zoe", 1).unwrap();
        let salted = Hash::Sha256.hmac(b"any", b"bytes");
        let expected = Credential::of_salted(Hash::Sha256, &salted, b"salt".to_vec(), 8192);
        assert_eq!((&*kept.salt, kept.iterations), (&b"salt"[..], 8192));
        assert_eq!(
            (&*kept.stored_key, &*kept.server_key),
            (expected.stored_key.expose(), expected.server_key.expose())
        );
        assert_eq!(view.image.scram_credential("alice", 2).unwrap().stored_key.len(), 64);
        let described: describe::Response<'_> =
            broker.ask(ApiKey::DescribeUserScramCredentials, 0, &describe::Request::default());
        let users: Vec<_> = described.results.iter().map(|one| one.user.to_string()).collect();
        assert_eq!(users, ["alice", "zoe"]);
    }

    #[test]
    fn who_may_not_alter_the_cluster_alters_none() {
        let super_users = vec!["User:admin".to_string()];
        let settings = AuthorizerSettings { super_users, allow_everyone_if_no_acl_found: false };
        let mut broker = Broker::start_with(&[], Some(settings));
        let denied: message::Response<'_> = broker.ask(ApiKey::AlterUserScramCredentials, 0, &request());
        let users = ["alice", "empty", "gone", "odd", "zoe"].map(|user| (user.to_string(), 31));
        assert_eq!(told(&denied), users);
        assert_eq!(denied.results[0].error_message.as_deref(), Some("The request needs ALTER permission."));
        assert!(broker.view().image.scram_users().next().is_none());
        broker.session.principal = Principal::new(Principal::USER, "admin");
        let done: message::Response<'_> = broker.ask(ApiKey::AlterUserScramCredentials, 0, &request());
        assert_eq!(told(&done)[0], ("alice".to_string(), 0));
    }
}
