//! CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken and DescribeDelegationToken of clients that have logged
//! in: whom they answer what, in Kafka's order of checks.

use super::versions::versions;
use crate::handlers::testing::{Broker, NOW};
use crate::metadata::Record;
use crate::metadata::record::DelegationTokenRecord;
use crate::model::ApiKey;
use crate::security::access::AclOperation::{CreateTokens, Describe, DescribeTokens};
use crate::security::access::AclResource::{DelegationToken, User};
use crate::security::delegation;
use crate::security::principal::Principal;
use crate::stdx::secret::Secret;
use crate::wire::api::{
    create_delegation_token as create, describe_delegation_token as describe, expire_delegation_token as expire,
    renew_delegation_token as renew,
};

const DISABLED: i16 = 61;
const NOT_FOUND: i16 = 62;
const MISMATCH: i16 = 63;
const NOT_ALLOWED: i16 = 64;
const REFUSED: i16 = 65;
const EXPIRED: i16 = 66;
const WRONG_TYPE: i16 = 67;
const DAY_MS: i64 = 86_400_000;

/// A listener that asks for logins.
pub(super) const SASL: &[(&str, &str)] = &[
    ("listener.security.protocol.map", "PLAINTEXT:SASL_PLAINTEXT"),
    ("sasl.enabled.mechanisms", "SCRAM-SHA-256"),
    ("sasl.mechanism.inter.broker.protocol", "SCRAM-SHA-256"),
    (
        "listener.name.plaintext.scram-sha-256.sasl.jaas.config",
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ),
];
pub(super) const KEY: (&str, &str) = ("delegation.token.secret.key", "key");

/// A guarded broker with tokens, on which alice has logged in.
fn start() -> Broker {
    Broker::guarded(&[SASL, &[KEY]].concat())
}

fn become_user(broker: &mut Broker, name: &'static str) {
    broker.session.principal = Principal::new(Principal::USER, name);
}

