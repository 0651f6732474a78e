//! The one table of commands and options: the parser takes nothing that is not here, and `--help`, the man page and the
//! completions of shells are made of it.
//!
//! Knows no meaning of an option: `args` and the commands' own files give it.

/// One command of `klamm`, or a tool that goes by a name of Kafka's.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Entry {
    /// Empty for the start of a broker.
    pub(in crate::cli) name: &'static str,
    /// What may follow the name, one line for each way.
    pub(in crate::cli) synopsis: &'static str,
    pub(in crate::cli) about: &'static str,
    /// What an argument that is no option can be.
    pub(in crate::cli) argument: Completes,
    pub(in crate::cli) options: &'static [Opt],
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Opt {
    pub(in crate::cli) long: &'static str,
    pub(in crate::cli) short: Option<char>,
    /// What its value is called; `None`: it has none.
    pub(in crate::cli) value: Option<&'static str>,
    pub(in crate::cli) completes: Completes,
    pub(in crate::cli) about: &'static str,
}

/// What a shell offers for a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Completes {
    Nothing,
    File,
    Directory,
    /// A key of the configuration, with the sign that follows it.
    Setting,
    Words(&'static [&'static str]),
    /// The name of one of [`TOOLS`].
    Tool,
}

const fn flag(long: &'static str, about: &'static str) -> Opt {
    Opt { long, short: None, value: None, completes: Completes::Nothing, about }
}

const fn valued(long: &'static str, value: &'static str, about: &'static str) -> Opt {
    Opt { long, short: None, value: Some(value), completes: Completes::Nothing, about }
}

impl Opt {
    const fn short(self, short: char) -> Opt {
        Opt { short: Some(short), ..self }
    }

    const fn completed(self, completes: Completes) -> Opt {
        Opt { completes, ..self }
    }
}

const OVERRIDE: Opt =
    valued("override", "key=value", "set one configuration; wins over environment and file; may be repeated")
        .completed(Completes::Setting);
const CONFIG: Opt = valued("config", "FILE", "the same as naming the file").short('c').completed(Completes::File);

/// What every command takes.
pub(in crate::cli) const EVERYWHERE: &[Opt] =
    &[flag("help", "print this and exit").short('h'), flag("version", "print the version and exit").short('V')];

pub(in crate::cli) const TITLE: &str = "Klamm, a Kafka broker in one small binary";

