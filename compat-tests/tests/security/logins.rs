//! Each API once among the tokens of a login that goes on: what is answered before the connection ends.

use crate::brokers::{Clients, Guarded, Listeners};
use crate::certificates::cases_of;
use crate::matrix;
use compat_tests::broker::{self, Peer};
use compat_tests::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::thread;

/// A token's own request.
const TOKEN: &str = "SaslAuthenticate";
/// What Apache Kafka answers with ILLEGAL_SASL_STATE in the form of each, and Klamm only by the end of the connection: clients that
/// take the broker's complaint for the end of a login go on with one of the others.
const UNANSWERED: &[&str] = &[
    "AddOffsetsToTxn",
    "AddPartitionsToTxn",
    "AlterClientQuotas",
    "AlterConfigs",
    "AlterPartitionReassignments",
    "AlterReplicaLogDirs",
    "AlterUserScramCredentials",
    "ConsumerGroupDescribe",
    "ConsumerGroupHeartbeat",
    "CreateAcls",
    "CreateDelegationToken",
    "CreatePartitions",
    "CreateTopics",
    "DeleteAcls",
    "DeleteGroups",
    "DeleteRecords",
    "DeleteTopics",
    "DescribeAcls",
    "DescribeClientQuotas",
    "DescribeCluster",
    "DescribeConfigs",
    "DescribeDelegationToken",
    "DescribeGroups",
    "DescribeLogDirs",
    "DescribeProducers",
    "DescribeQuorum",
    "DescribeTopicPartitions",
    "DescribeTransactions",
    "DescribeUserScramCredentials",
    "ElectLeaders",
    "EndTxn",
    "ExpireDelegationToken",
    "Fetch",
    "FindCoordinator",
    "Heartbeat",
    "IncrementalAlterConfigs",
    "InitProducerId",
    "JoinGroup",
    "LeaveGroup",
    "ListConfigResources",
    "ListGroups",
    "ListOffsets",
    "ListPartitionReassignments",
    "ListTransactions",
    "OffsetCommit",
    "OffsetDelete",
    "OffsetFetch",
    "OffsetForLeaderEpoch",
    "Produce",
    "RenewDelegationToken",
    "SyncGroup",
    "TxnOffsetCommit",
    "UnregisterBroker",
    "UpdateFeatures",
    "WriteTxnMarkers",
];

type Answers = BTreeMap<&'static str, Option<Value>>;

pub fn compare(guarded: &Guarded) -> Result<()> {
    let spoken = matrix::spoken(guarded)?;
    let asked = cases_of(&spoken, &|api| guarded.schemas.key(api))?;
    let of = |listeners: Listeners| -> Result<Answers> {
        let clients = Clients::new(listeners, &guarded.schemas);
        let answered = asked.iter().filter(|(case, _)| case.api != TOKEN).map(|(case, version)| {
            let names = case.about.names().pop().context("names")?;
            let answer = clients.ask_among_tokens(case.api, *version, &(case.request)(names))?;
            Ok((case.api, answer.map(|answer| clients.masks.canonical(&answer))))
        });
        answered.collect()
    };
    // Each answer comes behind the delay of a refused login.
    let [of_theirs, of_ours] = guarded.listeners();
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = scope.spawn(|| of(of_theirs));
        let ours = of(of_ours);
        (theirs.join().expect("no panic"), ours)
    });
    let (theirs, ours) = (theirs.context("Apache Kafka")?, ours.context("the broker under test")?);
    let left_out = if broker::peer() == Peer::Klamm { UNANSWERED } else { &[] };
    let problems: Vec<String> =
        theirs.iter().filter_map(|(api, theirs)| problem(api, theirs, &ours[api], left_out)).collect();
    println!("{} APIs, {} without an answer", theirs.len(), left_out.len());
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

fn problem(api: &str, theirs: &Option<Value>, ours: &Option<Value>, left_out: &[&str]) -> Option<String> {
    let is_left_out = left_out.contains(&api);
    let is_right = if is_left_out { theirs.is_some() && ours.is_none() } else { theirs == ours };
    (!is_right).then(|| format!("{api}:\n    kafka: {theirs:?}\n    klamm: {ours:?}"))
}
