//! franz-go plays: its program (`clients/go/scenario.go`) does a client's part, and here the broker's part is made to happen.

use crate::scenarios;
use crate::stage::{Stage, numbers};
use compat_tests::program::{self, Input};
use compat_tests::{Result, bail, cache, ensure};
use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;
use std::time::Duration;

scenarios! { "franz-go";
    a_first_load_without_leaders_is_loaded_again: "franz-go kfake `TestFirstMetadataPartitionErrors`",
        "`error` LEADER_NOT_AVAILABLE in the first Metadata of the topic: written within seconds";
    uncertain_records_outlive_their_retries: "franz-go kfake `TestIssue1217`",
        "`RecordRetries(1)`; `error` REQUEST_TIMED_OUT or NOT_ENOUGH_REPLICAS_AFTER_APPEND, then NOT_LEADER_OR_FOLLOWER";
    an_unconfirmed_end_joins_no_transactions: "franz-go kfake `TestEndTxnUnconfirmedErrorNoSilentJoin`",
        "`error` UNKNOWN_SERVER_ERROR instead of EndTxn: the next transaction's commit commits its own records only";
    a_topic_made_anew_ends_a_record: "franz-go kfake `TestProduceUnknownFailLimitRecreatedTopic`",
        "the topic is deleted and made anew: UNKNOWN_TOPIC_ID when the client's limit is reached";
    other_errors_reset_no_limit: "franz-go kfake `TestProduceUnknownFailLimitNotResetByOtherErrors`",
        "`error` UNKNOWN_TOPIC_OR_PARTITION and NOT_LEADER_OR_FOLLOWER in turn";
    a_stale_epoch_delays_a_group: "franz-go kfake `Test848FetchOffsetsStaleEpochRetry`",
        "`error` STALE_MEMBER_EPOCH for two OffsetFetch: read on from the commit";
    a_leaderless_time_keeps_the_epoch: "franz-go kfake `TestIssue1331`",
        "three brokers, the partition's only one down for more than five Metadata: no Fetch without an epoch, and it reads on";
    a_follower_out_of_range_sends_back_to_the_leader: "franz-go kfake `TestIssue885`",
        "three brokers, `follower`, `error` OFFSET_OUT_OF_RANGE for the second Fetch there: each record once";
    a_follower_is_looked_for_again: "franz-go kfake `TestIssue905`",
        "three brokers, `follower`, `RecheckPreferredReplicaInterval`: the leader is asked again and again, and the follower serves";
    a_commit_that_is_refused_can_be_aborted: "franz-go kfake `TestAuditTxnV1AddPartitionsFatalKeepsEarlierAdds`, `TestAuditTxnAbortRetryAfterOperationNotAttempted`",
        "`--as-version 3.9`; the second AddPartitionsToTxn is refused: the abort sends EndTxn";
    versions_that_are_never_told_end_a_call: "franz-go kfake `TestAuditApiVersionsDowngradeLoopTerminates`",
        "`error` UNSUPPORTED_VERSION for each ApiVersions: the call fails, it does not go on for ever";
}

/// More than the program gives itself.
const TIME: Duration = Duration::from_secs(50);

fn franz(stage: &Stage, name: &str) -> Result<()> {
    let mut command = Command::new(cache::root().join("go/franz"));
    command.args(["scenario", name, stage.bootstrap()]);
    program::run_within(command, Input::Nothing, TIME).map(drop)
}

fn a_first_load_without_leaders_is_loaded_again() -> Result<()> {
    let stage = Stage::one()?;
    let action = json!({ "error": "LEADER_NOT_AVAILABLE", "after": true });
    let rule =
        json!({ "match": { "api": "Metadata", "client_id": "franz", "topic": "t" }, "action": action, "count": 1 });
    let fault = stage.fault(rule)?;
    franz(&stage, "produce")?;
    ensure!(fault.struck()? == 1, "it struck");
    stage.expect(&numbers(1))
}

fn uncertain_records_outlive_their_retries() -> Result<()> {
    for error in ["REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"] {
        let stage = Stage::one()?;
        stage.errors("Produce", &[error, "NOT_LEADER_OR_FOLLOWER"])?;
        franz(&stage, "impatient")?;
        ensure!(stage.count("api=Produce")? >= 3, "{error}: three attempts");
        stage.expect(&numbers(1))?;
    }
    Ok(())
}

fn an_unconfirmed_end_joins_no_transactions() -> Result<()> {
    let stage = Stage::one()?;
    let faults = stage.errors("EndTxn", &["UNKNOWN_SERVER_ERROR"])?;
    franz(&stage, "unconfirmed")?;
    ensure!(faults[0].struck()? == 1, "it struck");
    stage.expect(&numbers(1))
}

fn a_topic_made_anew_ends_a_record() -> Result<()> {
    let stage = Stage::one()?;
    franz(&stage, "recreated")?;
    ensure!(stage.count("api=Produce&error=UNKNOWN_TOPIC_ID")? >= 1, "the broker has told so");
    stage.expect(&[])
}