/// The commands, that without a name first.
pub(in crate::cli) const COMMANDS: &[Entry] = &[
    Entry {
        name: "",
        synopsis: "[server.properties] [--override key=value]...",
        about: "Starts a broker. Without a file and without options it listens on 127.0.0.1:9092 and keeps its data in ./klamm-data.",
        argument: Completes::File,
        options: &[OVERRIDE, CONFIG],
    },
    Entry {
        name: "format",
        synopsis: "[--cluster-id ID] [server.properties] [--override key=value]...",
        about: "Gives the log directories an identity without starting a broker.",
        argument: Completes::File,
        options: &[
            valued("cluster-id", "ID", "22 characters as `kafka-storage random-uuid` makes them").short('t'),
            flag("ignore-formatted", "leave directories that are formatted already as they are").short('g'),
            valued(
                "add-scram",
                "CREDENTIAL",
                "a user from the beginning, as often as there are users: 'SCRAM-SHA-256=[name=alice,password=alice-secret]'",
            )
            .short('S'),
            OVERRIDE,
            CONFIG,
        ],
    },
    Entry {
        name: "test",
        synopsis: "[--topic name:partitions]... [--user name:password]... [OPTION]...",
        about: "A broker for one test run, in memory on a free port of 127.0.0.1. It prints one line of JSON when it is ready, and ends with its parent, when a pipe that is its standard input is closed, or by a signal.",
        argument: Completes::Nothing,
        options: &[
            valued("port", "N", "the port; a free one without it"),
            valued("dir", "DIR", "keep the data there; a DIR that was not there is removed at the end")
                .completed(Completes::Directory),
            valued("memory", "BYTES", "the most that data take in memory: 256M"),
            valued("brokers", "N", "plays N brokers, each on a port and in a rack of its own, whose leaders can be moved: 1"),
            valued("topic", "NAME[:PARTITIONS[:key=value]...]", "a topic from the beginning; may be repeated"),
            valued("user", "NAME:PASSWORD", "a user of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512; may be repeated"),
            valued("tls", "DIR", "TLS; an authority and certificates are written there")
                .completed(Completes::Directory),
            valued("as-version", "X", "offer what Apache Kafka X did: 2.8 to 4.4")
                .completed(Completes::Words(crate::config::release::NAMES)),
            valued("faults", "FILE", "rules by which it breaks from the beginning, as /v1/faults takes them")
                .completed(Completes::File),
            flag("stay", "end by a signal only"),
            flag("explain", "print how it differs from Kafka's defaults and exit"),
            OVERRIDE,
        ],
    },
    Entry {
        name: "explore",
        synopsis: "[OPTION]... -- COMMAND [ARGUMENT]...",
        about: "Runs a test against a fresh broker, then again for each moment of it: with that answer lost, the connection cut before that request, the member's session ended there; and says which of these the test does not survive, and which records it has lost, doubled or put out of order. The variables KLAMM_BOOTSTRAP_SERVERS, BOOTSTRAP_SERVERS, KAFKA_BOOTSTRAP_SERVERS and SPRING_KAFKA_BOOTSTRAP_SERVERS tell the command the broker's address, KLAMM_HTTP that of its HTTP side; {bootstrap} and {http} in its arguments stand for them.",
        argument: Completes::File,
        options: &[
            valued("topic", "NAME[:PARTITIONS[:key=value]...]", "a topic from the beginning; may be repeated"),
            valued("timeout", "SECONDS", "how long one run of the command may take: 60"),
            valued("runs", "N", "runs with a harm at most: 200"),
            valued("only", "API", "moments of that API only; may be repeated"),
            valued("depth", "N", "harms of one run at most, up to 8: 1"),
            valued("jobs", "N", "runs at a time: 1"),
            valued("seed", "N", "what --depth draws by: 0"),
            valued("allow", "KIND[:TOPIC]", "records may be lost, doubled or out-of-order; may be repeated")
                .completed(Completes::Words(&["lost", "doubled", "out-of-order"])),
            valued("output", "FILE", "write the shortest failing schedule there, as fault rules")
                .completed(Completes::File),
            valued("replay", "FILE", "run the command with the fault rules of a file instead")
                .completed(Completes::File),
            flag("list", "list the moments and exit"),
            valued("as-version", "X", "offer what Apache Kafka X did: 2.8 to 4.4")
                .completed(Completes::Words(crate::config::release::NAMES)),
            OVERRIDE,
        ],
    },
    Entry {
        name: "tap",
        synopsis: "[--http URL] [--token TOKEN] [--bodies] [--json] [name=value]...",
        about: "Follows the requests that a broker answers, a line for each: those that match all of api=, client_id=, topic=, group=, principal= and error=.",
        argument: Completes::Words(&["api=", "client_id=", "topic=", "group=", "principal=", "error="]),
        options: &[
            valued("http", "URL", "the broker's HTTP side; without it KLAMM_HTTP, or http://127.0.0.1:8080"),
            valued("token", "TOKEN", "what it asks for; without it KLAMM_HTTP_TOKEN"),
            flag("bodies", "what was asked and answered, with records"),
            flag("json", "each request as a line of JSON"),
        ],
    },
    Entry {
        name: "doctor",
        synopsis: "[server.properties] [--connect HOST:PORT] [--override key=value]...",
        about: "Looks at the configuration, the listeners and the machine, and says in sentences what will not work for clients. The exit code is 1 if something will not work, else 0.",
        argument: Completes::File,
        options: &[
            valued(
                "connect",
                "HOST:PORT",
                "ask a running broker as a client would, and whether what it advertises can be reached from here",
            ),
            flag("json", "print the findings as one JSON object"),
            OVERRIDE,
            CONFIG,
        ],
    },
    Entry {
        name: "tool",
        synopsis: "NAME [OPTION]...",
        about: "The part of Kafka's command line tools that set-up scripts and health checks run. Each also goes by Kafka's name, if klamm is called by it: a link kafka-topics.sh or kafka-topics is `klamm tool topics`.",
        argument: Completes::Tool,
        options: &[],
    },
    Entry {
        name: "completions",
        synopsis: "bash|zsh|fish",
        about: "Prints what makes a shell complete commands and options.",
        argument: Completes::Words(&["bash", "zsh", "fish"]),
        options: &[],
    },
    Entry {
        name: "man",
        synopsis: "",
        about: "Prints the man page.",
        argument: Completes::Nothing,
        options: &[],
    },
];

const BOOTSTRAP: Opt = valued("bootstrap-server", "HOST:PORT", "the broker to ask");
const COMMAND_CONFIG: Opt = valued(
    "command-config",
    "FILE",
    "settings of the client: security.protocol (PLAINTEXT or SASL_PLAINTEXT), sasl.mechanism (PLAIN), sasl.jaas.config",
)
.completed(Completes::File);
const TOPIC: Opt = valued("topic", "TOPIC", "the topic");

