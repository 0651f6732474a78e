//! What both brokers say that they speak: the versions of each API and the features, from their answers to ApiVersions.
//!
//! A range of Klamm's lies within Apache Kafka's. Where the two differ, [`ACCEPTED`] names the API or the feature with the
//! reason; a name there without a difference is a failure, too.

use crate::pair::Brokers;
use compat_tests::broker::{self, Peer};
use compat_tests::pair::{self, Place};
use compat_tests::raw::Raw;
use compat_tests::{Context, Result, bail, ensure};
use kafka_protocol::messages::api_versions_response::FinalizedFeatureKey;
use std::collections::BTreeMap;

/// The first version that tells of features from level 0 on.
const FEATURES_FROM_ZERO: i16 = 4;

/// What differs and why.
const ACCEPTED: &[(&[&str], &str)] = &[
    (
        &[
            "API 76",
            "API 77",
            "API 78",
            "API 79",
            "API 83",
            "API 84",
            "API 85",
            "API 86",
            "API 87",
            "API 90",
            "API 91",
            "API 92",
            "share.version",
        ],
        "share groups are not built yet, and no client must take to them",
    ),
    (&["API 80", "API 81", "API 94"], "a broker is its own controller until the cluster is built"),
    (
        &["API 88", "API 89", "API 93", "streams.version"],
        "streams groups are not built yet, and no client must take to them",
    ),
];

/// Lowest and highest.
type Range = (i16, i16);

/// One broker's answer.
#[derive(Debug)]
struct Spoken {
    /// By `API KEY` or by the feature's name.
    ranges: BTreeMap<String, Range>,
    finalized: BTreeMap<String, Range>,
}

fn ask(place: &Place) -> Result<Spoken> {
    let answer = Raw::connect(place.port)?.api_versions_in(FEATURES_FROM_ZERO)?;
    let apis = answer.api_keys.iter().map(|api| (format!("API {}", api.api_key), (api.min_version, api.max_version)));
    let features = answer.supported_features.iter().map(|f| (f.name.to_string(), (f.min_version, f.max_version)));
    let levels = |f: &FinalizedFeatureKey| (f.min_version_level, f.max_version_level);
    let finalized = answer.finalized_features.iter().map(|f| (f.name.to_string(), levels(f)));
    Ok(Spoken { ranges: apis.chain(features).collect(), finalized: finalized.collect() })
}

pub fn compare(brokers: &Brokers) -> Result<()> {
    let [reference, subject] = pair::places(&brokers.pair, brokers.settings)?;
    let (theirs, ours) = (ask(&reference).context("Apache Kafka")?, ask(&subject).context("the broker under test")?);
    ensure!(theirs.ranges.len() > 60 && theirs.finalized.len() > 3, "Apache Kafka says little: {theirs:?}");
    let mut found: Vec<String> = outside(&theirs.ranges, &ours.ranges);
    found.extend(outside(&theirs.finalized, &ours.finalized));
    let mut differing = differences(&theirs.ranges, &ours.ranges);
    differing.extend(differences(&theirs.finalized, &ours.finalized));
    let is_accepted = |name: &str| ACCEPTED.iter().any(|(names, _)| names.contains(&name));
    let is_peer = broker::peer() == Peer::Klamm;
    found.extend(differing.iter().filter(|(name, _)| !is_peer || !is_accepted(name)).map(|(_, text)| text.clone()));
    for (names, reason) in ACCEPTED.iter().filter(|_| is_peer) {
        let unmet = names.iter().filter(|name| !differing.contains_key(**name));
        found.extend(unmet.map(|name| format!("no difference any more at {name} ({reason})")));
    }
    if !found.is_empty() {
        bail!("{} differences\n{}", found.len(), found.join("\n"));
    }
    Ok(())
}

/// What Klamm would do that Apache Kafka does not: no reason is good enough for it.
fn outside(theirs: &BTreeMap<String, Range>, ours: &BTreeMap<String, Range>) -> Vec<String> {
    let is_within = |name: &str, range: &Range| theirs.get(name).is_some_and(|t| t.0 <= range.0 && range.1 <= t.1);
    let outside = ours.iter().filter(|(name, range)| !is_within(name, range));
    outside.map(|(name, range)| format!("{name}: {range:?} is not within {:?}", theirs.get(name))).collect()
}

/// Each name with different ranges, and how it is shown.
fn differences(theirs: &BTreeMap<String, Range>, ours: &BTreeMap<String, Range>) -> BTreeMap<String, String> {
    let differing = theirs.iter().filter(|(name, range)| ours.get(*name) != Some(*range));
    differing.map(|(name, range)| (name.clone(), format!("{name}: {range:?} and {:?}", ours.get(name)))).collect()
}
