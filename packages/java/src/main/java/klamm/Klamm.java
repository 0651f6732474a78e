package klamm;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

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
        return requests(control.get("/v1/requests", words));
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
            var some = requests(new Control.Answer(200, answer.body())).stream().map(one -> "\n  " + one);
            throw new AssertionError(answer.sentence() + some.collect(Collectors.joining()));
        }
        answer.agreed();
    }

    private static List<Request> requests(Control.Answer answer) {
        return Json.list(answer.agreed().get("requests")).stream().map(Json::object).map(Request::of).toList();
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