/// Kafka's tools, each by its name there less `kafka-`.
pub(in crate::cli) const TOOLS: &[Entry] = &[
    Entry {
        name: "topics",
        synopsis: "--bootstrap-server HOST:PORT --list|--create|--describe|--delete|--alter [OPTION]...",
        about: "Lists, creates, describes, changes and deletes topics.",
        argument: Completes::Nothing,
        options: &[
            BOOTSTRAP,
            COMMAND_CONFIG,
            flag("list", "list the topics"),
            flag("create", "create a topic"),
            flag("describe", "describe topics with their partitions"),
            flag("delete", "delete a topic"),
            flag("alter", "give a topic more partitions"),
            TOPIC,
            valued("partitions", "N", "how many partitions"),
            valued("replication-factor", "N", "how many replicas of each"),
            valued("config", "key=value", "a config of the topic that is created; may be repeated"),
            flag("if-not-exists", "with --create: a topic that is there is no error"),
            flag("if-exists", "with --delete, --describe, --alter: a topic that is not there is no error"),
            flag("exclude-internal", "with --list, --describe: without Kafka's internal topics"),
        ],
    },
    Entry {
        name: "console-producer",
        synopsis: "--bootstrap-server HOST:PORT --topic TOPIC",
        about: "Writes each line of its standard input as a record.",
        argument: Completes::Nothing,
        options: &[
            BOOTSTRAP,
            valued("broker-list", "HOST:PORT", "the same as --bootstrap-server"),
            valued("producer.config", "FILE", "the same as --command-config").completed(Completes::File),
            COMMAND_CONFIG,
            TOPIC,
            valued(
                "reader-property",
                "key=value",
                "how a line is read: parse.key=true, key.separator=CHARACTERS, parse.headers=true, ignore.error=true, null.marker=CHARACTERS; may be repeated",
            ),
            valued("property", "key=value", "the older name of --reader-property"),
            valued("request-required-acks", "0|1|-1|all", "acknowledgements that are waited for"),
        ],
    },
    Entry {
        name: "console-consumer",
        synopsis: "--bootstrap-server HOST:PORT --topic TOPIC [--from-beginning] [--max-messages N]",
        about: "Prints the records of a topic, each on a line. It joins no group.",
        argument: Completes::Nothing,
        options: &[
            BOOTSTRAP,
            valued("consumer.config", "FILE", "the same as --command-config").completed(Completes::File),
            COMMAND_CONFIG,
            TOPIC,
            valued("partition", "N", "that partition only"),
            flag("from-beginning", "from the first record there is, and not from now on"),
            valued("max-messages", "N", "end after so many"),
            valued("timeout-ms", "N", "end when for so long nothing has come; -1 is never"),
            valued(
                "formatter-property",
                "key=value",
                "how a record is written: print.key=true (also timestamp, partition, offset, headers, value), key.separator=CHARACTERS, null.literal=CHARACTERS; may be repeated",
            ),
            valued("property", "key=value", "the older name of --formatter-property"),
            valued("group", "GROUP", "taken, and without effect: it joins no group"),
        ],
    },
    Entry {
        name: "configs",
        synopsis: "--bootstrap-server HOST:PORT --describe|--alter --entity-type TYPE --entity-name NAME [OPTION]...",
        about: "Shows and changes configs of topics and brokers, and users of SCRAM.",
        argument: Completes::Nothing,
        options: &[
            BOOTSTRAP,
            COMMAND_CONFIG,
            flag("describe", "show the configs that are set"),
            flag("alter", "change configs"),
            flag("all", "with --describe: the others, too"),
            valued("entity-type", "TYPE", "topics, brokers or users")
                .completed(Completes::Words(&["topics", "brokers", "users"])),
            valued("entity-name", "NAME", "which one; without it --describe shows all"),
            flag("entity-default", "the default of all brokers, instead of --entity-name"),
            TOPIC,
            valued("broker", "ID", "the broker"),
            valued("user", "NAME", "the user"),
            valued(
                "add-config",
                "key=value,...",
                "what is set; lists stand in brackets; of a user 'SCRAM-SHA-256=[iterations=8192,password=secret]'",
            ),
            valued("delete-config", "key,...", "what goes back to its default"),
        ],
    },
    Entry {
        name: "consumer-groups",
        synopsis: "--bootstrap-server HOST:PORT --list|--describe|--delete [--group GROUP]",
        about: "Lists, describes and deletes groups.",
        argument: Completes::Nothing,
        options: &[
            BOOTSTRAP,
            COMMAND_CONFIG,
            flag("list", "list the groups"),
            flag("describe", "show the offsets and the lag of a group"),
            flag("delete", "delete a group"),
            valued("group", "GROUP", "the group; may be repeated"),
            flag("all-groups", "each of them"),
            flag("offsets", "with --describe: the offsets, as without it"),
            flag("state", "with --describe, --list: the state"),
        ],
    },
    Entry {
        name: "storage",
        synopsis: "random-uuid\nformat --cluster-id ID --config FILE [OPTION]...",
        about: "Makes an identifier, or formats log directories.",
        argument: Completes::Words(&["random-uuid", "format"]),
        options: &[
            valued("cluster-id", "ID", "the identifier of the cluster").short('t'),
            valued("config", "FILE", "server.properties").short('c').completed(Completes::File),
            flag("ignore-formatted", "leave directories that are formatted already as they are").short('g'),
            valued("add-scram", "CREDENTIAL", "a user from the beginning, as often as there are users").short('S'),
            flag("standalone", "taken, and without effect: a node is its own quorum").short('s'),
            flag("no-initial-controllers", "taken, and without effect: a node is its own quorum").short('N'),
            valued("initial-controllers", "LIST", "taken, and without effect: a node is its own quorum").short('I'),
            valued("release-version", "X", "taken, and without effect").short('r'),
            valued("feature", "NAME=LEVEL", "taken, and without effect").short('f'),
        ],
    },
    Entry {
        name: "broker-api-versions",
        synopsis: "--bootstrap-server HOST:PORT",
        about: "Shows which APIs the broker offers in which versions.",
        argument: Completes::Nothing,
        options: &[BOOTSTRAP, COMMAND_CONFIG],
    },
    Entry {
        name: "cluster",
        synopsis: "cluster-id --bootstrap-server HOST:PORT",
        about: "Shows the identifier of the cluster.",
        argument: Completes::Words(&["cluster-id"]),
        options: &[
            BOOTSTRAP,
            COMMAND_CONFIG,
            valued("config", "FILE", "the same as --command-config").short('c').completed(Completes::File),
        ],
    },
    Entry {
        name: "server-start",
        synopsis: "server.properties [--override key=value]...",
        about: "Starts a broker, as `klamm` does.",
        argument: Completes::File,
        options: &[OVERRIDE],
    },
];

