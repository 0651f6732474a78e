//! Random runs in the tests: every seed that has ever found something, and a few of this commit's own.

use std::collections::BTreeMap;

use super::run::{self, Attempt};

/// Seeds that have found a fault of the broker, and which.
const FOUND: &[(u64, &str)] = &[];

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [1, 2, 3] {
        let (one, other) = (run::run(&Attempt::of(seed)), run::run(&Attempt::of(seed)));
        assert_eq!((one.hash, one.steps, one.failure), (other.hash, other.steps, other.failure), "seed {seed}");
    }
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    let failures: BTreeMap<_, _> = FOUND.iter().filter_map(|(seed, _)| failure_of(*seed).map(|f| (seed, f))).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

fn failure_of(seed: u64) -> Option<run::Failure> {
    run::run(&Attempt::of(seed)).failure
}
