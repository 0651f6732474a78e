import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What a Java program does with a broker, each scenario on topics of its own; prints `ok NAME` or `failed NAME: why`. */
public final class Scenarios {
    private interface Scenario {
        void run() throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private Scenarios(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private static void check(boolean holds, String what) {
        if (!holds)
            throw new AssertionError(what);
    }

    private static void same(Object expected, Object found, String what) {
        check(expected.equals(found), what + ": expected " + expected + ", found " + found);
    }

    private static void fails(Class<?> expected, Scenario call, String what) throws Exception {
        try {
            call.run();
        } catch (ExecutionException e) {
            same(expected, e.getCause().getClass(), what);
            return;
        }
        throw new AssertionError(what + ": expected " + expected + ", but it was accepted");
    }

    private TopicDescription create(String topic, int partitions, Map<String, String> configs) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        return awaited(topic);
    }

    /** Apache Kafka answers a creation before every broker thread knows of it: asks until it does. */
    private TopicDescription awaited(String topic) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
        while (true) {
            try {
                return describe(topic);
            } catch (ExecutionException e) {
                boolean unknown = e.getCause() instanceof UnknownTopicOrPartitionException;
                if (!unknown || System.nanoTime() > deadline)
                    throw e;
            }
        }
    }

    private TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private KafkaProducer<byte[], byte[]> producer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.put("bootstrap.servers", bootstrap);
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Record i has the timestamp `first + 1000 i` and the value `value i`. */
    private void fill(TopicPartition to, int count, long first) throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < count; i++)
                sent.add(producer.send(new ProducerRecord<>(
                    to.topic(), to.partition(), first + 1000L * i, utf8("key " + i), utf8("value " + i))));
            for (int i = 0; i < count; i++)
                same((long) i, sent.get(i).get().offset(), "offset of record " + i);
        }
    }

    private static List<ConsumerRecord<byte[], byte[]>> read(KafkaConsumer<byte[], byte[]> from, int count) {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        while (records.size() < count)
            from.poll(Duration.ofMillis(500)).forEach(records::add);
        return records;
    }

    private void cluster() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        same(1, cluster.nodes().get().size(), "nodes");
        check(cluster.clusterId().get().length() == 22, "cluster id " + cluster.clusterId().get());
        same(cluster.nodes().get().iterator().next().id(), cluster.controller().get().id(), "controller");
        String address = cluster.controller().get().host() + ":" + cluster.controller().get().port();
        same(bootstrap, address, "advertised address");
    }

    private void topics() throws Exception {
        TopicDescription described = create("java.topics", 3, Map.of());
        same(3, described.partitions().size(), "partitions");
        check(!described.topicId().equals(Uuid.ZERO_UUID), "topic id is zero");
        check(!described.isInternal(), "internal");
        for (TopicPartitionInfo partition : described.partitions()) {
            check(partition.leader() != null, "no leader");
            same(1, partition.replicas().size(), "replicas");
            same(partition.replicas(), partition.isr(), "isr");
        }
        check(admin.listTopics().names().get().contains("java.topics"), "listTopics does not name it");
        NewTopic again = new NewTopic("java.topics", 1, (short) 1);
        fails(TopicExistsException.class, () -> admin.createTopics(List.of(again)).all().get(), "created twice");
        NewTopic slash = new NewTopic("java/topics", 1, (short) 1);
        fails(InvalidTopicException.class, () -> admin.createTopics(List.of(slash)).all().get(), "a slash in the name");
        NewTopic three = new NewTopic("java.three", 1, (short) 3);
        fails(InvalidReplicationFactorException.class, () -> admin.createTopics(List.of(three)).all().get(), "3 replicas");
        NewTopic none = new NewTopic("java.none", 0, (short) 1);
        fails(InvalidPartitionsException.class, () -> admin.createTopics(List.of(none)).all().get(), "0 partitions");
        admin.deleteTopics(List.of("java.topics")).all().get();
        fails(UnknownTopicOrPartitionException.class, () -> describe("java.topics"), "described after deletion");
        fails(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of("java.topics")).all().get(),
            "deleted twice");
    }

    private void partitions() throws Exception {
        create("java.partitions", 2, Map.of());
        admin.createPartitions(Map.of("java.partitions", NewPartitions.increaseTo(5))).all().get();
        same(5, describe("java.partitions").partitions().size(), "partitions");
        fails(InvalidPartitionsException.class, () ->
            admin.createPartitions(Map.of("java.partitions", NewPartitions.increaseTo(4))).all().get(), "fewer");
        fill(new TopicPartition("java.partitions", 4), 10, 1_700_000_000_000L);
    }

    private Config configs(ConfigResource.Type type, String name) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    private void configs() throws Exception {
        create("java.configs", 1, Map.of("retention.ms", "86400001", "max.message.bytes", "2000000"));
        Config topic = configs(ConfigResource.Type.TOPIC, "java.configs");
        ConfigEntry retention = topic.get("retention.ms");
        same("86400001", retention.value(), "retention.ms");
        same(ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, retention.source(), "source of retention.ms");
        same(ConfigEntry.ConfigType.LONG, retention.type(), "type of retention.ms");
        same("delete", topic.get("cleanup.policy").value(), "cleanup.policy");
        same(ConfigEntry.ConfigSource.DEFAULT_CONFIG, topic.get("cleanup.policy").source(), "source of cleanup.policy");
        int node = admin.describeCluster().controller().get().id();
        Config broker = configs(ConfigResource.Type.BROKER, String.valueOf(node));
        same("1048588", broker.get("message.max.bytes").value(), "message.max.bytes");
        check(broker.get("log.dirs") != null, "no log.dirs");
        fails(UnknownTopicOrPartitionException.class, () -> configs(ConfigResource.Type.TOPIC, "java.absent"), "absent");
    }

    private void producerDefaults() throws Exception {
        create("java.defaults", 3, Map.of());
        int count = 3000;
        Map<Integer, Long> next = new HashMap<>();
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < count; i++)
                sent.add(producer.send(new ProducerRecord<>("java.defaults", utf8("key " + i), utf8("value " + i))));
            for (Future<RecordMetadata> one : sent) {
                RecordMetadata at = one.get();
                same(next.getOrDefault(at.partition(), 0L), at.offset(), "offset in partition " + at.partition());
                next.put(at.partition(), at.offset() + 1);
            }
        }
        same(3, next.size(), "partitions written");
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            Collection<TopicPartition> all = new ArrayList<>();
            next.keySet().forEach(p -> all.add(new TopicPartition("java.defaults", p)));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            same(count, read(consumer, count).size(), "records read");
        }
    }

    private void seek() throws Exception {
        TopicPartition partition = new TopicPartition("java.seek", 0);
        long first = 1_700_000_000_000L;
        create("java.seek", 1, Map.of());
        fill(partition, 100, first);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 60);
            List<ConsumerRecord<byte[], byte[]>> tail = read(consumer, 40);
            same(60L, tail.get(0).offset(), "first offset");
            same("value 60", new String(tail.get(0).value(), StandardCharsets.UTF_8), "first value");
            same(first + 60_000L, tail.get(0).timestamp(), "first timestamp");
            same(40, tail.size(), "records from 60");
            Map<TopicPartition, OffsetAndTimestamp> found = consumer.offsetsForTimes(Map.of(partition, first + 30_500L));
            same(31L, found.get(partition).offset(), "offsetsForTimes");
            same(first + 31_000L, found.get(partition).timestamp(), "timestamp of offsetsForTimes");
            check(consumer.offsetsForTimes(Map.of(partition, first + 1_000_000L)).get(partition) == null, "after the end");
            same(0L, consumer.beginningOffsets(List.of(partition)).get(partition), "beginning");
            same(100L, consumer.endOffsets(List.of(partition)).get(partition), "end");
        }
    }

    private long offset(TopicPartition partition, OffsetSpec spec) throws Exception {
        ListOffsetsResultInfo found = admin.listOffsets(Map.of(partition, spec)).all().get().get(partition);
        return found.offset();
    }

    private void listOffsets() throws Exception {
        TopicPartition partition = new TopicPartition("java.offsets", 0);
        long first = 1_700_000_000_000L;
        create("java.offsets", 1, Map.of());
        same(-1L, offset(partition, OffsetSpec.maxTimestamp()), "max timestamp of nothing");
        fill(partition, 50, first);
        same(0L, offset(partition, OffsetSpec.earliest()), "earliest");
        same(50L, offset(partition, OffsetSpec.latest()), "latest");
        same(49L, offset(partition, OffsetSpec.maxTimestamp()), "max timestamp");
        same(7L, offset(partition, OffsetSpec.forTimestamp(first + 6_001L)), "for a timestamp");
        same(-1L, offset(partition, OffsetSpec.forTimestamp(first + 999_999L)), "for a timestamp after the end");
        same(0L, offset(partition, OffsetSpec.earliestLocal()), "earliest local");
    }

    private void deleteRecords() throws Exception {
        TopicPartition partition = new TopicPartition("java.delete", 0);
        create("java.delete", 1, Map.of());
        fill(partition, 100, 1_700_000_000_000L);
        long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40))).lowWatermarks()
            .get(partition).get().lowWatermark();
        same(40L, low, "low watermark");
        same(40L, offset(partition, OffsetSpec.earliest()), "earliest");
        fails(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () ->
            admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101))).all().get(), "past the end");
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(Map.of("auto.offset.reset", "none"))) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 40);
            same(40L, read(consumer, 60).get(0).offset(), "first offset");
            consumer.seek(partition, 39);
            try {
                read(consumer, 1);
                throw new AssertionError("read below the log start");
            } catch (OffsetOutOfRangeException expected) {
                same(39L, expected.offsetOutOfRangePartitions().get(partition), "offset out of range");
            }
        }
    }

    private void tooLarge() throws Exception {
        create("java.large", 1, Map.of("max.message.bytes", "10000"));
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of())) {
            byte[] small = new byte[9_000];
            same(0L, producer.send(new ProducerRecord<>("java.large", small)).get().offset(), "offset");
            fails(RecordTooLargeException.class,
                () -> producer.send(new ProducerRecord<>("java.large", new byte[11_000])).get(), "too large");
            same(1L, producer.send(new ProducerRecord<>("java.large", small)).get().offset(), "offset");
        }
    }

    private void autoCreate() throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = producer(Map.of("acks", "1"))) {
            same(0L, producer.send(new ProducerRecord<>("java.auto", utf8("hello"))).get().offset(), "offset");
        }
        same(1, describe("java.auto").partitions().size(), "partitions");
    }

    private Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("cluster", this::cluster);
        all.put("topics", this::topics);
        all.put("partitions", this::partitions);
        all.put("configs", this::configs);
        all.put("producer-defaults", this::producerDefaults);
        all.put("seek", this::seek);
        all.put("list-offsets", this::listOffsets);
        all.put("delete-records", this::deleteRecords);
        all.put("too-large", this::tooLarge);
        all.put("auto-create", this::autoCreate);
        return all;
    }

    public static void main(String[] args) {
        Scenarios scenarios = new Scenarios(args[0]);
        boolean failed = false;
        for (Map.Entry<String, Scenario> one : scenarios.all().entrySet()) {
            try {
                one.getValue().run();
                System.out.println("ok " + one.getKey());
            } catch (Throwable e) {
                failed = true;
                System.out.println("failed " + one.getKey() + ": " + e + " cause " + e.getCause());
                e.printStackTrace();
            }
        }
        scenarios.admin.close(Duration.ofSeconds(1));
        System.exit(failed ? 1 : 0);
    }
}