/// Variables that a command reads.
pub(in crate::cli) const ENVIRONMENT: &[(&str, &str)] = &[
    ("KAFKA_<KEY>", "a configuration: KAFKA_NUM_PARTITIONS is num.partitions (`__` is an underscore, `___` a dash)"),
    ("CLUSTER_ID", "the cluster id with which a fresh directory is formatted"),
    ("KLAMM_HTTP", "the HTTP side that `tap` asks"),
    ("KLAMM_HTTP_TOKEN", "what `tap` tells it"),
    ("NOTIFY_SOCKET", "where systemd is told that the broker is ready, and that it stops"),
];

pub(in crate::cli) const EXIT_CODES: &[(&str, &str)] = &[
    (
        "0",
        "the command did what it was asked for; of `doctor`: nothing was found that will not work; of `explore`: nothing was found",
    ),
    (
        "1",
        "it did not, and the last line on standard error says why; of `doctor`: something will not work; of `explore`: something was found",
    ),
    ("2", "of `explore`: the command could not be explored, and the last line on standard error says why"),
];

pub(in crate::cli) fn command(name: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|command| !name.is_empty() && command.name == name)
}

pub(in crate::cli) fn tool(name: &str) -> Option<&'static Entry> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// The tool that a program's name stands for: `kafka-topics.sh`, `kafka-topics`.
pub(in crate::cli) fn tool_of_program(program: &str) -> Option<&'static Entry> {
    let file = program.rsplit('/').next().unwrap_or_default();
    tool(file.strip_suffix(".sh").unwrap_or(file).strip_prefix("kafka-")?)
}

impl Entry {
    /// Its options and those that every command takes.
    pub(in crate::cli) fn all_options(&self) -> impl Iterator<Item = &'static Opt> + use<> {
        self.options.iter().chain(EVERYWHERE)
    }

    pub(in crate::cli) fn long(&self, name: &str) -> Option<&'static Opt> {
        self.all_options().find(|option| option.long == name)
    }

    pub(in crate::cli) fn short(&self, letter: char) -> Option<&'static Opt> {
        self.all_options().find(|option| option.short == Some(letter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_option_of_a_command_is_there_once() {
        for entry in COMMANDS.iter().chain(TOOLS) {
            let mut seen = BTreeSet::new();
            for option in entry.all_options() {
                assert!(seen.insert(option.long.to_string()), "{} --{}", entry.name, option.long);
                let is_new = option.short.is_none_or(|letter| seen.insert(letter.to_string()));
                assert!(is_new, "{} -{:?}", entry.name, option.short);
            }
        }
    }

    #[test]
    fn programs_are_known_by_kafkas_names() {
        let name = |program| tool_of_program(program).map(|tool| tool.name);
        assert_eq!(name("/opt/kafka/bin/kafka-topics.sh"), Some("topics"));
        assert_eq!(name("kafka-broker-api-versions"), Some("broker-api-versions"));
        assert_eq!([name("klamm"), name("/usr/bin/klamm"), name("kafka-mirror-maker.sh")], [None; 3]);
    }
}
