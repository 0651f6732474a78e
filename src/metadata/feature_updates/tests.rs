//! Levels of features: Apache Kafka's sentences for what is refused, records for the rest.

use super::*;
use crate::metadata::tests::{commit, fresh};
use crate::metadata::{METADATA_VERSION_MIN, record};
use crate::model::ErrorCode;
use UpgradeType::*;

const DECIDER: Decider = Decider { node_id: 1, kraft_version: 0, static_min_insync_replicas: 2 };

fn update(name: &str, level: i16, upgrade_type: UpgradeType) -> FeatureUpdate {
    FeatureUpdate { name: name.into(), level, upgrade_type: Some(upgrade_type) }
}

fn refused(message: &str) -> Result<Vec<Record<'static>>, Refusal> {
    Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
}

/// A cluster at this `metadata.version`.
fn cluster(metadata_version: i16) -> Image {
    let mut image = fresh();
    let name = METADATA_VERSION.into();
    commit(&mut image, &[Record::FeatureLevel(record::FeatureLevelRecord { name, feature_level: metadata_version })]);
    image
}

#[test]
fn levels_that_cannot_be_are_refused() {
    let image = cluster(30);
    let safe = "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                downgrade.";
    let lost = "Refusing to perform the requested downgrade because it might delete metadata information.";
    let table = [
        (
            update("group.version", 9, Upgrade),
            "Invalid update version 9 for feature group.version. Local controller 1 only supports versions 0-1",
        ),
        (
            update("metadata.version", 99, Upgrade),
            "Invalid update version 99 for feature metadata.version. Local controller 1 only supports versions 7-33",
        ),
        (
            update("metadata.version", 1, SafeDowngrade),
            "Invalid update version 1 for feature metadata.version. Local controller 1 only supports versions 7-33",
        ),
        (
            update("no.such", 1, Upgrade),
            "Invalid update version 1 for feature no.such. Local controller 1 does not support this feature.",
        ),
        (
            update("transaction.version", 3, Upgrade),
            "Invalid update version 3 for feature transaction.version. Local controller 1 only supports versions 0-2",
        ),
        (
            update("transaction.version", 1, Upgrade),
            &format!("Invalid update version 1 for feature transaction.version. {safe}"),
        ),
        (
            update("share.version", 1, SafeDowngrade),
            "Invalid update version 1 for feature share.version. Local controller 1 does not support this feature.",
        ),
        (
            update("group.version", -1, Upgrade),
            "Invalid update version -1 for feature group.version. A feature version cannot be less than 0.",
        ),
        (update("group.version", 0, Upgrade), &format!("Invalid update version 0 for feature group.version. {safe}")),
        (
            update("metadata.version", 29, Upgrade),
            &format!("Invalid update version 29 for feature metadata.version. {safe}"),
        ),
        (
            update("metadata.version", 29, SafeDowngrade),
            &format!("Unsupported metadata.version downgrade from 30 to 29. {lost}"),
        ),
        (
            update("metadata.version", 29, UnsafeDowngrade),
            "Unsupported metadata.version downgrade from 30 to 29. Unsafe metadata downgrade is not supported in this \
             version.",
        ),
        (
            FeatureUpdate { upgrade_type: None, ..update("group.version", 1, Upgrade) },
            "Invalid update version 1 for feature group.version. The controller does not support the given upgrade type.",
        ),
        (
            update("no.such", 0, SafeDowngrade),
            "Invalid update version 0 for feature no.such. Feature no.such not found.",
        ),
        (
            update("kraft.version", 1, SafeDowngrade),
            "Invalid update version 1 for feature kraft.version. Can't downgrade to a newer version.",
        ),
        (
            update("kraft.version", 1, Upgrade),
            "Invalid upgrade of kraft.version from version KRAFT_VERSION_0 to KRAFT_VERSION_1",
        ),
    ];
    for (asked, message) in table {
        assert_eq!(update_features(&image, DECIDER, std::slice::from_ref(&asked)), refused(message), "{asked:?}");
        // One that may be does not go without the one that may not.
        let both = [update("group.version", 1, Upgrade), asked.clone()];
        assert!(asked.name == "group.version" || update_features(&image, DECIDER, &both).is_err());
    }
    let older = cluster(25);
    let newer = update("metadata.version", 30, SafeDowngrade);
    let message = "Invalid update version 30 for feature metadata.version. Can't downgrade to a newer version.";
    assert_eq!(update_features(&older, DECIDER, &[newer]), refused(message));
    let decider = Decider { kraft_version: 1, ..DECIDER };
    let message = "Invalid update version 0 for feature kraft.version. Can't downgrade the version of this feature.";
    assert_eq!(update_features(&older, decider, &[update("kraft.version", 0, SafeDowngrade)]), refused(message));
}

