//! The table: what a refusal of each API looks like.

use crate::model::ApiKey;

/// What an error's message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Words {
    None,
    /// What has gone wrong (`ApiError.fromThrowable`).
    Told,
    /// The code's own text (`Errors.message`).
    Standard,
}

/// A field that is the same in each refusal, where that is not the value that the table of messages gives it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Constant {
    Null,
    Number(i64),
    Text(&'static str),
}

/// Names of fields: the answer's, and the request's that it is taken from. An empty one is the element itself.
type Fields = &'static [(&'static str, &'static str)];
type Constants = &'static [(&'static str, Constant)];

/// Elements of an answer, each for one of its request.
pub(super) struct Mirror {
    pub(super) answer: &'static str,
    /// An array of the request, or one within the elements of another: `dirs/topics`.
    pub(super) request: &'static str,
    pub(super) fields: Fields,
    pub(super) constants: Constants,
    pub(super) within: Option<&'static Mirror>,
    /// The field of the code; empty if the elements have none.
    pub(super) error: &'static str,
    pub(super) message: Words,
}

/// A whole answer.
pub(super) struct Form {
    /// It has an error for all of it.
    pub(super) has_code: bool,
    pub(super) message: Words,
    pub(super) fields: Fields,
    pub(super) constants: Constants,
    pub(super) mirrors: &'static [Mirror],
}

const NUMBER: Constant = Constant::Number(-1);

impl Mirror {
    /// Elements with codes.
    const fn coded(answer: &'static str, request: &'static str, fields: Fields) -> Mirror {
        let (constants, within, error, message) = (&[], None, "errorCode", Words::None);
        Mirror { answer, request, fields, constants, within, error, message }
    }

    /// Elements whose codes are further within, or that have none.
    const fn around(
        answer: &'static str,
        request: &'static str,
        fields: Fields,
        within: Option<&'static Mirror>,
    ) -> Mirror {
        Mirror { within, error: "", ..Mirror::coded(answer, request, fields) }
    }

    const fn with(self, constants: Constants) -> Mirror {
        Mirror { constants, ..self }
    }

    const fn saying(self, message: Words) -> Mirror {
        Mirror { message, ..self }
    }
}

impl Form {
    /// An answer whose elements have the codes.
    const fn of(mirrors: &'static [Mirror]) -> Form {
        Form { has_code: false, message: Words::None, fields: &[], constants: &[], mirrors }
    }

    /// The same with a code for all of it.
    const fn coded(mirrors: &'static [Mirror]) -> Form {
        Form { has_code: true, ..Form::of(mirrors) }
    }

    const fn saying(self, message: Words) -> Form {
        Form { message, ..self }
    }

    const fn with(self, constants: Constants) -> Form {
        Form { constants, ..self }
    }
}

const NAME: Fields = &[("name", "name")];
const TOPIC: Fields = &[("name", "name"), ("topicId", "topicId")];
const RESOURCE: Fields = &[("resourceType", "resourceType"), ("resourceName", "resourceName")];
const GROUP_ID: Fields = &[("groupId", "")];

const PARTITION: Mirror = Mirror::coded("partitions", "partitions", &[("partitionIndex", "partitionIndex")]);
const INDEX: Fields = &[("partitionIndex", "")];

const ONE_CODE: Form = Form::coded(&[]);
const ONE_CODE_TOLD: Form = Form::coded(&[]).saying(Words::Told);

const PRODUCED: Mirror = Mirror::coded("partitionResponses", "partitionData", &[("index", "index")])
    .with(&[("baseOffset", NUMBER)])
    .saying(Words::Told);
const FETCHED: Mirror =
    Mirror::coded("partitions", "partitions", &[("partitionIndex", "partition")]).with(&[("highWatermark", NUMBER)]);
const NO_OFFSET: Mirror = Mirror::coded("partitions", "partitionIndexes", INDEX).with(&[("committedOffset", NUMBER)]);
const DELETED_UP_TO: Mirror = Mirror::coded("partitions", "partitions", &[("partitionIndex", "partitionIndex")])
    .with(&[("lowWatermark", NUMBER)]);
