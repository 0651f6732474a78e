//! Groups of the classic protocol: errors at each request, sessions that end, rebalances, commits.

use crate::scenarios;
use crate::stage::{Reader, Stage, code, numbers};
use compat_tests::{Context, Result, ensure};
use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use serde_json::json;

scenarios! { "librdkafka";
    a_commit_in_a_rebalance_is_refused: "librdkafka 0117 `do_test_offset_commit_error_during_rebalance`",
        "two members, one leaves; `error` REBALANCE_IN_PROGRESS for the commit: told, and all is read";
    a_commit_that_times_out_is_sent_again: "librdkafka 0117 `do_test_offset_commit_request_timed_out` (by hand)",
        "`error` REQUEST_TIMED_OUT for two OffsetCommit";
    the_last_commit_is_sent_again: "librdkafka 0117 `do_test_offset_commit_request_timed_out` (by the close)",
        "the same for the commit that a close makes";
    a_coordinator_that_loads_delays_a_join: "librdkafka 0117 `do_test_joingroup_coordinator_load_in_progress`",
        "`error` COORDINATOR_LOAD_IN_PROGRESS for FindCoordinator: no error is told";
    a_coordinator_is_looked_for_in_intervals: "librdkafka 0143 `test_find_coordinator`",
        "`error` COORDINATOR_NOT_AVAILABLE for three FindCoordinator: the times between them in the journal";
    commits_back_off: "librdkafka 0143 `test_offset_commit`",
        "`error` COORDINATOR_LOAD_IN_PROGRESS for two OffsetCommit: the second time between them is the longer one";
    a_heartbeat_elsewhere_asks_for_the_coordinator: "librdkafka 0143 `test_heartbeat_find_coordinator`",
        "`error` NOT_COORDINATOR for a Heartbeat: FindCoordinator follows, and no rebalance";
    a_join_elsewhere_asks_for_the_coordinator: "librdkafka 0143 `test_joingroup_find_coordinator`",
        "`error` NOT_COORDINATOR for a JoinGroup: FindCoordinator follows";
    joins_and_syncs_are_made_again: "librdkafka 0113 `q_lost_partitions_illegal_generation_test`",
        "`error`s of JoinGroup and of SyncGroup, one after the other, until the member has its partition";
    a_generation_that_ended_is_joined_anew: "librdkafka 0113 `p_lost_partitions_heartbeat_illegal_generation_test`",
        "`error` ILLEGAL_GENERATION for a Heartbeat: revoked, joined, assigned";
    a_session_that_ends_is_begun_anew: "librdkafka 0106 `do_test_session_timeout`",
        "the deed `expire_member`: a commit is refused, the partition is assigned once more, and what was not committed is read again";
    a_session_ends_by_the_clock: "librdkafka 0106 `do_test_session_timeout`",
        "Heartbeat held, and the clock moved behind the session's end";
    a_forced_rebalance_keeps_what_is_read: "ours",
        "the deed `rebalance` three times: no record twice, none missing";
    a_fenced_instance_is_fatal: "librdkafka 0102 `do_test_fenced_member_classic`",
        "a second member with the same `group.instance.id`: the first one's consumer is over";
    a_group_follows_a_broker_that_goes_down: "ours",
        "three brokers, `broker_down` of the coordinator, commits before and behind it";
}

fn commit(reader: &Reader) -> Result<(), rdkafka::error::KafkaError> {
    reader.consumer.commit_consumer_state(CommitMode::Sync)
}

fn a_commit_in_a_rebalance_is_refused() -> Result<()> {
    let stage = Stage::with(&["--topic", "t:4"])?;
    let sender = stage.producer(&[])?;
    for number in 0..40 {
        let value = number.to_string();
        sender.send_at(number % 4, &value)?;
    }
    sender.delivered(40)?;
    let (one, two) = (stage.subscriber(&[])?, stage.subscriber(&[])?);
    one.poll_until("two share", || {
        drop(two.consumer.poll(std::time::Duration::from_millis(20)));
        Ok(one.consumer.assignment()?.count() == 2 && two.consumer.assignment()?.count() == 2)
    })?;
    drop(two);
    stage.errors("OffsetCommit", &["REBALANCE_IN_PROGRESS"])?;
    let mut offsets = one.consumer.assignment()?;
    offsets.set_all_offsets(Offset::Offset(0))?;
    let error = code(one.consumer.commit(&offsets, CommitMode::Sync))?;
    ensure!(error == Code::RebalanceInProgress, "{error:?}");
    one.until_assigned(4)?;
    let sender = stage.producer(&[])?;
    for partition in 0..4 {
        sender.send_at(partition, "last")?;
    }
    let mut lasts = 0;
    while lasts < 4 {
        lasts += one.read(1)?.iter().filter(|value| *value == "last").count();
    }
    Ok(())
}

