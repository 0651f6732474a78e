//! The tools, and the table in README.md that says how each compares.

use crate::judge::Verdict;
use compat_tests::{Context, Result, cache, ensure};
use std::collections::BTreeMap;

/// Each tool as its script in Apache Kafka's `bin` calls it. `kafka-jmx` asks a JVM and no broker.
const TOOLS: &[(&str, &str)] = &[
    ("kafka-acls", "org.apache.kafka.tools.AclCommand"),
    ("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    ("kafka-client-metrics", "org.apache.kafka.tools.ClientMetricsCommand"),
    ("kafka-cluster", "org.apache.kafka.tools.ClusterTool"),
    ("kafka-configs", "org.apache.kafka.tools.ConfigCommand"),
    ("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-console-share-consumer", "org.apache.kafka.tools.consumer.ConsoleShareConsumer"),
    ("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("kafka-delegation-tokens", "org.apache.kafka.tools.DelegationTokenCommand"),
    ("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("kafka-dump-log", "org.apache.kafka.tools.DumpLogSegments"),
    ("kafka-e2e-latency", "org.apache.kafka.tools.EndToEndLatency"),
    ("kafka-features", "org.apache.kafka.tools.FeatureCommand"),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("kafka-groups", "org.apache.kafka.tools.GroupsCommand"),
    ("kafka-leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
    ("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    ("kafka-metadata-shell", "org.apache.kafka.shell.MetadataShell"),
    ("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("kafka-reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
    ("kafka-replica-verification", "org.apache.kafka.tools.ReplicaVerificationTool"),
    ("kafka-share-consumer-perf-test", "org.apache.kafka.tools.ShareConsumerPerformance"),
    ("kafka-share-groups", "org.apache.kafka.tools.consumer.group.ShareGroupCommand"),
    ("kafka-storage", "kafka.tools.StorageTool"),
    ("kafka-streams-application-reset", "org.apache.kafka.tools.StreamsResetter"),
    ("kafka-streams-groups", "org.apache.kafka.tools.streams.StreamsGroupCommand"),
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand"),
    ("kafka-verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
    ("kafka-verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
    ("kafka-verifiable-share-consumer", "org.apache.kafka.tools.VerifiableShareConsumer"),
];

const BEGIN: &str = "<!-- tools -->\n";
const END: &str = "<!-- /tools -->";

/// The class behind a tool's name.
pub fn class(tool: &str) -> Option<&'static str> {
    TOOLS.iter().find(|(name, _)| *name == tool).map(|(_, class)| *class)
}

/// How the calls of one tool compare.
#[derive(Default)]
struct Counted {
    calls: usize,
    same: usize,
    /// How many calls differ for each reason; one may for several.
    differ: BTreeMap<&'static str, usize>,
}

fn count(verdicts: &[Verdict]) -> BTreeMap<&str, Counted> {
    let mut tools: BTreeMap<&str, Counted> = BTreeMap::new();
    for verdict in verdicts {
        let counted = tools.entry(&verdict.tool).or_default();
        counted.calls += 1;
        counted.same += usize::from(verdict.reasons.is_empty());
        for reason in &verdict.reasons {
            *counted.differ.entry(*reason).or_default() += 1;
        }
    }
    tools
}

/// One line for each tool.
pub fn print(verdicts: &[Verdict]) {
    for (tool, counted) in count(verdicts) {
        println!("    {tool}: {} of {} calls as Apache Kafka's", counted.same, counted.calls);
    }
}

fn markdown(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| tool | calls | as Kafka | what differs |\n| --- | --: | --: | --- |\n");
    let tools = count(verdicts);
    for (tool, counted) in &tools {
        let shown = |(reason, count): (&&str, &usize)| match counted.calls {
            1 => reason.to_string(),
            _ => format!("{count}: {reason}"),
        };
        let reasons = counted.differ.iter().map(shown);
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        text += &format!("| `{tool}` | {} | {} | {reasons} |\n", counted.calls, counted.same);
    }
    let sum = |of: fn(&Counted) -> usize| tools.values().map(of).sum::<usize>();
    text + &format!("| all | {} | {} | |\n", sum(|counted| counted.calls), sum(|counted| counted.same))
}

/// Keeps the table of the README equal to the verdicts.
pub fn keep(verdicts: &[Verdict]) -> Result<()> {
    let path = cache::package().parent().context("no parent folder")?.join("README.md");
    let readme = std::fs::read_to_string(&path)?;
    let (before, rest) = readme.split_once(BEGIN).context("no table of tools in README.md")?;
    let (shown, after) = rest.split_once(END).context("the table of tools in README.md has no end")?;
    let made = markdown(verdicts);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{made}{END}{after}"))?;
        return Ok(());
    }
    ensure!(shown == made, "README.md shows another table: run it once more with UPDATE=1\n{made}");
    Ok(())
}
