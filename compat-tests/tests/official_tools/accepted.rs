//! Where Klamm's answer to a tool differs from Apache Kafka's and why: the one place that says so.

/// A difference that is known: the script, the beginning of the call, the beginnings of the lines that may differ (all, where
/// it names none), and why. It stands for every call that begins so; it must differ in one of them, and every beginning of a
/// line must be met.
pub struct Accepted {
    pub script: &'static str,
    pub call: &'static str,
    pub lines: &'static [&'static str],
    pub reason: &'static str,
}

impl Accepted {
    /// Which of its beginnings of lines a line has.
    pub fn beginning_of(&self, line: &str) -> Option<usize> {
        if self.lines.is_empty() {
            return Some(0);
        }
        self.lines.iter().position(|beginning| line.starts_with(beginning))
    }
}

const fn accept(script: &'static str, call: &'static str, reason: &'static str) -> Accepted {
    Accepted { script, call, lines: &[], reason }
}

const fn accept_lines(
    script: &'static str,
    call: &'static str,
    lines: &'static [&'static str],
    reason: &'static str,
) -> Accepted {
    Accepted { script, call, lines, reason }
}

const SHARE: &str = "share groups are not built yet";
const STREAMS: &str = "streams groups are not built yet";
const CLUSTER: &str = "a broker is its own controller until the cluster is built, and has no listener for one";
const OWN: &str = "keys and defaults of Klamm's own";
const LISTENERS: &str = "listeners cannot be changed at run time yet";
const INDEXES: &str = "the active segment's indexes are in memory and become files when it is sealed";

pub const ACCEPTED: &[Accepted] = &[
    accept_lines(
        "cluster",
        "kafka-broker-api-versions @",
        &[
            "\tShareGroupHeartbeat(76)",
            "\tShareGroupDescribe(77)",
            "\tShareFetch(78)",
            "\tShareAcknowledge(79)",
            "\tInitializeShareGroupState(83)",
            "\tReadShareGroupState(84)",
            "\tWriteShareGroupState(85)",
            "\tDeleteShareGroupState(86)",
            "\tReadShareGroupStateSummary(87)",
            "\tDescribeShareGroupOffsets(90)",
            "\tAlterShareGroupOffsets(91)",
            "\tDeleteShareGroupOffsets(92)",
        ],
        SHARE,
    ),
    accept_lines(
        "cluster",
        "kafka-broker-api-versions @",
        &["\tStreamsGroupHeartbeat(88)", "\tStreamsGroupDescribe(89)", "\tStreamsGroupTopologyDescriptionUpdate(93)"],
        STREAMS,
    ),
    accept_lines(
        "cluster",
        "kafka-broker-api-versions @",
        &["\tAddRaftVoter(80)", "\tRemoveRaftVoter(81)", "\tUnregisterController(94)"],
        CLUSTER,
    ),
    accept(
        "cluster",
        "kafka-metadata-quorum @ remove-controller --controller-id 9 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAg",
        CLUSTER,
    ),
    accept_lines(
        "configs",
        "kafka-configs @ --broker 1 --describe --all",
        &[" controller.listener.names=", " controller.quorum.voters=", " listeners="],
        CLUSTER,
    ),
    accept_lines("configs", "kafka-configs @ --broker 1 --describe --all", &[" klamm.", " log.dir="], OWN),
    accept("share_and_streams", "kafka-share-groups @", SHARE),
    accept("share_and_streams", "kafka-console-share-consumer @", SHARE),
    accept("share_and_streams", "kafka-share-consumer-perf-test @", SHARE),
    accept("share_and_streams", "kafka-verifiable-share-consumer @", SHARE),
    accept("share_and_streams", "kafka-streams-groups @", STREAMS),
    accept("files", "kafka-dump-log --files DATA/stored-0/00000000000000000000.index", INDEXES),
    accept("files", "kafka-dump-log --files DATA/stored-0/00000000000000000000.timeindex", INDEXES),
    accept_lines("cluster", "kafka-metadata-quorum @ describe --status", &["CurrentVoters: "], CLUSTER),
    accept("configs", "kafka-configs @ --broker-defaults --alter --add-config listeners=PLAINTEXT://:1", LISTENERS),
    accept_lines("features", "kafka-features @ describe", &["Feature: share.version"], SHARE),
    accept_lines("features", "kafka-features @ describe", &["Feature: streams.version"], STREAMS),
    accept("features", "kafka-features @ upgrade --release-version 4.4 --dry-run", CLUSTER),
];
