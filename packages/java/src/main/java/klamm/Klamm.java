package klamm;

import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A Kafka broker, or several, of its own port, data and clock, in memory.
 *
 * <pre>{@code
 * try (Klamm klamm = Klamm.builder().topic("orders", 3).start()) {
 *     var producer = new KafkaProducer<>(Map.of("bootstrap.servers", klamm.bootstrapServers()), ...);
 * }
 * }</pre>
 */
public final class Klamm extends Controlled implements AutoCloseable {
    private final BrokerProcess process;
    private final Map<String, Object> ready;

    private Klamm(BrokerProcess process, Map<String, Object> ready) {
        super(new Control(URI.create((String) ready.get("http"))));
        this.process = process;
        this.ready = ready;
    }

    /** @return a broker without options; it is ready */
    public static Klamm start() {
        return builder().start();
    }

    /** @return the options of a broker */
    public static Builder builder() {
        return new Builder();
    }

    /** @return what clients take as {@code bootstrap.servers}: an address of each broker, with commas between them */
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
         * How many brokers the process plays, with ids from 1, each on a port and in a rack of its own.
         *
         * @param number how many
         * @return this
         */
        public Builder brokers(int number) {
            return with("--brokers", number);
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
