//! Random runs in the tests: every seed that has ever found something, and some of this commit's own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::plan::{Kind, TRANSACTIONS_SINCE, WITH_QUOTAS};
use super::run::{self, Attempt, Planted};
use super::shrink;

/// Seeds that have found a fault of the broker, or of what the simulation takes for granted, and which.
const FOUND: &[(u64, &str)] = &[
    (4294967659, "a copy of a log, made for a move, went on after a loss of power with a gap in it and took its place"),
    (4295988268, "a sync failed between the commit of a move and the new name, and the log began anew beside its copy"),
    (1009071, "what an append wrote before it found no room for a new segment was never committed"),
    (
        4295970492,
        "a heartbeat was refused where a loss of power had left two members with the same partition as target",
    ),
    (4295973081, "claim: more than five batches behind one that was not answered, and it is known again"),
    (4295993444, "claim: a log that could not be opened refuses what comes behind the batch that it missed"),
    (4299991337, "a group whose epoch was lost and whose target was not left a partition without an owner"),
    (3013001, "a new producer's first batch found no room for a new segment, and what it had sent behind it got in"),
    (4300022550, "claim: a request to join does not come behind its repetition on another connection"),
    (7002738, "claim: a log that fails as soon as it is open again has not lost anything before"),
    (2008868, "claim: a damaged snapshot is made anew from a log of which compaction has taken something away"),
    (4297978009, "claim: the coordinator has forgotten nothing of members that have not heard of it yet"),
    (
        4309980416,
        "claim: a partition that keeps its number has not been opened anew, though a move has given it another log",
    ),
    (1008126, "claim: a leader that divides a generation twice knows which division counts"),
    (1102454184286, "the end of a transaction was not told of the sync that committed its marker, and waited for ever"),
    (
        1103183908197,
        "a recovery found no room for the new transaction index and removed it; what was aborted was shown after the next",
    ),
    (3302832919116, "claim: a throttled reader that has seen the end before the rest has seen all"),
    (3298546883157, "network: bytes that took no time at all were never told to the shard that had just looked"),
];

/// Where the test script says which seeds are this commit's: a commit id, or a number.
const COMMIT: &str = "KLAMM_SIM_COMMIT";
/// How long the commit's own seeds run.
const TIME: Duration = Duration::from_secs(40);

/// What went wrong, where something did; a panic of the broker is a failure as well.
fn failure_of(attempt: &Attempt) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| run::run(attempt).failure)) {
        Ok(failure) => failure.map(|failure| format!("{}: {}", failure.rule, failure.text)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()));
            Some(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

fn check(seed: u64) {
    if let Some(failure) = failure_of(&Attempt::of(seed)) {
        panic!("seed {seed}: {failure}\n{}", shrink::command(&Attempt::of(seed)));
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in (1..8).chain(TRANSACTIONS_SINCE + 1..TRANSACTIONS_SINCE + 4).chain([WITH_QUOTAS + 1]) {
        let (one, other) = (run::run(&Attempt::of(seed)), run::run(&Attempt::of(seed)));
        assert_eq!((one.hash, one.steps, one.failure), (other.hash, other.steps, other.failure), "seed {seed}");
    }
}

#[test]
fn two_clusters_of_one_process_do_not_know_of_each_other() {
    // The last two are the same one twice: whatever they shared, each would find as the other has left it.
    for seeds in [[1, 2], [3, 4], [5, 5]] {
        let attempts = seeds.map(Attempt::of);
        let together = run::run_alternately([&attempts[0], &attempts[1]]);
        for (attempt, beside) in attempts.iter().zip(together) {
            let alone = run::run(attempt);
            let (one, other) = ((alone.hash, alone.steps, alone.failure), (beside.hash, beside.steps, beside.failure));
            assert_eq!(one, other, "seed {} of {seeds:?}", attempt.seed);
        }
    }
}

#[test]
fn seeds_that_found_something_find_nothing_any_more() {
    FOUND.iter().for_each(|(seed, _)| check(*seed));
}

#[test]
fn seeds_of_this_commit_find_nothing() {
    let commit = std::env::var(COMMIT).unwrap_or_default();
    // FNV-1a of whatever it says.
    let hash = commit
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let (first, began) = (hash >> 32, Instant::now());
    let mut seed = first;
    while began.elapsed() < TIME {
        check(seed);
        check(TRANSACTIONS_SINCE + seed);
        // With quotas, the one or the other.
        check(WITH_QUOTAS + seed + seed % 2 * TRANSACTIONS_SINCE);
        seed += 1;
    }
    println!("{} seeds from {first} on, and as many with transactions and with quotas", seed - first);
}

/// Faults do not keep the clients from what the runs are about.
#[test]
fn transactions_are_committed_and_aborted_in_the_runs() {
    let counts: Vec<_> = (0..8).map(|seed| run::run(&Attempt::of(TRANSACTIONS_SINCE + seed)).transactions).collect();
    let sum = counts.iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    assert!(sum.0 > 100 && sum.1 > 20, "{counts:?}");
    println!("{counts:?}");
}

/// The disk does what no disk may do, and some seed finds out.
fn is_found(planted: Planted, kind: Kind) -> bool {
    let attempts = (0..200).map(|seed| Attempt { planted: Some(planted), ..Attempt::of(seed) });
    let mut fitting = attempts.filter(|attempt| super::plan::kinds_of(attempt.seed).has(kind));
    fitting.any(|attempt| failure_of(&attempt).is_some())
}

#[test]
fn a_sync_that_is_forgotten_is_found() {
    assert!(is_found(Planted::ForgottenSyncs, Kind::PowerLoss));
}

#[test]
fn a_write_that_is_forgotten_is_found() {
    assert!(is_found(Planted::ForgottenWrites, Kind::ProcessCrash));
}
