//! Each row of Kafka's decisions about tokens, with times before, at and behind the edge.

use super::*;
use crate::config::Config;
use crate::metadata::change::{Change, decide};
use crate::metadata::record::FeatureLevelRecord;
use crate::metadata::tests::{commit, fresh};
use crate::metadata::{METADATA_VERSION, METADATA_VERSION_LEVEL};
use crate::model::{Offset, Uuid};
use std::time::Duration;

const NOW: i64 = 10_000;
const MAX_LIFETIME_MS: i64 = 1_000;
const EXPIRY_TIME_MS: i64 = 300;

/// The configuration of a cluster that has tokens.
pub(in crate::metadata) fn with_key(config: Config) -> Config {
    let settings = DelegationTokenSettings {
        secret_key: Secret::new("key"),
        max_lifetime_ms: MAX_LIFETIME_MS,
        expiry_time_ms: EXPIRY_TIME_MS,
        check_interval: Duration::ZERO,
    };
    Config { delegation_tokens: Some(settings), ..config }
}

fn user(name: &str) -> Principal {
    Principal::new(Principal::USER, name.to_string())
}

/// A token for alice, that bob asks for and carol may renew.
pub(in crate::metadata) fn of_alice() -> NewDelegationToken {
    let (owner, requester, renewers) = (user("alice"), user("bob"), vec![user("carol")]);
    NewDelegationToken { owner, requester, renewers, max_lifetime_ms: -1 }
}

pub(in crate::metadata) fn period(id: &str, requester: &str, period_ms: i64) -> TokenPeriod {
    let hmac = delegation::hmac(&Secret::new("key"), id);
    TokenPeriod { hmac, requester: user(requester), period_ms }
}

fn token(id: &str, max_timestamp: i64, expiration_timestamp: i64) -> Record<'static> {
    let token = DelegationToken {
        owner: "User:alice".into(),
        requester: "User:bob".into(),
        renewers: vec!["User:carol".into()],
        issue_timestamp: 1,
        max_timestamp,
        expiration_timestamp,
        token_id: id.into(),
        hmac: KnownHmac::default(),
    };
    Record::DelegationToken(token.to_record())
}

/// A token as [`of_alice`] asks for it, that lasts until then.
pub(in crate::metadata) fn until(id: &str, end: i64) -> Record<'static> {
    token(id, end.max(5_000), end)
}

fn ask_of(config: &Config, image: &Image, now: i64, change: Change) -> Decision {
    let (next_offset, now) = (Offset(image.offset() + 1), TimestampMs(now));
    let mut inputs = Inputs { config, kraft_version: 0, next_offset, now, new_id: &mut || Uuid::ONE, stores: None };
    decide(image, &change, &mut inputs)
}

fn ask(image: &Image, now: i64, change: Change) -> Decision {
    ask_of(&with_key(Config::defaults()), image, now, change)
}