const ENDED: Mirror = Mirror::coded("partitions", "partitions", &[("partition", "partition")]);
const ADDED: Mirror =
    Mirror { error: "partitionErrorCode", ..Mirror::coded("resultsByPartition", "partitions", INDEX) };
const MARKED: Mirror = Mirror::coded("partitions", "partitionIndexes", INDEX);
const MARKED_TOPICS: Mirror = Mirror::around("topics", "topics", NAME, Some(&MARKED));
const MOVED: Mirror = Mirror::coded("partitions", "partitions", INDEX);
const ELECTED: Mirror = Mirror::coded("partitionResult", "partitions", &[("partitionId", "")]).saying(Words::Told);
const REASSIGNED: Mirror =
    Mirror::coded("partitions", "partitions", &[("partitionIndex", "partitionIndex")]).saying(Words::Told);
const REASSIGNING: Mirror = Mirror::around("partitions", "partitionIndexes", INDEX, None);
const ENTITY: Mirror =
    Mirror::around("entity", "entity", &[("entityType", "entityType"), ("entityName", "entityName")], None);
const NO_COORDINATOR: Constants = &[("nodeId", NUMBER), ("port", NUMBER)];
const RESOURCES: Mirror = Mirror::coded("responses", "resources", RESOURCE).saying(Words::Told);

/// What is like most: topics with partitions, each with its code.
const TOPICS: Form = Form::of(const { &[Mirror::around("topics", "topics", TOPIC, Some(&PARTITION))] });

const PRODUCE: Form = Form::of(const { &[Mirror::around("responses", "topicData", TOPIC, Some(&PRODUCED))] });
const FETCH: Form = {
    const TOPIC: Fields = &[("topic", "topic"), ("topicId", "topicId")];
    let topics = Form::coded(const { &[Mirror::around("responses", "topics", TOPIC, Some(&FETCHED))] });
    Form { fields: &[("sessionId", "sessionId")], ..topics }
};
/// Topics of the oldest versions, groups of the newest.
const OFFSET_FETCH: Form = Form::coded(
    const {
        &[
            Mirror::around("topics", "topics", NAME, Some(&NO_OFFSET)),
            Mirror::coded("groups", "groups", &[("groupId", "groupId")]),
        ]
    },
);
const METADATA: Form = Form::coded(const { &[Mirror::coded("topics", "topics", TOPIC)] });
const FIND_COORDINATOR: Form = Form::coded(
    const {
        &[Mirror::coded("coordinators", "coordinatorKeys", &[("key", "")]).with(NO_COORDINATOR).saying(Words::Standard)]
    },
)
.with(NO_COORDINATOR)
.saying(Words::Standard);
const DELEGATION_TOKEN: Form = ONE_CODE.with(&[
    ("principalType", Constant::Text("User")),
    ("principalName", Constant::Text("ANONYMOUS")),
    ("tokenRequesterPrincipalType", Constant::Text("User")),
    ("tokenRequesterPrincipalName", Constant::Text("ANONYMOUS")),
    ("issueTimestampMs", NUMBER),
    ("expiryTimestampMs", NUMBER),
    ("maxTimestampMs", NUMBER),
]);
const DELETE_TOPICS: Form = Form::of(
    const { &[Mirror::coded("responses", "topics", TOPIC), Mirror::coded("responses", "topicNames", &[("name", "")])] },
);
const SCRAM: Form = {
    const USER: Fields = &[("user", "name")];
    Form::of(
        const {
            &[
                Mirror::coded("results", "deletions", USER).saying(Words::Told),
                Mirror::coded("results", "upsertions", USER).saying(Words::Told),
            ]
        },
    )
};
const CLIENT_QUOTAS: Form = Form::of(
    const { &[Mirror { within: Some(&ENTITY), ..Mirror::coded("entries", "entries", &[]).saying(Words::Standard) }] },
);

