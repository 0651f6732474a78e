package klamm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A Kafka broker of its own port, data and clock, in memory.
 *
 * <pre>{@code
 * try (Klamm klamm = Klamm.builder().topic("orders", 3).start()) {
 *     var producer = new KafkaProducer<>(Map.of("bootstrap.servers", klamm.bootstrapServers()), ...);
 * }
 * }</pre>
 */
public final class Klamm implements AutoCloseable {
    /** How many records the broker shows at most. */
    private static final int MOST_RECORDS = 1000;

    private final BrokerProcess process;
    private final Map<String, Object> ready;
    private final Control control;
    private final Clock clock;

    private Klamm(BrokerProcess process, Map<String, Object> ready) {
        this.process = process;
        this.ready = ready;
        control = new Control(http());
        clock = new Clock(control);
    }

    /** @return a broker without options; it is ready */
    public static Klamm start() {
        return builder().start();
    }

    /** @return the options of a broker */
    public static Builder builder() {
        return new Builder();
    }

    /** @return what clients take as {@code bootstrap.servers} */
    public String bootstrapServers() {
        return (String) ready.get("bootstrap_servers");
    }

    /** @return the address of the HTTP side */
    public URI http() {
        return URI.create((String) ready.get("http"));
    }

    /** @return the cluster's id */
    public String clusterId() {
        return (String) ready.get("cluster_id");
    }

    /** @return the process's number */
    public long pid() {
        return (Long) ready.get("pid");
    }

    /** @return what clients take as {@code security.protocol} */
    public String securityProtocol() {
        return (String) ready.get("security_protocol");
    }

    /** @return what clients may take as {@code sasl.mechanism}; empty without users */
    public List<String> saslMechanisms() {
        return Json.list(ready.getOrDefault("sasl_mechanisms", List.of())).stream().map(String.class::cast).toList();
    }

    /** @return the certificates, where the broker has TLS */
    public Optional<Tls> tls() {
        return Optional.ofNullable(ready.get("tls")).map(Json::object).map(Tls::of);
    }

    /** @return the clock that the broker goes by */
    public Clock clock() {
        return clock;
    }

    /**
     * Adds a rule that stays until it is removed, behind those that are there: the first one that is for a request strikes it.
     *
     * @param match which requests
     * @param action what happens to them
     * @return the rule
     */
    public Fault fault(Match match, Action action) {
        return fault(Map.of("match", match.words(), "action", action.words()));
    }

    /**
     * Adds a rule that strikes so many requests at most.
     *
     * @param match which requests
     * @param action what happens to them
     * @param count how many
     * @return the rule
     */
    public Fault fault(Match match, Action action, int count) {
        return fault(Map.of("match", match.words(), "action", action.words(), "count", count));
    }

    /**
     * Adds a rule that lives so long.
     *
     * @param match which requests
     * @param action what happens to them
     * @param expires when it is over
     * @return the rule
     */
    public Fault fault(Match match, Action action, Duration expires) {
        return fault(Map.of("match", match.words(), "action", action.words(), "expires_ms", expires.toMillis()));
    }

    private Fault fault(Map<String, Object> rule) {
        var ids = Json.list(control.post("/v1/faults", rule).agreed().get("ids"));
        return new Fault(control, (Long) ids.get(0));
    }

    /**
     * Takes away all rules.
     *
     * @return how many there were
     */
    public int removeFaults() {
        return ((Long) control.delete("/v1/faults", Map.of()).agreed().get("removed")).intValue();
    }

    /** @return the rules in their order, with what they have done */
    public List<Rule> faults() {
        return objects(control.get("/v1/faults", Map.of()).agreed(), "faults").map(Rule::of).toList();
    }

    /**
     * The last requests that match, 100 at most.
     *
     * @param filter which
     * @return them in their order, with the records of their batches
     */
    public List<Request> requests(Filter filter) {
        return requests(filter, 100);
    }

    /**
     * The last requests that match.
     *
     * @param filter which
     * @param limit how many at most
     * @return them in their order, with the records of their batches
     */
    public List<Request> requests(Filter filter, int limit) {
        var words = new LinkedHashMap<>(filter.words());
        words.put("limit", limit);
        words.put("records", true);
        return requests(control.get("/v1/requests", words).agreed());
    }

    /**
     * Fails with the broker's sentence, and some of the requests, where more or fewer match.
     *
     * @param filter which requests
     * @param expected how many of them
     */
    public void assertRequests(Filter filter, Count expected) {
        var body = new LinkedHashMap<>(expected.words());
        body.put("match", filter.words());
        var answer = control.post("/v1/requests/assert", body);
        if (answer.status() == 409) {
            var some = requests(answer.body()).stream().map(one -> "\n  " + one);
            throw new AssertionError(answer.sentence() + some.collect(Collectors.joining()));
        }
        answer.agreed();
    }

