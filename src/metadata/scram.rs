//! Decisions about users' SCRAM credentials (`ScramControlManager`, KIP-554).
//!
//! What is kept of a password was derived from it before: a change holds no password.

use super::decision::{Decisions, MAX_RECORDS_PER_REQUEST, Refusal, TOO_MANY};
use super::image::Image;
use super::levels::knows_scram;
use super::record::{Record, RemoveUserScramCredentialRecord, UserScramCredentialRecord};
use crate::model::ErrorCode;
use crate::security::sasl::scram::{Credential, MAX_ITERATIONS, MIN_ITERATIONS, mechanism_hash};
use std::collections::BTreeMap;

/// A credential that a user shall not have any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScramDeletion {
    pub user: String,
    pub mechanism: i8,
}

/// A credential that a user shall have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScramUpsertion {
    pub user: String,
    pub mechanism: i8,
    pub iterations: i32,
    /// `None`: no keys can be made of what the client has sent.
    pub credential: Option<Credential>,
}

/// What became of one user's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScramResult {
    pub user: String,
    pub result: Result<(), Refusal>,
}

/// Changes what may be changed. A user that is named twice, whatever the mechanisms, is left as it was.
pub fn alter_scram_credentials(
    image: &Image,
    deletions: &[ScramDeletion],
    upsertions: &[ScramUpsertion],
) -> Decisions<ScramResult> {
    let mut altered: BTreeMap<&str, Record<'static>> = BTreeMap::new();
    let mut refused: BTreeMap<&str, Refusal> = BTreeMap::new();
    let asked = deletions.iter().map(|one| (one.user.as_str(), delete(image, one)));
    let asked = asked.chain(upsertions.iter().map(|one| (one.user.as_str(), upsert(image, one))));
    for (user, decided) in asked {
        // What was refused stays so, however often it is asked for.
        if refused.contains_key(user) {
            continue;
        }
        let decided = match altered.remove(user) {
            Some(_) => {
                let message = "A user credential cannot be altered twice in the same request";
                Err(Refusal::new(ErrorCode::DuplicateResource, message))
            }
            None if altered.len() == MAX_RECORDS_PER_REQUEST => Err(Refusal::new(ErrorCode::PolicyViolation, TOO_MANY)),
            None => decided,
        };
        match decided {
            Ok(record) => drop(altered.insert(user, record)),
            Err(refusal) => drop(refused.insert(user, refusal)),
        }
    }
    let is_deletion = |record: &Record<'_>| matches!(record, Record::RemoveUserScramCredential(_));
    let (deleted, upserted): (Vec<_>, Vec<_>) = altered.into_iter().partition(|(_, record)| is_deletion(record));
    let mut decisions = Decisions::default();
    for (user, record) in deleted.into_iter().chain(upserted) {
        decisions.records.push(record);
        decisions.results.push(ScramResult { user: user.into(), result: Ok(()) });
    }
    let refused = refused.into_iter().map(|(user, refusal)| ScramResult { user: user.into(), result: Err(refusal) });
    decisions.results.extend(refused);
    assert!(decisions.records.len() <= MAX_RECORDS_PER_REQUEST, "no more users were taken");
    decisions
}

fn delete(image: &Image, ScramDeletion { user, mechanism }: &ScramDeletion) -> Result<Record<'static>, Refusal> {
    check(image, user, *mechanism)?;
    if image.scram_credential(user, *mechanism).is_none() {
        let message = "Attempt to delete a user credential that does not exist";
        return Err(Refusal::new(ErrorCode::ResourceNotFound, message));
    }
    let record = RemoveUserScramCredentialRecord { name: user.clone().into(), mechanism: *mechanism };
    Ok(Record::RemoveUserScramCredential(record))
}

fn upsert(image: &Image, upsertion: &ScramUpsertion) -> Result<Record<'static>, Refusal> {
    let ScramUpsertion { user, mechanism, iterations, credential } = upsertion;
    check(image, user, *mechanism)?;
    let unacceptable = |message: &str| Err(Refusal::new(ErrorCode::UnacceptableCredential, message));
    if *iterations < MIN_ITERATIONS {
        return unacceptable("Too few iterations");
    }
    if *iterations > MAX_ITERATIONS {
        return unacceptable("Too many iterations");
    }
    let Some(credential) = credential else { return Err(Refusal::of(ErrorCode::UnknownServerError)) };
    Ok(scram_record(user, *mechanism, credential))
}

