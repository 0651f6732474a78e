//! The same scripts against Apache Kafka and Klamm, and what both answered side by side.
//!
//! A script is a file in `scripts/`: one command a line (`commands.rs` says which there are). Each command adds lines to a
//! trace in which everything is named that may differ between two brokers for no reason: producer ids, the time of the run.
//! Where the two traces differ, the test shows the command and both answers, unless `accepted.rs` names the difference with
//! its reason; one that is named there and does not happen is a failure, too. Both brokers are started once and serve all
//! scripts. With `KLAMM_PEER=kafka` Apache Kafka is compared with itself, which shows that the scripts leave nothing to
//! chance.

mod accepted;
mod commands;
mod offsets;
mod pair;
mod produce;
mod session;
mod small;
mod transactions;
mod versions;
mod walk;

use compat_tests::pair::finish;
use compat_tests::suite::Suite;
use std::process::ExitCode;
use std::sync::Arc;

const SCRIPTS: &[(&str, &str)] = &[
    ("list_offsets", include_str!("scripts/list_offsets.txt")),
    ("list_offsets_gaps", include_str!("scripts/list_offsets_gaps.txt")),
    ("produce", include_str!("scripts/produce.txt")),
    ("producers", include_str!("scripts/producers.txt")),
    ("compaction", include_str!("scripts/compaction.txt")),
    ("compaction_tombstones", include_str!("scripts/compaction_tombstones.txt")),
    ("compaction_producers", include_str!("scripts/compaction_producers.txt")),
    ("compaction_lag", include_str!("scripts/compaction_lag.txt")),
    ("retention", include_str!("scripts/retention.txt")),
    ("delete_records", include_str!("scripts/delete_records.txt")),
    ("configs", include_str!("scripts/configs.txt")),
    ("epochs", include_str!("scripts/epochs.txt")),
    ("small_answers", include_str!("scripts/small_answers.txt")),
];

/// Their ids are in the answers to ListTransactions: they have brokers of their own.
const TRANSACTIONS: &[(&str, &str)] = &[
    ("txn_versions", include_str!("scripts/txn_versions.txt")),
    ("txn_ids", include_str!("scripts/txn_ids.txt")),
    ("txn_init", include_str!("scripts/txn_init.txt")),
    ("txn_partitions", include_str!("scripts/txn_partitions.txt")),
    ("txn_produce", include_str!("scripts/txn_produce.txt")),
    ("txn_ends", include_str!("scripts/txn_ends.txt")),
    ("txn_markers", include_str!("scripts/txn_markers.txt")),
    ("txn_offsets", include_str!("scripts/txn_offsets.txt")),
    ("txn_members", include_str!("scripts/txn_members.txt")),
    ("txn_lists", include_str!("scripts/txn_lists.txt")),
    ("txn_timeouts", include_str!("scripts/txn_timeouts.txt")),
    ("txn_readers", include_str!("scripts/txn_readers.txt")),
    ("txn_epochs", include_str!("scripts/txn_epochs.txt")),
];

/// Where the feature `transaction.version` is 0 or 1 it is the broker that is older, whatever version a client's request has.
/// At level 0 no request has the form of version 2: Apache Kafka cannot write its record then, answers UNSUPPORTED_VERSION, and
/// the transactional id hangs in its pending state until the next load. No client sends it, as it knows the level.
const AT_LEVELS: &[(i16, &[(&str, &str)])] = &[(0, &[FIRST]), (1, &[FIRST, INIT, ENDS])];
const FIRST: (&str, &str) = ("first", include_str!("scripts/txn_first.txt"));
const INIT: (&str, &str) = ("init", include_str!("scripts/txn_init.txt"));
const ENDS: (&str, &str) = ("ends", include_str!("scripts/txn_ends.txt"));

fn main() -> ExitCode {
    let brokers = Arc::new(pair::Brokers::told(pair::SETTINGS));
    let mut suite = Suite::new("differential");
    for &(name, script) in SCRIPTS {
        let brokers = Arc::clone(&brokers);
        suite = suite.plain(name, move || pair::compare(&brokers, name, script));
    }
    let shared = Arc::clone(&brokers);
    suite = suite.plain("versions", move || versions::compare(&shared));
    let transactional = Arc::new(pair::Brokers::of_transactions(pair::TRANSACTIONS));
    for &(name, script) in TRANSACTIONS {
        let brokers = Arc::clone(&transactional);
        suite = suite.plain(name, move || pair::compare(&brokers, name, script));
    }
    for (state, _) in walk::STATES {
        let brokers = Arc::clone(&transactional);
        let name: &'static str = Box::leak(format!("txn_walk_{state}").into_boxed_str());
        suite = suite.plain(name, move || pair::compare(&brokers, name, &walk::script(state)));
    }
    for &(level, scripts) in AT_LEVELS {
        suite = at_level(suite, &transactional, level, scripts);
    }
    let end = move |keep: &std::path::Path| {
        finish(&brokers.pair, &keep.join("differential"))?;
        finish(&transactional.pair, &keep.join("transactions"))
    };
    suite.at_once(4).finally(end).run()
}

fn at_level(
    mut suite: Suite,
    transactional: &Arc<pair::Brokers>,
    level: i16,
    scripts: &[(&'static str, &'static str)],
) -> Suite {
    let scripts = scripts.iter().map(|(name, script)| (*name, walk::renamed(script, &format!("-{level}"))));
    let walks = walk::states_at(level).map(|state| (state, walk::script_at(level, state)));
    for (name, script) in scripts.chain(walks) {
        let brokers = Arc::clone(transactional);
        let name: &'static str = Box::leak(format!("txn_tv{level}_{name}").into_boxed_str());
        suite = suite.plain(name, move || pair::compare_at(level, &brokers, name, &script));
    }
    suite
}
