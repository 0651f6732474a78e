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
mod pair;
mod produce;
mod session;
mod small;
mod versions;

use compat_tests::pair::finish;
use compat_tests::suite::Suite;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

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

fn main() -> ExitCode {
    let pair = Arc::new(Mutex::new(None));
    let mut suite = Suite::new("differential");
    for &(name, script) in SCRIPTS {
        let pair = Arc::clone(&pair);
        suite = suite.plain(name, move || pair::compare(&pair, name, script));
    }
    let shared = Arc::clone(&pair);
    suite = suite.plain("versions", move || versions::compare(&shared));
    suite.at_once(4).finally(move |keep| finish(&pair, &keep.join("differential"))).run()
}