/// `ScramControlManager.validateScramUsernameAndMechanism`, after the level.
fn check(image: &Image, user: &str, mechanism: i8) -> Result<(), Refusal> {
    if !knows_scram(image.metadata_version()) {
        let message = "The current metadata.version does not support SCRAM";
        return Err(Refusal::new(ErrorCode::UnsupportedVersion, message));
    }
    if user.is_empty() {
        return Err(Refusal::new(ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    if mechanism_hash(mechanism).is_none() {
        return Err(Refusal::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"));
    }
    Ok(())
}

/// A user's credential as the metadata log has it.
pub fn scram_record(user: &str, mechanism: i8, credential: &Credential) -> Record<'static> {
    Record::UserScramCredential(UserScramCredentialRecord {
        name: user.to_string().into(),
        mechanism,
        salt: credential.salt.clone().into(),
        stored_key: credential.stored_key.expose().to_vec().into(),
        server_key: credential.server_key.expose().to_vec().into(),
        iterations: credential.iterations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::METADATA_VERSION;
    use crate::metadata::record::FeatureLevelRecord;
    use crate::metadata::tests::{commit, fresh};
    use crate::stdx::secret::Secret;

    fn upsertion(user: &str, mechanism: i8, iterations: i32) -> ScramUpsertion {
        let key = || Secret::new(user);
        let credential = Credential { salt: vec![1], stored_key: key(), server_key: key(), iterations };
        ScramUpsertion { user: user.into(), mechanism, iterations, credential: Some(credential) }
    }

    fn deletion(user: &str, mechanism: i8) -> ScramDeletion {
        ScramDeletion { user: user.into(), mechanism }
    }

    /// User, code and message of each result, and the records' kinds with their users.
    fn shown(decisions: &Decisions<ScramResult>) -> (Vec<String>, Vec<String>) {
        let of_record = |record: &Record<'_>| match record {
            Record::UserScramCredential(r) => format!("+{}/{}", r.name, r.mechanism),
            Record::RemoveUserScramCredential(r) => format!("-{}/{}", r.name, r.mechanism),
            other => panic!("{other:?}"),
        };
        let of_result = |result: &ScramResult| match &result.result {
            Ok(()) => format!("{} done", result.user),
            Err(refusal) => {
                let message = refusal.message.as_deref().unwrap_or("-");
                format!("{} {} {message}", result.user, refusal.error.code())
            }
        };
        (decisions.results.iter().map(of_result).collect(), decisions.records.iter().map(of_record).collect())
    }

    #[test]
    fn credentials_come_and_go() {
        let mut image = fresh();
        let decided = alter_scram_credentials(&image, &[], &[upsertion("bob", 2, 16384), upsertion("al", 1, 4096)]);
        assert_eq!(shown(&decided), (vec!["al done".into(), "bob done".into()], vec!["+al/1".into(), "+bob/2".into()]));
        commit(&mut image, &decided.records);
        assert_eq!(image.scram_credential("bob", 2).unwrap().stored_key, b"bob");
        let decided = alter_scram_credentials(&image, &[deletion("bob", 2)], &[upsertion("al", 2, 5000)]);
        assert_eq!(shown(&decided), (vec!["bob done".into(), "al done".into()], vec!["-bob/2".into(), "+al/2".into()]));
        commit(&mut image, &decided.records);
        assert!(image.scram_credential("bob", 2).is_none());
        assert!(image.scram_credential("al", 1).is_some() && image.scram_credential("al", 2).is_some());
    }

    #[test]
    fn what_cannot_be_done_is_refused_for_its_user_alone() {
        let image = fresh();
        let without_keys = ScramUpsertion { credential: None, ..upsertion("keyless", 1, 4096) };
        let upsertions = [
            upsertion("", 1, 4096),
            upsertion("few", 1, 4095),
            upsertion("many", 2, 16385),
            upsertion("none", 0, 4096),
            upsertion("three", 3, 1),
            without_keys,
            upsertion("fine", 1, 4096),
        ];
        let decided = alter_scram_credentials(&image, &[deletion("gone", 1), deletion("odd", 7)], &upsertions);
        let (results, records) = shown(&decided);
        assert_eq!(records, ["+fine/1"]);
        assert_eq!(
            results,
            [
                "fine done",
                " 93 Username must not be empty",
                "few 93 Too few iterations",
                "gone 91 Attempt to delete a user credential that does not exist",
                "keyless -1 -",
                "many 93 Too many iterations",
                "none 33 Unknown SCRAM mechanism",
                "odd 33 Unknown SCRAM mechanism",
                "three 33 Unknown SCRAM mechanism",
            ]
        );
    }

    #[test]
    fn who_is_named_twice_is_left_alone() {
        let mut image = fresh();
        let first = alter_scram_credentials(&image, &[], &[upsertion("a", 1, 4096)]);
        commit(&mut image, &first.records);
        let twice = "92 A user credential cannot be altered twice in the same request";
        for (deletions, upsertions) in [
            (vec![deletion("a", 1), deletion("a", 1)], vec![]),
            (vec![deletion("a", 1)], vec![upsertion("a", 2, 4096)]),
            (vec![], vec![upsertion("a", 1, 4096), upsertion("a", 2, 4096)]),
            (vec![deletion("a", 1)], vec![upsertion("a", 1, 4096), upsertion("a", 2, 4096)]),
        ] {
            let decided = alter_scram_credentials(&image, &deletions, &upsertions);
            assert_eq!(shown(&decided), (vec![format!("a {twice}")], vec![]));
        }
        // As in Kafka the first refusal stays.
        let decided = alter_scram_credentials(&image, &[], &[upsertion("a", 1, 1), upsertion("a", 1, 4096)]);
        assert_eq!(shown(&decided).0, ["a 93 Too few iterations"]);
    }

    #[test]
    fn an_old_level_has_no_credentials() {
        let mut image = fresh();
        let level = FeatureLevelRecord { name: METADATA_VERSION.into(), feature_level: 10 };
        image.apply(&Record::FeatureLevel(level), image.offset() + 1);
        let decided = alter_scram_credentials(&image, &[deletion("b", 9)], &[upsertion("", 1, 4096)]);
        let said = "35 The current metadata.version does not support SCRAM";
        assert_eq!(shown(&decided), (vec![format!(" {said}"), format!("b {said}")], vec![]));
    }

    #[test]
    fn no_request_makes_more_records_than_a_batch_may_have() {
        let upsertions: Vec<_> = (0..=MAX_RECORDS_PER_REQUEST).map(|n| upsertion(&format!("{n}"), 1, 4096)).collect();
        let decided = alter_scram_credentials(&fresh(), &[], &upsertions);
        assert_eq!((decided.records.len(), decided.results.len()), (MAX_RECORDS_PER_REQUEST, upsertions.len()));
        assert_eq!(decided.results.iter().filter(|one| one.result.is_err()).count(), 1);
    }
}