fn asked(owner: Option<&'static str>, renewers: &[(&'static str, &'static str)]) -> create::Request<'static> {
    let renewer = |(kind, name): &(&'static str, &'static str)| create::CreatableRenewers {
        principal_type: (*kind).into(),
        principal_name: (*name).into(),
    };
    // Before version 3 none is named.
    let owner = owner.unwrap_or_default();
    create::Request {
        owner_principal_type: Some(if owner.is_empty() { "" } else { "User" }.into()),
        owner_principal_name: Some(owner.into()),
        renewers: renewers.iter().map(renewer).collect(),
        max_lifetime_ms: -1,
    }
}

fn create(broker: &mut Broker, request: &create::Request<'static>) -> create::Response<'static> {
    broker.ask(ApiKey::CreateDelegationToken, 3, request)
}

fn renew(broker: &mut Broker, hmac: &[u8], renew_period_ms: i64) -> (i16, i64) {
    let request = renew::Request { hmac: hmac.to_vec().into(), renew_period_ms };
    let response: renew::Response = broker.ask(ApiKey::RenewDelegationToken, 2, &request);
    (response.error_code, response.expiry_timestamp_ms)
}

fn expire(broker: &mut Broker, hmac: &[u8], expiry_time_period_ms: i64) -> (i16, i64) {
    let request = expire::Request { hmac: hmac.to_vec().into(), expiry_time_period_ms };
    let response: expire::Response = broker.ask(ApiKey::ExpireDelegationToken, 2, &request);
    (response.error_code, response.expiry_timestamp_ms)
}

fn describe(broker: &mut Broker, owners: Option<&[&'static str]>) -> describe::Response<'static> {
    let owner = |name: &&'static str| describe::DescribeDelegationTokenOwner {
        principal_type: "User".into(),
        principal_name: (*name).into(),
    };
    let request = describe::Request { owners: owners.map(|owners| owners.iter().map(owner).collect()) };
    broker.ask(ApiKey::DescribeDelegationToken, 3, &request)
}

/// The owners of the tokens that a client is told.
fn seen(broker: &mut Broker, owners: Option<&[&'static str]>) -> Vec<String> {
    let response = describe(broker, owners);
    assert_eq!(response.error_code, 0);
    let mut owners: Vec<_> = response.tokens.iter().map(|token| token.principal_name.to_string()).collect();
    owners.sort();
    owners
}

#[test]
fn a_token_is_made_told_moved_and_ended() {
    let mut broker = start();
    for version in versions(ApiKey::CreateDelegationToken) {
        let request = asked(None, &[("User", "carol")]);
        let made: create::Response = broker.ask(ApiKey::CreateDelegationToken, version, &request);
        assert_eq!((made.error_code, &*made.principal_type, &*made.principal_name), (0, "User", "alice"));
        let requester = (&*made.token_requester_principal_type, &*made.token_requester_principal_name);
        assert_eq!(requester, if version < 3 { ("", "") } else { ("User", "alice") });
        let times = (made.issue_timestamp_ms, made.expiry_timestamp_ms, made.max_timestamp_ms);
        assert_eq!(times, (NOW.0, NOW.0 + DAY_MS, NOW.0 + 7 * DAY_MS));
        assert_eq!(*made.hmac, *delegation::hmac(&Secret::new("key"), &made.token_id).expose());
        let told: describe::Response =
            broker.ask(ApiKey::DescribeDelegationToken, version, &describe::Request { owners: None });
        let token = &told.tokens[0];
        assert_eq!((&token.token_id, &token.hmac), (&made.token_id, &made.hmac));
        assert_eq!((token.issue_timestamp, token.expiry_timestamp, token.max_timestamp), times);
        assert_eq!((&*token.principal_type, &*token.principal_name), ("User", "alice"));
        let requester = (&*token.token_requester_principal_type, &*token.token_requester_principal_name);
        assert_eq!(requester, if version < 3 { ("", "") } else { ("User", "alice") });
        let renewer =
            describe::DescribedDelegationTokenRenewer { principal_type: "User".into(), principal_name: "carol".into() };
        assert_eq!(token.renewers, [renewer]);
        assert_eq!(renew(&mut broker, &made.hmac, 1000), (0, NOW.0 + 1000));
        assert_eq!(expire(&mut broker, &made.hmac, 2000), (0, NOW.0 + 2000));
        assert_eq!(expire(&mut broker, &made.hmac, -1), (0, NOW.0));
        assert_eq!(renew(&mut broker, &made.hmac, 1000), (NOT_FOUND, 0));
        assert_eq!(expire(&mut broker, &made.hmac, -1), (NOT_FOUND, 0));
        assert_eq!(seen(&mut broker, None), [""; 0]);
    }
}

/// The owner and the requester of an answer, its code and its issue time.
fn told(response: &create::Response<'_>) -> (String, String, i16, i64) {
    let owner = format!("{}:{}", response.principal_type, response.principal_name);
    let requester = format!("{}:{}", response.token_requester_principal_type, response.token_requester_principal_name);
    assert!(response.error_code == 0 || response.hmac.is_empty() && response.token_id.is_empty());
    (owner, requester, response.error_code, response.issue_timestamp_ms)
}

#[test]
fn what_is_refused_first_is_kafkas_order() {
    let wrong = asked(Some("bob"), &[("User", "a"), ("Group", "b")]);
    let of = |owner: &str, code, time| (format!("User:{owner}"), "User:alice".to_string(), code, time);
    // Without a key.
    let mut broker = Broker::guarded(SASL);
    assert_eq!(told(&create(&mut broker, &wrong)), of("bob", REFUSED, -1));
    broker.allow(CreateTokens, User, "User:bob");
    assert_eq!(told(&create(&mut broker, &wrong)), of("bob", WRONG_TYPE, -1));
    assert_eq!(told(&create(&mut broker, &asked(Some("bob"), &[]))), of("bob", DISABLED, 0));
    assert_eq!(told(&create(&mut broker, &asked(None, &[]))), of("alice", DISABLED, 0));
    assert_eq!((renew(&mut broker, b"x", 1), expire(&mut broker, b"x", 1)), ((DISABLED, 0), (DISABLED, 0)));
    assert_eq!(describe(&mut broker, Some(&[])).error_code, DISABLED);
    // By a token, whatever else it may.
    broker.session.by_delegation_token = true;
    assert_eq!(told(&create(&mut broker, &wrong)), of("bob", NOT_ALLOWED, -1));
    assert_eq!((renew(&mut broker, b"x", 1), expire(&mut broker, b"x", 1)), ((NOT_ALLOWED, -1), (NOT_ALLOWED, -1)));
    assert_eq!(describe(&mut broker, None).error_code, NOT_ALLOWED);
    // Kafka has no principal without a type.
    let untyped = create::Request { owner_principal_type: None, ..wrong.clone() };
    let unnamed = create::Request { owner_principal_type: None, owner_principal_name: None, ..wrong };
    assert_eq!(told(&create(&mut broker, &unnamed)).2, NOT_ALLOWED);
    let anonymous = "User:ANONYMOUS".to_string();
    assert_eq!(told(&create(&mut broker, &untyped)), (anonymous.clone(), anonymous, -1, -1));
}

#[test]
fn a_session_by_a_token_makes_no_token_and_sees_none() {
    let mut broker = start();
    let hmac = create(&mut broker, &asked(None, &[])).hmac.to_vec();
    broker.session.by_delegation_token = true;
    assert_eq!(create(&mut broker, &asked(None, &[])).error_code, NOT_ALLOWED);
    assert_eq!((renew(&mut broker, &hmac, 1), expire(&mut broker, &hmac, -1)), ((NOT_ALLOWED, -1), (NOT_ALLOWED, -1)));
    let told = describe(&mut broker, None);
    assert_eq!((told.error_code, told.tokens.len()), (NOT_ALLOWED, 0));
    broker.session.by_delegation_token = false;
    assert_eq!(seen(&mut broker, None), ["alice"]);
}

#[test]
fn a_token_for_another_user_needs_a_right_and_stays_hers() {
    let mut broker = start();
    assert_eq!(create(&mut broker, &asked(Some("bob"), &[])).error_code, REFUSED);
    // For oneself by name nothing is needed, and an empty name is one's own.
    assert_eq!(create(&mut broker, &asked(Some("alice"), &[])).error_code, 0);
    assert_eq!(&*create(&mut broker, &asked(Some(""), &[])).principal_name, "alice");
    broker.allow(CreateTokens, User, "User:bob");
    let made = create(&mut broker, &asked(Some("bob"), &[]));
    assert_eq!(told(&made), ("User:bob".into(), "User:alice".into(), 0, NOW.0));
    assert_eq!(seen(&mut broker, Some(&["bob"])), ["bob"]);
    // Its requester does not move its end.
    assert_eq!(
        (renew(&mut broker, &made.hmac, 1), expire(&mut broker, &made.hmac, -1)),
        ((MISMATCH, 0), (MISMATCH, 0))
    );
    become_user(&mut broker, "bob");
    assert_eq!(renew(&mut broker, &made.hmac, 1), (0, NOW.0 + 1));
    assert_eq!(seen(&mut broker, None), ["bob"]);
    let group = create::Request { owner_principal_type: Some("Group".into()), ..asked(Some("bob"), &[]) };
    assert_eq!(create(&mut broker, &group).error_code, REFUSED);
}

#[test]
fn tokens_are_told_to_those_they_concern_and_to_those_who_may_know() {
    let mut broker = start();
    let mine = create(&mut broker, &asked(None, &[("User", "carol")]));
    become_user(&mut broker, "bob");
    create(&mut broker, &asked(None, &[]));
    assert_eq!(seen(&mut broker, None), ["bob"]);
    become_user(&mut broker, "carol");
    assert_eq!(seen(&mut broker, None), ["alice"]);
    become_user(&mut broker, "dave");
    assert_eq!(seen(&mut broker, None), [""; 0]);
    broker.allow(Describe, DelegationToken, &mine.token_id);
    assert_eq!(seen(&mut broker, None), ["alice"]);
    broker.allow(DescribeTokens, User, "User:bob");
    assert_eq!(seen(&mut broker, None), ["alice", "bob"]);
    for (owners, expected) in [
        (&["bob"][..], &["bob"][..]),
        (&["carol"], &["alice"]),
        (&["alice", "bob", "alice"], &["alice", "bob"]),
        (&["dave"], &[]),
        (&[], &[]),
    ] {
        assert_eq!(seen(&mut broker, Some(owners)), expected, "{owners:?}");
    }
}

/// What the metadata log holds may have been written by others, and may have expired.
#[test]
fn tokens_of_the_metadata_log_are_told_until_they_are_swept() {
    let mut broker = start();
    let record = DelegationTokenRecord {
        owner: "User:al:ice".into(),
        requester: "odd".into(),
        renewers: vec!["User:alice".into()],
        issue_timestamp: 1,
        max_timestamp: 2,
        expiration_timestamp: 2,
        token_id: "id".into(),
    };
    broker.commit(vec![Record::DelegationToken(record)]);
    let told = describe(&mut broker, None);
    let token = &told.tokens[0];
    assert_eq!((&*token.principal_type, &*token.principal_name), ("User", "al:ice"));
    let requester = (&*token.token_requester_principal_type, &*token.token_requester_principal_name);
    assert_eq!(requester, ("", "odd"));
    let hmac = delegation::hmac(&Secret::new("key"), "id");
    assert_eq!(
        (renew(&mut broker, hmac.expose(), 9), expire(&mut broker, hmac.expose(), 9)),
        ((EXPIRED, 0), (EXPIRED, 0))
    );
    broker.sweep_tokens();
    assert_eq!(seen(&mut broker, None), [""; 0]);
}
