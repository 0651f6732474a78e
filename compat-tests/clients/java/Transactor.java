import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A client with transactions: `Transactor BOOTSTRAP JSON`; `src/transactor.rs` says what it is to do and prints. */
public final class Transactor {
    /** Far beyond what the broker may be away. */
    private static final long PATIENCE_NANOS = 60_000_000_000L;

    private final JsonNode job;
    private final String bootstrap;
    private final Random random;
    private final String name;
    private final String topic;
    private final AtomicBoolean ends = new AtomicBoolean();
    private KafkaProducer<byte[], byte[]> producer;
    private int number;
    private long due = System.nanoTime();

    private Transactor(String bootstrap, JsonNode job) {
        this.bootstrap = bootstrap;
        this.job = job;
        this.random = new Random(job.get("seed").longValue());
        this.name = job.get("name").textValue();
        this.topic = job.get("topic").textValue();
    }

    /** What one transaction consists of. */
    private static final class Work {
        final List<Integer> partitions = new ArrayList<>();
        final List<String> values = new ArrayList<>();
        final Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    }

    private int setting(String setting) {
        return job.get(setting).intValue();
    }

    /** On Linux this is the clock that all processes of a machine share. */
    private static void tell(String event, String rest) {
        System.out.println("{\"e\":\"" + event + "\"" + rest + ",\"at\":" + System.nanoTime() + "}");
    }

    private static String told(Stream<String> texts) {
        return ",\"r\":" + texts.map(text -> '"' + text + '"').collect(Collectors.joining(",", "[", "]"));
    }

    private KafkaProducer<byte[], byte[]> open() {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("transactional.id", job.get("transactional_id").textValue());
        config.put("transaction.timeout.ms", setting("timeout_ms"));
        config.put("request.timeout.ms", setting("request_ms"));
        config.put("delivery.timeout.ms", 2 * setting("request_ms"));
        config.put("max.block.ms", 2 * setting("request_ms"));
        config.put("linger.ms", 2);
        config.put("reconnect.backoff.max.ms", "200");
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Makes a call again for as long as it takes too long. */
    private static <T> T persist(Supplier<T> call) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (true) {
            try {
                return call.get();
            } catch (TimeoutException e) {
                if (System.nanoTime() > deadline)
                    throw e;
            }
        }
    }

    private static void persist(Runnable call) {
        persist(() -> {
            call.run();
            return true;
        });
    }

    /** Another client takes this one's place; what it has left open, the next one ends. */
    private void rest(String why) throws InterruptedException {
        System.err.println(name + ": begins anew: " + why);
        if (producer != null)
            producer.close(Duration.ZERO);
        producer = null;
        Thread.sleep(50 + random.nextInt(setting("rest_ms") + 1));
    }

    private void pace() throws InterruptedException {
        long wait = (due - System.nanoTime()) / 1_000_000;
        if (wait > 0)
            Thread.sleep(wait);
        due = System.nanoTime() + 1_000_000_000L / setting("per_second");
    }

    private boolean run(Work work, KafkaConsumer<byte[], byte[]> consumer) throws InterruptedException {
        pace();
        while (producer == null) {
            try {
                producer = open();
                persist(producer::initTransactions);
            } catch (KafkaException e) {
                rest("initTransactions: " + e);
            }
        }
        tell("begins", ",\"n\":" + number++);
        try {
            return attempt(work, consumer);
        } catch (ProducerFencedException | OutOfOrderSequenceException | AuthorizationException | IllegalStateException e) {
            rest(e.toString());
        } catch (KafkaException e) {
            abort(e);
        }
        return false;
    }

    /** After an error that may leave the client of use. */
    private void abort(KafkaException why) throws InterruptedException {
        try {
            persist(producer::abortTransaction);
            tell("aborted", "");
        } catch (KafkaException | IllegalStateException e) {
            rest(why + ", then " + e);
        }
    }