fn a_commit_that_times_out_is_sent_again() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(1))?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(1))?;
    let faults = stage.errors("OffsetCommit", &["REQUEST_TIMED_OUT"; 2])?;
    commit(&reader)?;
    ensure!(faults[1].struck()? == 1, "both were told");
    ensure!(reader.committed()? == Offset::Offset(1), "it is committed");
    Ok(())
}

fn the_last_commit_is_sent_again() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(1))?;
    let reader = stage.subscriber(&[("enable.auto.commit", "true"), ("auto.commit.interval.ms", "90000")])?;
    reader.expect(&numbers(1))?;
    let faults = stage.errors("OffsetCommit", &["REQUEST_TIMED_OUT"; 2])?;
    drop(reader);
    ensure!(faults[1].struck()? == 1, "both were told");
    ensure!(stage.consumer(&[])?.committed()? == Offset::Offset(1), "it is committed");
    Ok(())
}

fn a_coordinator_that_loads_delays_a_join() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(1))?;
    stage.errors("FindCoordinator", &["COORDINATOR_LOAD_IN_PROGRESS"])?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(1))?;
    ensure!(reader.told().errors().is_empty(), "{:?}", reader.told().errors());
    Ok(())
}

fn a_coordinator_is_looked_for_in_intervals() -> Result<()> {
    let stage = Stage::one()?;
    stage.errors("FindCoordinator", &["COORDINATOR_NOT_AVAILABLE"; 3])?;
    let reader = stage.subscriber(&[])?;
    reader.until_assigned(1)?;
    let gaps = stage.gaps("api=FindCoordinator")?;
    // What subscribes asks at once, too.
    ensure!(gaps.iter().filter(|gap| (300..5000).contains(*gap)).count() >= 2, "{gaps:?}");
    Ok(())
}

fn commits_back_off() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(1))?;
    let reader = stage.subscriber(&[("retry.backoff.ms", "100"), ("retry.backoff.max.ms", "1000")])?;
    reader.expect(&numbers(1))?;
    stage.errors("OffsetCommit", &["COORDINATOR_LOAD_IN_PROGRESS"; 2])?;
    commit(&reader)?;
    let gaps = stage.gaps("api=OffsetCommit")?;
    ensure!(gaps.len() == 2 && gaps[0] >= 70 && gaps[1] >= 150 && gaps[1] < 2000, "{gaps:?}");
    Ok(())
}

/// Behind a request that was refused, the coordinator was asked for.
fn asks_behind(stage: &Stage, api: &str) -> Result<()> {
    let all = stage.requests("group=g")?;
    let refused = all.iter().position(|request| request["api"] == api && request["errors"]["NOT_COORDINATOR"] == 1);
    let behind: Vec<_> = all[refused.context("one was refused")? + 1..].iter().map(|of| &of["api"]).collect();
    ensure!(behind.iter().any(|api| **api == "FindCoordinator"), "{behind:?}");
    Ok(())
}

fn a_heartbeat_elsewhere_asks_for_the_coordinator() -> Result<()> {
    let stage = Stage::one()?;
    let reader = stage.subscriber(&[])?;
    reader.until_assigned(1)?;
    stage.errors("Heartbeat", &["NOT_COORDINATOR"])?;
    let beats = || Ok(stage.count("api=Heartbeat&error=NOT_COORDINATOR")? == 1);
    reader.poll_until("it is refused", beats)?;
    let before = stage.count("api=Heartbeat")?;
    reader.poll_until("the next one", || Ok(stage.count("api=Heartbeat")? > before + 1))?;
    ensure!(reader.told().rebalances() == (1, 0), "it stays a member: {:?}", reader.told().rebalances());
    asks_behind(&stage, "Heartbeat")
}

fn a_join_elsewhere_asks_for_the_coordinator() -> Result<()> {
    let stage = Stage::one()?;
    stage.errors("JoinGroup", &["NOT_COORDINATOR"])?;
    let reader = stage.subscriber(&[])?;
    reader.until_assigned(1)?;
    asks_behind(&stage, "JoinGroup")
}

