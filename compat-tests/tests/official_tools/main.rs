//! The official command line tools before Apache Kafka and Klamm: the same calls, and what both printed side by side.
//!
//! A script is a file in `scripts/`: one call a line (`script.rs` says how they are written). All scripts run in the order
//! below on one broker of each kind, and all tools of a broker in one JVM (`clients/java/OfficialTools.java`), but for those
//! that need one of their own. What must differ between two brokers is masked (`mask.rs`); where the rest differs, the test
//! shows the call and both outputs, unless `accepted.rs` names the difference with its reason. One that is named there and
//! does not happen is a failure, too. With `KLAMM_PEER=kafka` Apache Kafka is compared with itself, which shows that the
//! scripts leave nothing to chance. The table in README.md is made from the result (`UPDATE=1`) or compared with it.

mod accepted;
mod judge;
mod mask;
mod runner;
mod script;
mod table;
mod transactions;

use compat_tests::suite::Suite;
use judge::Shared;
use std::process::ExitCode;
use std::sync::Arc;

pub const SCRIPTS: &[(&str, &str)] = &[
    ("cluster", include_str!("scripts/cluster.txt")),
    ("topics", include_str!("scripts/topics.txt")),
    ("records", include_str!("scripts/records.txt")),
    ("configs", include_str!("scripts/configs.txt")),
    ("groups", include_str!("scripts/groups.txt")),
    ("partitions", include_str!("scripts/partitions.txt")),
    ("load", include_str!("scripts/load.txt")),
    ("features", include_str!("scripts/features.txt")),
    ("transactions", include_str!("scripts/transactions.txt")),
    ("security", include_str!("scripts/security.txt")),
    ("share_and_streams", include_str!("scripts/share_and_streams.txt")),
    ("files", include_str!("scripts/files.txt")),
];

fn main() -> ExitCode {
    let shared = Arc::new(Shared::default());
    let mut suite = Suite::new("official_tools");
    for &(name, script) in SCRIPTS {
        let shared = Arc::clone(&shared);
        suite = suite.plain(name, move || shared.compare(name, script));
    }
    suite.at_once(1).finally(move |keep| shared.finish(&keep.join("official_tools"))).run()
}