    private static List<Request> requests(Map<String, Object> answer) {
        return objects(answer, "requests").map(Request::of).toList();
    }

    private static Stream<Map<String, Object>> objects(Map<String, Object> answer, String name) {
        return Json.list(answer.get(name)).stream().map(Json::object);
    }

    /**
     * Returns when all of it is there.
     *
     * @param what is waited for
     * @throws WaitTimeoutException when the time is over; it says what was missing
     */
    public void waitFor(Wait what) {
        var answer = control.get("/v1/wait", what.words(), what.limit());
        if (answer.status() == 408) throw new WaitTimeoutException(answer.sentence());
        answer.agreed();
    }

    /**
     * Puts it back to its beginning: the topics and users of its options, and nothing else. Records, groups, faults and kept
     * requests are gone, the clock is the machine's. Make clients and faults anew.
     */
    public void reset() {
        control.post("/v1/reset", Map.of()).agreed();
    }

    /**
     * Puts it back to a snapshot, as {@link #reset()} does to the beginning.
     *
     * @param snapshot its name
     */
    public void reset(String snapshot) {
        control.post("/v1/reset", Map.of("snapshot", snapshot)).agreed();
    }

    /**
     * Keeps all that is there now, for {@link #reset(String)}; one of that name is replaced. Clients lose their connections.
     *
     * @param name of the snapshot
     */
    public void snapshot(String name) {
        control.post("/v1/snapshots", Map.of("name", name)).agreed();
    }

    /** @return the snapshots that there are */
    public List<Snapshot> snapshots() {
        return objects(control.get("/v1/snapshots", Map.of()).agreed(), "snapshots").map(Snapshot::of).toList();
    }

    /**
     * Forgets a snapshot; its memory is free again.
     *
     * @param name of the snapshot
     */
    public void forgetSnapshot(String name) {
        control.delete("/v1/snapshots", Map.of("name", name)).agreed();
    }

    /**
     * Makes topics and writes records. A line that is wrong is refused with its number, and nothing is written.
     *
     * @param lines of JSON: with a key or a value one is a record, else a topic, as in
     *     <code>{"topic":"orders","key":"k1","value":{"json":{"amount":5}}}</code>
     * @return how many there were
     */
    public Loaded loadFixtures(String lines) {
        return Loaded.of(control.post("/v1/fixtures", Map.of(), lines).agreed());
    }