fn other_errors_reset_no_limit() -> Result<()> {
    let stage = Stage::one()?;
    let errors = ["UNKNOWN_TOPIC_OR_PARTITION", "NOT_LEADER_OR_FOLLOWER"].repeat(6);
    stage.errors("Produce", &errors)?;
    franz(&stage, "alternating")?;
    stage.expect(&[])
}

fn a_stale_epoch_delays_a_group() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(5))?;
    let reader = stage.consumer(&[])?;
    let mut offsets = rdkafka::TopicPartitionList::new();
    offsets.add_partition_offset("t", 0, Offset::Offset(3))?;
    reader.consumer.commit(&offsets, CommitMode::Sync)?;
    let rule = json!({ "match": { "api": "OffsetFetch", "client_id": "franz" }, "action": { "error": "STALE_MEMBER_EPOCH" }, "count": 2 });
    let fault = stage.fault(rule)?;
    franz(&stage, "group")?;
    ensure!(fault.struck()? == 2, "it struck");
    ensure!(stage.count("api=ConsumerGroupHeartbeat&client_id=franz")? > 0, "by the consumer protocol");
    ensure!(reader.committed()? == Offset::Offset(5), "committed");
    Ok(())
}

/// Whether a value has this key with this number anywhere.
fn has(value: &Value, key: &str, number: i64) -> bool {
    match value {
        Value::Object(map) => {
            map.iter().any(|(name, value)| (name == key && *value == number) || has(value, key, number))
        }
        Value::Array(all) => all.iter().any(|value| has(value, key, number)),
        _ => false,
    }
}

fn a_leaderless_time_keeps_the_epoch() -> Result<()> {
    let stage = Stage::with(&["--brokers", "3"])?;
    crate::admin::create_on(stage.port(), "t", 2)?;
    stage.seed("t", &numbers(1))?;
    thread::scope(|scope| -> Result<()> {
        let played = scope.spawn(|| franz(&stage, "follow"));
        stage.until_asked("api=Fetch&client_id=franz&broker=2", 2)?;
        stage.down(2)?;
        let before = stage.count("api=Metadata&client_id=franz")?;
        stage.until_asked("api=Metadata&client_id=franz", before + 8)?;
        stage.up(2)?;
        stage.seed("t", &["1"])?;
        let Ok(played) = played.join() else { bail!("the program's thread has panicked") };
        played
    })?;
    let told = stage.http.json("/v1/requests?api=Fetch&client_id=franz&limit=1000")?;
    ensure!(!has(&told, "currentLeaderEpoch", -1), "a Fetch without an epoch: {told}");
    Ok(())
}

/// Three brokers and a topic of all of them, which 1 leads and 2 follows. franz-go goes to no broker that has no replica.
fn followed(count: usize) -> Result<Stage> {
    let stage = Stage::three()?;
    stage.move_leader("t", 1)?;
    numbers(count).iter().try_for_each(|value| stage.seed("t", &[value]))?;
    stage.deed(json!({ "follower": { "topic": "t", "partition": 0, "broker": 2 } }))?;
    Ok(stage)
}

fn a_follower_out_of_range_sends_back_to_the_leader() -> Result<()> {
    let stage = followed(5)?;
    let fault = stage.fault(json!({
        "match": { "api": "Fetch", "client_id": "franz", "broker": 2, "nth": 2 },
        "action": { "error": "OFFSET_OUT_OF_RANGE", "after": true },
    }))?;
    franz(&stage, "near")?;
    ensure!(fault.struck()? == 1, "it struck");
    Ok(())
}

fn a_follower_is_looked_for_again() -> Result<()> {
    let stage = followed(1)?;
    thread::scope(|scope| -> Result<()> {
        let played = scope.spawn(|| franz(&stage, "recheck"));
        stage.until_asked("api=Fetch&client_id=franz&broker=2", 1)?;
        stage.until_asked("api=Fetch&client_id=franz&broker=1", 3)?;
        let before = stage.count("api=Fetch&client_id=franz&broker=2")?;
        stage.until_asked("api=Fetch&client_id=franz&broker=2", before + 1)?;
        stage.seed("t", &["1"])?;
        let Ok(played) = played.join() else { bail!("the program's thread has panicked") };
        played
    })
}

fn a_commit_that_is_refused_can_be_aborted() -> Result<()> {
    let stage = Stage::with(&["--as-version", "3.9", "--topic", "t:2"])?;
    let action = json!({ "error": "TRANSACTIONAL_ID_AUTHORIZATION_FAILED" });
    let fault = stage.fault(json!({ "match": { "api": "AddPartitionsToTxn", "nth": 2 }, "action": action }))?;
    franz(&stage, "abort")?;
    ensure!(fault.struck()? == 1, "it struck");
    ensure!(stage.count("api=EndTxn")? == 1, "the broker is told of the abort");
    stage.wait("transactional_id=x")?;
    stage.expect(&[])
}

fn versions_that_are_never_told_end_a_call() -> Result<()> {
    let stage = Stage::one()?;
    let fault =
        stage.fault(json!({ "match": { "api": "ApiVersions" }, "action": { "error": "UNSUPPORTED_VERSION" } }))?;
    franz(&stage, "ping")?;
    ensure!(fault.struck()? >= 1, "it struck");
    Ok(())
}