#[test]
fn levels_are_changed_by_records() {
    let mut image = cluster(25);
    let asked = [update("metadata.version", 30, Upgrade), update("group.version", 1, Upgrade)];
    let records = update_features(&image, DECIDER, &asked).unwrap();
    commit(&mut image, &records);
    assert_eq!((image.metadata_version(), image.feature("group.version")), (30, 1));
    let records = update_features(&image, DECIDER, &[update("group.version", 0, SafeDowngrade)]).unwrap();
    commit(&mut image, &records);
    assert_eq!(image.feature("group.version"), 0);
    // What is not spoken can be turned off, and asked for as it is.
    let asked = [update("share.version", 2, Upgrade), update("streams.version", 0, UnsafeDowngrade)];
    let records = update_features(&image, DECIDER, &asked).unwrap();
    commit(&mut image, &records);
    assert_eq!((image.feature("share.version"), image.feature("streams.version")), (2, 0));
}

/// Every level of `transaction.version` from every other one: down with either kind of downgrade, up or again with an
/// upgrade; none of them depends on another feature, so the oldest `metadata.version` will do.
#[test]
fn transactions_go_to_every_level() {
    let name = "transaction.version";
    let mut image = cluster(METADATA_VERSION_MIN);
    for (from, to) in (0..=2).flat_map(|from| (0..=2).map(move |to| (from, to))) {
        let level = Record::FeatureLevel(record::FeatureLevelRecord { name: name.into(), feature_level: from });
        commit(&mut image, &[level]);
        for (upgrade_type, is_done) in
            [(Upgrade, to >= from), (SafeDowngrade, to <= from), (UnsafeDowngrade, to <= from)]
        {
            let decided = update_features(&image, DECIDER, &[update(name, to, upgrade_type)]);
            let record = record::FeatureLevelRecord { name: name.into(), feature_level: to };
            let expected = is_done.then(|| vec![Record::FeatureLevel(record)]);
            assert_eq!(decided.ok(), expected, "{from} to {to}: {upgrade_type:?}");
        }
    }
}

/// Kafka's levels with changed metadata: a downgrade goes down to the next of them.
#[test]
fn a_downgrade_that_loses_nothing_is_done() {
    for (from, to, is_done) in
        [(29, 23, true), (29, 22, false), (22, 17, true), (17, 16, false), (10, 8, true), (11, 10, false)]
    {
        let mut image = cluster(from);
        match update_features(&image, DECIDER, &[update("metadata.version", to, SafeDowngrade)]) {
            Ok(records) => commit(&mut image, &records),
            Err(_) => assert!(!is_done),
        }
        assert_eq!(image.metadata_version(), if is_done { to } else { from });
    }
}

#[test]
fn eligible_leader_replicas_need_one_value_for_the_cluster() {
    let mut image = cluster(22);
    let elr = |level, upgrade_type| update("eligible.leader.replicas.version", level, upgrade_type);
    let off = update_features(&image, DECIDER, &[elr(0, SafeDowngrade)]).unwrap();
    commit(&mut image, &off);
    let message = "Invalid update version 1 for feature eligible.leader.replicas.version. \
                   eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23";
    assert_eq!(update_features(&image, DECIDER, &[elr(1, Upgrade)]), refused(message));
    // The level that the same request brings is enough.
    let config = |name: &'static str, value: Option<&'static str>| {
        Record::Config(record::ConfigRecord {
            resource_type: ResourceType::Broker as i8,
            resource_name: name.into(),
            name: "min.insync.replicas".into(),
            value: value.map(Into::into),
        })
    };
    commit(&mut image, &[config("", None), config("1", Some("7"))]);
    let records = update_features(&image, DECIDER, &[elr(1, Upgrade), update("metadata.version", 30, Upgrade)]);
    commit(&mut image, &records.unwrap());
    assert_eq!(image.feature("eligible.leader.replicas.version"), 1);
    assert_eq!(image.default_broker_configs().get("min.insync.replicas").map(String::as_str), Some("2"));
    assert!(image.broker_configs(1).is_empty());
}