/// What a refusal of an API looks like. Those that only brokers and controllers ask each other have an error for all of them.
pub(super) fn form(api: ApiKey) -> Form {
    use ApiKey::*;
    match api {
        Produce => PRODUCE,
        Fetch => FETCH,
        ListOffsets | OffsetCommit | TxnOffsetCommit => TOPICS,
        Metadata => METADATA,
        OffsetFetch => OFFSET_FETCH,
        FindCoordinator => FIND_COORDINATOR,
        JoinGroup => ONE_CODE.with(&[("protocolName", Constant::Null)]),
        DescribeGroups => Form::of(const { &[Mirror::coded("groups", "groups", GROUP_ID)] }),
        CreateTopics => Form::of(const { &[Mirror::coded("topics", "topics", NAME).saying(Words::Told)] }),
        DeleteTopics => DELETE_TOPICS,
        DeleteRecords => Form::of(const { &[Mirror::around("topics", "topics", NAME, Some(&DELETED_UP_TO))] }),
        InitProducerId => ONE_CODE.with(&[("producerEpoch", NUMBER)]),
        OffsetForLeaderEpoch => {
            const { Form::of(const { &[Mirror::around("topics", "topics", &[("topic", "topic")], Some(&ENDED))] }) }
        }
        AddPartitionsToTxn => {
            const {
                Form::coded(
                    const { &[Mirror::around("resultsByTopicV3AndBelow", "v3AndBelowTopics", NAME, Some(&ADDED))] },
                )
            }
        }
        WriteTxnMarkers => {
            const {
                const PRODUCER: Fields = &[("producerId", "producerId")];
                Form::of(const { &[Mirror::around("markers", "markers", PRODUCER, Some(&MARKED_TOPICS))] })
            }
        }
        CreateAcls => Form::of(const { &[Mirror::coded("results", "creations", &[]).saying(Words::Told)] }),
        DeleteAcls => Form::of(const { &[Mirror::coded("filterResults", "filters", &[]).saying(Words::Told)] }),
        DescribeConfigs => {
            const { Form::of(const { &[Mirror::coded("results", "resources", RESOURCE).saying(Words::Standard)] }) }
        }
        AlterConfigs | IncrementalAlterConfigs => Form::of(const { &[RESOURCES] }),
        AlterReplicaLogDirs => {
            const { Form::of(const { &[Mirror::around("results", "dirs/topics", &[("topicName", "name")], Some(&MOVED))] }) }
        }
        CreatePartitions => Form::of(const { &[Mirror::coded("results", "topics", NAME).saying(Words::Told)] }),
        CreateDelegationToken => DELEGATION_TOKEN,
        DeleteGroups => Form::of(const { &[Mirror::coded("results", "groupsNames", GROUP_ID)] }),
        ElectLeaders => {
            const {
                Form::coded(
                    const {
                        &[Mirror::around(
                            "replicaElectionResults",
                            "topicPartitions",
                            &[("topic", "topic")],
                            Some(&ELECTED),
                        )]
                    },
                )
            }
        }
        AlterPartitionReassignments => {
            const {
                Form::coded(const { &[Mirror::around("responses", "topics", NAME, Some(&REASSIGNED))] })
                    .saying(Words::Told)
            }
        }
        ListPartitionReassignments => {
            const {
                Form::coded(const { &[Mirror::around("topics", "topics", NAME, Some(&REASSIGNING))] })
                    .saying(Words::Told)
            }
        }
        DescribeClientQuotas => ONE_CODE_TOLD.with(&[("entries", Constant::Null)]),
        AlterClientQuotas => CLIENT_QUOTAS,
        DescribeUserScramCredentials => {
            const { Form::coded(const { &[Mirror::coded("results", "users", &[]).saying(Words::Told)] }).saying(Words::Told) }
        }
        AlterUserScramCredentials => SCRAM,
        DescribeProducers => Form::of(const { &[MARKED_TOPICS] }),
        DescribeTransactions => {
            const {
                Form::of(
                    const { &[Mirror::coded("transactionStates", "transactionalIds", &[("transactionalId", "")])] },
                )
            }
        }
        ConsumerGroupDescribe => Form::of(const { &[Mirror::coded("groups", "groupIds", GROUP_ID)] }),
        DescribeTopicPartitions => Form::of(const { &[Mirror::coded("topics", "topics", NAME)] }),
        DescribeAcls | DescribeCluster | UnregisterBroker | UpdateFeatures => ONE_CODE_TOLD,
        DescribeQuorum => Form::coded(&[]).saying(Words::Standard),
        _ => ONE_CODE,
    }
}