fn joins_and_syncs_are_made_again() -> Result<()> {
    // A member that syncs as an unknown one would leave its place behind until its session is over.
    let cases = [
        ("JoinGroup", ["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "COORDINATOR_LOAD_IN_PROGRESS"]),
        ("SyncGroup", ["REBALANCE_IN_PROGRESS", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE"]),
    ];
    for (api, errors) in cases {
        let stage = Stage::one()?;
        stage.seed("t", &numbers(2))?;
        let faults = stage.errors(api, &errors)?;
        let reader = stage.subscriber(&[])?;
        reader.expect(&numbers(2))?;
        for (at, fault) in faults.iter().enumerate() {
            ensure!(fault.struck()? == 1, "{api}: error {at} was told");
        }
        stage.wait("group=g&members=1")?;
    }
    Ok(())
}

fn a_generation_that_ended_is_joined_anew() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(2))?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(2))?;
    commit(&reader)?;
    stage.errors("Heartbeat", &["ILLEGAL_GENERATION"])?;
    reader.poll_until("assigned anew", || Ok(reader.told().rebalances() == (2, 1)))?;
    stage.seed("t", &["2"])?;
    reader.expect(&["2".into()])
}

fn a_session_that_ends_is_begun_anew() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(3))?;
    let reader = stage.subscriber(&[("heartbeat.interval.ms", "3000")])?;
    reader.expect(&numbers(3))?;
    let mut offsets = reader.consumer.assignment()?;
    offsets.set_all_offsets(Offset::Offset(1))?;
    reader.consumer.commit(&offsets, CommitMode::Sync)?;
    stage.deed(json!({ "expire_member": { "group": "g" } }))?;
    let error = code(commit(&reader))?;
    ensure!(error == Code::UnknownMemberId, "{error:?}");
    reader.expect(&numbers(3)[1..])?;
    ensure!(reader.told().rebalances() == (2, 1), "{:?}", reader.told().rebalances());
    Ok(())
}

fn a_session_ends_by_the_clock() -> Result<()> {
    let stage = Stage::one()?;
    stage.seed("t", &numbers(3))?;
    let reader = stage.subscriber(&[("session.timeout.ms", "45000")])?;
    reader.expect(&numbers(3))?;
    let held = stage.fault(json!({ "match": { "api": "Heartbeat" }, "action": { "hold": true } }))?;
    reader.poll_until("a heartbeat is held", || Ok(held.struck()? > 0))?;
    stage.http.change("/v1/clock", &json!({ "advance_ms": 46_000 }))?;
    stage.wait("group=g&members=0")?;
    held.remove()?;
    reader.expect(&numbers(3))?;
    ensure!(reader.told().rebalances() == (2, 1), "{:?}", reader.told().rebalances());
    Ok(())
}

fn a_forced_rebalance_keeps_what_is_read() -> Result<()> {
    let stage = Stage::one()?;
    let reader = stage.subscriber(&[])?;
    reader.until_assigned(1)?;
    for (round, value) in numbers(3).into_iter().enumerate() {
        stage.seed("t", &[&value])?;
        reader.expect(&[value])?;
        commit(&reader)?;
        stage.deed(json!({ "rebalance": { "group": "g" } }))?;
        reader.poll_until("assigned anew", || Ok(reader.told().rebalances().0 >= round + 2))?;
    }
    stage.seed("t", &["last"])?;
    reader.expect(&["last".into()])
}

fn a_fenced_instance_is_fatal() -> Result<()> {
    let stage = Stage::one()?;
    let settings = [("group.instance.id", "i")];
    let first = stage.subscriber(&settings)?;
    first.until_assigned(1)?;
    let second = stage.subscriber(&settings)?;
    second.until_assigned(1)?;
    let told = || Ok(first.consumer.client().fatal_error().is_some());
    first.poll_until("the first one is over", told)?;
    let (fatal, _) = first.consumer.client().fatal_error().context("a fatal error")?;
    ensure!(fatal == Code::FencedInstanceId, "{fatal:?}");
    stage.seed("t", &numbers(1))?;
    second.expect(&numbers(1))
}

fn a_group_follows_a_broker_that_goes_down() -> Result<()> {
    let stage = Stage::three()?;
    stage.seed("t", &numbers(2))?;
    let reader = stage.subscriber(&[])?;
    reader.expect(&numbers(2))?;
    commit(&reader)?;
    for broker in [1, 2] {
        stage.deed(json!({ "move_coordinator": { "group": "g", "to": broker } }))?;
        stage.down(broker)?;
        let beats = stage.count("api=Heartbeat")?;
        reader.poll_until("a heartbeat elsewhere", || {
            let all = stage.requests("api=Heartbeat")?;
            Ok(all.len() > beats && all.last().is_some_and(|last| last["errors"] == json!({})))
        })?;
        let mut offsets = reader.consumer.assignment()?;
        offsets.set_all_offsets(Offset::Offset(2))?;
        reader.consumer.commit(&offsets, CommitMode::Sync)?;
        stage.up(broker)?;
    }
    ensure!(reader.told().rebalances() == (1, 0), "it stays a member: {:?}", reader.told().rebalances());
    ensure!(reader.committed()? == Offset::Offset(2), "committed");
    Ok(())
}