    /**
     * The same with the lines of a file.
     *
     * @param file with them
     * @return how many there were
     */
    public Loaded loadFixtures(Path file) {
        try {
            return loadFixtures(Files.readString(file));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** @return all topics but internal ones, and their committed records, as lines for {@link #loadFixtures(String)} */
    public String dumpFixtures() {
        return control.get("/v1/fixtures", Map.of()).agreedText();
    }

    /**
     * One topic and its committed records.
     *
     * @param topic its name
     * @return lines for {@link #loadFixtures(String)}
     */
    public String dumpFixtures(String topic) {
        return control.get("/v1/fixtures", Map.of("topic", topic)).agreedText();
    }

    /**
     * Expires all members of a group: they hear of it as when their sessions had ended.
     *
     * @param group its id
     */
    public void expireMembers(String group) {
        deed("expire_member", Map.of("group", group));
    }

    /**
     * Expires a member of a group.
     *
     * @param group its id
     * @param memberId the member's
     */
    public void expireMember(String group, String memberId) {
        deed("expire_member", Map.of("group", group, "member", memberId));
    }

    /**
     * Lets all members of a group join again.
     *
     * @param group its id
     */
    public void forceRebalance(String group) {
        deed("rebalance", Map.of("group", group));
    }

    /**
     * Fences a producer by a successor; what it had open is aborted.
     *
     * @param transactionalId its transactional id
     */
    public void fenceProducer(String transactionalId) {
        deed("fence_producer", Map.of("transactional_id", transactionalId));
    }

    private void deed(String name, Map<String, Object> of) {
        control.post("/v1/deeds", Map.of(name, of)).agreed();
    }

    /** @return all topics with their configs and partitions */
    public List<TopicState> topics() {
        return topics(Map.of()).toList();
    }

    /**
     * A topic with its configs and partitions.
     *
     * @param name its name
     * @return the topic
     */
    public TopicState topic(String name) {
        return topics(Map.of("topic", name)).findFirst().orElseThrow();
    }

    private Stream<TopicState> topics(Map<String, Object> words) {
        return objects(control.get("/v1/topics", words).agreed(), "topics").map(TopicState::of);
    }

    /**
     * The last records of a partition.
     *
     * @param topic its topic
     * @param partition its number
     * @return them in the order of their offsets, 1000 at most
     */
    public List<StoredRecord> records(String topic, int partition) {
        return records(Map.of("topic", topic, "partition", partition, "limit", MOST_RECORDS));
    }

    /**
     * The last records of a partition below an offset.
     *
     * @param topic its topic
     * @param partition its number
     * @param before the offset
     * @return them in the order of their offsets, 1000 at most
     */
    public List<StoredRecord> records(String topic, int partition, long before) {
        return records(Map.of("topic", topic, "partition", partition, "limit", MOST_RECORDS, "before", before));
    }

    private List<StoredRecord> records(Map<String, Object> words) {
        var found = objects(control.get("/v1/records", words).agreed(), "records").map(StoredRecord::of);
        var newestFirst = found.collect(Collectors.toCollection(ArrayList::new));
        Collections.reverse(newestFirst);
        return newestFirst;
    }

    /** @return all groups with members, lag, and why their consumers do not read */
    public List<GroupState> groups() {
        return groups(Map.of()).toList();
    }

    /**
     * A group with its members, its lag, and why its consumers do not read.
     *
     * @param id of the group
     * @return the group
     */
    public GroupState group(String id) {
        return groups(Map.of("group", id)).findFirst().orElseThrow();
    }

    private Stream<GroupState> groups(Map<String, Object> words) {
        return objects(control.get("/v1/groups", words).agreed(), "groups").map(GroupState::of);
    }

    /** @return what the broker counts, in Prometheus's text format */
    public String metrics() {
        return control.get("/metrics", Map.of()).agreedText();
    }

    /** @return the last lines of the broker's log */
    public String log() {
        return process.log(BrokerProcess.LAST_LINES);
    }

    /** Stops it; what it had in memory is gone. Once more does nothing. */
    @Override
    public void close() {
        process.close();
    }

    @Override
    public String toString() {
        return "Klamm " + bootstrapServers();
    }

    /** The options of a broker. */
    public static final class Builder {
        private final List<String> arguments = new ArrayList<>();
        private boolean tls;
        private Path binary;
        private Duration startTimeout = Duration.ofSeconds(30);

        private Builder() {}

        /**
         * A topic that is there from the beginning.
         *
         * @param name its name
         * @param partitions how many
         * @return this
         */
        public Builder topic(String name, int partitions) {
            return topic(name, partitions, Map.of());
        }

        /**
         * A topic that is there from the beginning.
         *
         * @param name its name
         * @param partitions how many
         * @param config Kafka's settings of a topic
         * @return this
         */
        public Builder topic(String name, int partitions, Map<String, ?> config) {
            return with("--topic", new Topic(name, partitions, config));
        }

        /**
         * A user; clients then log in by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
         *
         * @param name of the user
         * @param password of the user
         * @return this
         */
        public Builder user(String name, String password) {
            return with("--user", name + ":" + password);
        }

        /**
         * Clients come by TLS; {@link Klamm#tls} has the certificates.
         *
         * @return this
         */
        public Builder tls() {
            tls = true;
            return this;
        }

        /**
         * Offers what that release of Apache Kafka does.
         *
         * @param version {@code "2.8"} to {@code "4.4"}
         * @return this
         */
        public Builder asVersion(String version) {
            return with("--as-version", version);
        }

        /**
         * Any of Kafka's settings of a broker.
         *
         * @param key its name
         * @param value its value
         * @return this
         */
        public Builder override(String key, Object value) {
            return with("--override", key + "=" + value);
        }

        /**
         * The most that data take in memory.
         *
         * @param bytes as in {@code "64M"}
         * @return this
         */
        public Builder memory(String bytes) {
            return with("--memory", bytes);
        }

        /**
         * Data on the disk instead; a directory that was not there is removed at the end.
         *
         * @param directory for the data
         * @return this
         */
        public Builder dataDir(Path directory) {
            return with("--dir", directory);
        }

        /**
         * A fixed port.
         *
         * @param port its number
         * @return this
         */
        public Builder port(int port) {
            return with("--port", port);
        }

        /**
         * The program, where it is not the one of this jar.
         *
         * @param program its path
         * @return this
         */
        public Builder binary(Path program) {
            binary = program;
            return this;
        }

        /**
         * The time in which the broker must be ready: 30 seconds without it.
         *
         * @param limit how long
         * @return this
         */
        public Builder startTimeout(Duration limit) {
            startTimeout = limit;
            return this;
        }

        /** @return a broker that is ready; a builder may start several */
        public Klamm start() {
            var process = new BrokerProcess(Binary.find(binary), arguments, tls);
            return new Klamm(process, process.ready(startTimeout));
        }

        private Builder with(String option, Object value) {
            arguments.add(option);
            arguments.add(String.valueOf(value));
            return this;
        }
    }
}