/// A fresh cluster with these tokens.
fn with(tokens: &[Record<'static>]) -> Image {
    let mut image = fresh();
    commit(&mut image, tokens);
    image
}

fn refused(decision: &Decision) -> Option<ErrorCode> {
    let error = match &decision.answer {
        Decided::TokenCreated(Err(error)) | Decided::TokenEnds(Err(error)) => Some(*error),
        _ => None,
    };
    assert_eq!(error.is_some(), decision.records.is_empty(), "what is refused changes nothing");
    error
}

fn created(asked_ms: i64, now: i64) -> (i64, i64, i64) {
    let asked = NewDelegationToken { max_lifetime_ms: asked_ms, ..of_alice() };
    let decision = ask(&fresh(), now, Change::CreateDelegationToken(asked));
    let Decided::TokenCreated(Ok(token)) = decision.answer else { panic!() };
    assert_eq!(decision.records, [Record::DelegationToken(token.to_record())]);
    (token.issue_timestamp, token.max_timestamp, token.expiration_timestamp)
}

#[test]
fn a_token_lasts_as_long_as_is_asked_for_and_may_be() {
    for (asked_ms, max, expires) in [
        (-1, 1_000, 300),
        (0, 1_000, 300),
        (1, 1, 1),
        (299, 299, 299),
        (300, 300, 300),
        (301, 301, 300),
        (1_000, 1_000, 300),
        (1_001, 1_000, 300),
        (i64::MAX, 1_000, 300),
    ] {
        assert_eq!(created(asked_ms, NOW), (NOW, NOW + max, NOW + expires), "{asked_ms}");
    }
    assert_eq!(created(-1, i64::MAX - 5), (i64::MAX - 5, i64::MAX, i64::MAX));
}

#[test]
fn a_token_is_kept_as_it_was_asked_for() {
    let mut image = fresh();
    let decision = ask(&image, NOW, Change::CreateDelegationToken(of_alice()));
    commit(&mut image, &decision.records);
    let kept = image.delegation_token("AAAAAAAAAAAAAAAAAAAAAQ").unwrap();
    assert_eq!((kept.owner.as_str(), kept.requester.as_str()), ("User:alice", "User:bob"));
    assert_eq!(kept.renewers, ["User:carol"]);
    assert_eq!(image.delegation_tokens().count(), 1);
}

/// What a renewal, or an end at which a token shall expire, comes to: the error or the end, and whether the token stays.
fn moved(image: &Image, now: i64, change: Change) -> Result<(i64, bool), ErrorCode> {
    let decision = ask(image, now, change);
    if let Some(error) = refused(&decision) {
        return Err(error);
    }
    let Decided::TokenEnds(Ok(end)) = decision.answer else { panic!() };
    let mut after = image.clone();
    commit(&mut after, &decision.records);
    let kept = after.delegation_token("t");
    assert!(kept.is_none_or(|kept| kept.expiration_timestamp == end), "what is told is what is kept");
    // All the rest stays as it was.
    let before = image.delegation_token("t").unwrap();
    assert!(
        kept.is_none_or(|kept| DelegationToken {
            expiration_timestamp: before.expiration_timestamp,
            ..(**kept).clone()
        } == **before)
    );
    Ok((end, kept.is_some()))
}

#[test]
fn a_token_is_renewed_until_its_last_day() {
    let renew = |image: &Image, who: &str, ms| moved(image, NOW, Change::RenewDelegationToken(period("t", who, ms)));
    let image = with(&[token("t", NOW + 500, NOW + 10)]);
    for (asked_ms, end) in [(-1, 300), (0, 300), (1, 1), (299, 299), (300, 300), (301, 300), (i64::MAX, 300)] {
        assert_eq!(renew(&image, "alice", asked_ms), Ok((NOW + end, true)), "{asked_ms}");
    }
    let near = with(&[token("t", NOW + 299, NOW)]);
    assert_eq!(renew(&near, "carol", -1), Ok((NOW + 299, true)));
    let last = with(&[token("t", NOW, NOW)]);
    assert_eq!(renew(&last, "alice", 7), Ok((NOW, true)));
    // Who has asked for it has nothing to say, nor has anyone else; and what has expired says so first.
    for who in ["bob", "dave", ""] {
        assert_eq!(renew(&image, who, -1), Err(ErrorCode::DelegationTokenOwnerMismatch), "{who}");
    }
    for (max, expires) in [(NOW - 1, NOW - 1), (NOW + 9, NOW - 1), (NOW - 1, NOW + 9)] {
        let expired = with(&[token("t", max, expires)]);
        assert_eq!(renew(&expired, "alice", -1), Err(ErrorCode::DelegationTokenExpired));
        assert_eq!(renew(&expired, "dave", -1), Err(ErrorCode::DelegationTokenExpired));
    }
    assert_eq!(renew(&with(&[token("other", NOW, NOW)]), "alice", -1), Err(ErrorCode::DelegationTokenNotFound));
    // Kafka would wrap around.
    let forever = Config::defaults();
    let mut forever = with_key(forever);
    if let Some(settings) = &mut forever.delegation_tokens {
        settings.expiry_time_ms = i64::MAX;
    }
    let decision = ask_of(&forever, &image, NOW, Change::RenewDelegationToken(period("t", "alice", -1)));
    assert_eq!(decision.answer, Decided::TokenEnds(Ok(NOW + 500)));
}

#[test]
fn a_token_expires_when_it_is_told_to() {
    let expire = |image: &Image, who: &str, ms| moved(image, NOW, Change::ExpireDelegationToken(period("t", who, ms)));
    let image = with(&[token("t", NOW + 500, NOW + 10)]);
    // Later than it would be is as good.
    for (asked_ms, end) in [(0, 0), (1, 1), (499, 499), (500, 500), (501, 500), (i64::MAX, 500)] {
        assert_eq!(expire(&image, "alice", asked_ms), Ok((NOW + end, true)), "{asked_ms}");
    }
    for ms in [-1, i64::MIN] {
        assert_eq!(expire(&image, "carol", ms), Ok((NOW, false)));
    }
    for (max, expires) in [(NOW - 1, NOW - 1), (NOW + 9, NOW - 1), (NOW - 1, NOW + 9)] {
        let expired = with(&[token("t", max, expires)]);
        assert_eq!(expire(&expired, "alice", 5), Err(ErrorCode::DelegationTokenExpired));
        assert_eq!(expire(&expired, "dave", 5), Err(ErrorCode::DelegationTokenOwnerMismatch));
        assert_eq!(expire(&expired, "alice", -1), Ok((NOW, false)));
    }
    assert_eq!(expire(&with(&[token("t", NOW, NOW)]), "alice", 5), Ok((NOW, true)));
    assert_eq!(expire(&image, "bob", -1), Err(ErrorCode::DelegationTokenOwnerMismatch));
    assert_eq!(expire(&with(&[]), "alice", -1), Err(ErrorCode::DelegationTokenNotFound));
}

/// Nothing but the whole HMAC names a token.
#[test]
fn no_part_of_an_hmac_will_do() {
    let image = with(&[token("t", NOW, NOW), token("u", NOW, NOW)]);
    let whole = delegation::hmac(&Secret::new("key"), "t").expose().to_vec();
    let mut last = whole.clone();
    last[63] ^= 1;
    let other_key = delegation::hmac(&Secret::new("kez"), "t").expose().to_vec();
    let with_more = [&whole[..], b"x"].concat();
    for hmac in [&[][..], b"t", &whole[..63], &whole[1..], &last, &other_key, &with_more] {
        let asked = TokenPeriod { hmac: Secret::new(hmac), requester: user("alice"), period_ms: -1 };
        let decision = ask(&image, NOW, Change::ExpireDelegationToken(asked));
        assert_eq!(refused(&decision), Some(ErrorCode::DelegationTokenNotFound), "{hmac:?}");
    }
}

fn all_changes() -> [Change; 3] {
    [
        Change::CreateDelegationToken(of_alice()),
        Change::RenewDelegationToken(period("t", "alice", -1)),
        Change::ExpireDelegationToken(period("t", "alice", -1)),
    ]
}

#[test]
fn without_a_key_there_are_no_tokens_and_before_a_level_neither() {
    let level = |level| FeatureLevelRecord { name: METADATA_VERSION.into(), feature_level: level };
    let at_level = |feature_level| {
        let mut image = with(&[token("t", NOW, NOW)]);
        image.apply(&Record::FeatureLevel(level(feature_level)), image.offset() + 1);
        image
    };
    for change in all_changes() {
        let decision = ask_of(&Config::defaults(), &at_level(METADATA_VERSION_LEVEL), NOW, change.clone());
        assert_eq!(refused(&decision), Some(ErrorCode::DelegationTokenAuthDisabled));
        assert_eq!(
            refused(&ask_of(&Config::defaults(), &at_level(13), NOW, change.clone())),
            Some(ErrorCode::DelegationTokenAuthDisabled)
        );
        assert_eq!(refused(&ask(&at_level(13), NOW, change.clone())), Some(ErrorCode::UnsupportedVersion));
        assert_eq!(refused(&ask(&at_level(14), NOW, change)), None);
    }
}

/// Also of a token that was given another end.
#[test]
fn the_hmac_of_a_token_is_computed_once() {
    let mut image = with(&[token("a", NOW + 500, NOW + 10), token("t", NOW + 500, NOW + 10)]);
    let decision = ask(&image, NOW, Change::RenewDelegationToken(period("t", "alice", -1)));
    assert_eq!(decision.records.len(), 1);
    commit(&mut image, &decision.records);
    for id in ["a", "t"] {
        let known = image.delegation_token(id).unwrap().hmac.get(|| panic!("it is known"));
        assert_eq!(*known, delegation::hmac(&Secret::new("key"), id));
    }
}

#[test]
fn the_sweep_takes_what_has_expired_and_nothing_else() {
    let mut image = with(&[
        token("alive", NOW, NOW),
        token("ended", NOW + 9, NOW - 1),
        token("over", NOW - 1, NOW + 9),
        token("renewed", NOW + 9, NOW - 1),
    ]);
    let renewed = token("renewed", NOW + 9, NOW);
    commit(&mut image, &[renewed]);
    let decision = ask(&image, NOW, Change::SweepDelegationTokens);
    commit(&mut image, &decision.records);
    let left: Vec<_> = image.delegation_tokens().map(|token| token.token_id.as_str()).collect();
    assert_eq!(left, ["alive", "renewed"]);
    assert_eq!(ask(&image, NOW, Change::SweepDelegationTokens).records, []);
    let decision = ask(&image, NOW + 1, Change::SweepDelegationTokens);
    assert_eq!(decision.records.len(), 2);
}

#[test]
fn a_sweep_takes_so_many_at_a_time() {
    let tokens: Vec<_> = (0..2 * MAX_SWEPT + 1).map(|n| token(&format!("{n}"), 1, 1)).collect();
    let mut image = with(&tokens);
    for expected in [MAX_SWEPT, MAX_SWEPT, 1, 0] {
        let decision = ask(&image, NOW, Change::SweepDelegationTokens);
        assert_eq!(decision.records.len(), expected);
        commit(&mut image, &decision.records);
    }
}

#[test]
fn a_change_shows_no_hmac() {
    for change in all_changes() {
        let shown = format!("{change:?}");
        assert!(!shown.contains("hmac") || shown.contains("hmac: [hidden]"), "{shown}");
    }
}