    private boolean attempt(Work work, KafkaConsumer<byte[], byte[]> consumer) throws InterruptedException {
        producer.beginTransaction();
        String padding = ":" + "x".repeat(setting("padding"));
        tell("writes", told(java.util.stream.IntStream.range(0, work.values.size())
            .mapToObj(n -> topic + "-" + work.partitions.get(n) + "=" + work.values.get(n))));
        for (int n = 0; n < work.values.size(); n++) {
            byte[] bytes = (work.values.get(n) + padding).getBytes(StandardCharsets.UTF_8);
            producer.send(new ProducerRecord<>(topic, work.partitions.get(n), null, bytes));
        }
        Thread.sleep(random.nextInt(40));
        if (consumer != null) {
            tell("offsets", told(work.offsets.entrySet().stream().map(e -> e.getKey() + "@" + e.getValue().offset())));
            persist(() -> producer.sendOffsetsToTransaction(work.offsets, consumer.groupMetadata()));
        }
        int fate = random.nextInt(100);
        if (fate < setting("abandons")) {
            rest("as told");
            return false;
        }
        if (fate < setting("abandons") + setting("aborts")) {
            persist(producer::abortTransaction);
            tell("aborted", "");
            return false;
        }
        tell("commits", "");
        persist(producer::commitTransaction);
        tell("committed", "");
        return true;
    }

    private void produce() throws InterruptedException {
        while (!ends.get()) {
            Work work = new Work();
            int count = 1 + random.nextInt(setting("records"));
            for (int n = 0; n < count; n++) {
                work.partitions.add(random.nextInt(setting("partitions")));
                work.values.add(name + "." + number + "." + n);
            }
            run(work, null);
        }
    }

    private KafkaConsumer<byte[], byte[]> join() {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", job.get("group").textValue());
        config.put("isolation.level", "read_committed");
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("max.poll.records", setting("records"));
        config.put("session.timeout.ms", setting("session_ms"));
        config.put("heartbeat.interval.ms", "500");
        config.put("request.timeout.ms", setting("request_ms"));
        config.put("default.api.timeout.ms", 2 * setting("request_ms"));
        config.put("metadata.max.age.ms", "1000");
        config.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor");
        KafkaConsumer<byte[], byte[]> consumer =
            new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(job.get("input").textValue()));
        return consumer;
    }

    private Work read(ConsumerRecords<byte[], byte[]> records) {
        Work work = new Work();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            TopicPartition partition = new TopicPartition(record.topic(), record.partition());
            work.partitions.add(record.partition() % setting("partitions"));
            work.values.add(name + "." + number + "." + work.values.size() + "<" + partition + "@" + record.offset());
            work.offsets.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        return work;
    }

    /** Goes on where the group has committed. */
    private static void rewind(KafkaConsumer<byte[], byte[]> consumer) {
        Set<TopicPartition> assigned = consumer.assignment();
        Map<TopicPartition, OffsetAndMetadata> committed = persist(() -> consumer.committed(assigned));
        for (TopicPartition partition : assigned) {
            OffsetAndMetadata offset = committed.get(partition);
            consumer.seek(partition, offset == null ? 0 : offset.offset());
        }
    }

    private void process() throws InterruptedException {
        try (KafkaConsumer<byte[], byte[]> consumer = join()) {
            while (!ends.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                if (!records.isEmpty() && !run(read(records), consumer))
                    rewind(consumer);
            }
        }
    }

    public static void main(String[] args) throws Exception {
        Transactor transactor = new Transactor(args[0], new ObjectMapper().readTree(args[1]));
        Thread input = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException e) {
                // Input that cannot be read has ended.
            }
            transactor.ends.set(true);
        });
        input.setDaemon(true);
        input.start();
        if (transactor.job.hasNonNull("group"))
            transactor.process();
        else
            transactor.produce();
        if (transactor.producer != null)
            transactor.producer.close(Duration.ofSeconds(5));
        System.out.println("{\"e\":\"left\"}");
    }
}
