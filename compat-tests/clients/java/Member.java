import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group: `Member BOOTSTRAP JSON`. It prints what it is assigned and which records it gets, commits what it has
 * printed, and leaves when its input ends. `src/member.rs` says what the JSON holds and what is printed.
 */
public final class Member {
    private static Map<String, Object> config(String bootstrap, JsonNode spec) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("group.id", spec.get("group").textValue());
        config.put("enable.auto.commit", "false");
        config.put("auto.offset.reset", "earliest");
        config.put("metadata.max.age.ms", "1000");
        if (spec.hasNonNull("instance"))
            config.put("group.instance.id", spec.get("instance").textValue());
        String assignor = spec.get("assignor").textValue();
        if (spec.get("protocol").textValue().equals("consumer")) {
            config.put("group.protocol", "consumer");
            config.put("group.remote.assignor", assignor);
        } else {
            config.put("session.timeout.ms", spec.get("session_ms").asText());
            config.put("heartbeat.interval.ms", "500");
            config.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + Map.of(
                "range", "RangeAssignor", "roundrobin", "RoundRobinAssignor", "sticky", "StickyAssignor",
                "cooperative-sticky", "CooperativeStickyAssignor").get(assignor));
        }
        return config;
    }

    private static void subscribe(KafkaConsumer<byte[], byte[]> consumer, JsonNode spec) {
        boolean isConsumer = spec.get("protocol").textValue().equals("consumer");
        if (spec.hasNonNull("pattern") && isConsumer)
            consumer.subscribe(new SubscriptionPattern(spec.get("pattern").textValue()));
        else if (spec.hasNonNull("pattern"))
            consumer.subscribe(Pattern.compile(spec.get("pattern").textValue()));
        else
            consumer.subscribe(List.of(spec.get("topic").textValue()));
    }

    private static String quoted(java.util.stream.Stream<String> texts) {
        return texts.map(text -> '"' + text + '"').collect(Collectors.joining(",", "[", "]"));
    }

    private static TreeSet<String> names(KafkaConsumer<byte[], byte[]> consumer) {
        return consumer.assignment().stream().map(TopicPartition::toString).collect(Collectors.toCollection(TreeSet::new));
    }

    private static String shown(ConsumerRecord<byte[], byte[]> record) {
        return record.topic() + "-" + record.partition() + "@" + record.offset();
    }

    public static void main(String[] args) throws Exception {
        JsonNode spec = new ObjectMapper().readTree(args[1]);
        AtomicBoolean ends = new AtomicBoolean();
        Thread input = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException e) {
                // Input that cannot be read has ended.
            }
            ends.set(true);
        });
        input.setDaemon(true);
        input.start();
        TreeSet<String> assigned = new TreeSet<>();
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(config(args[0], spec), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            subscribe(consumer, spec);
            while (!ends.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
                TreeSet<String> now = names(consumer);
                if (!now.equals(assigned)) {
                    assigned = now;
                    System.out.println("{\"e\":\"assigned\",\"p\":" + quoted(now.stream()) + "}");
                }
                if (!records.isEmpty()) {
                    java.util.stream.Stream<ConsumerRecord<byte[], byte[]>> all =
                        java.util.stream.StreamSupport.stream(records.spliterator(), false);
                    System.out.println("{\"e\":\"records\",\"r\":" + quoted(all.map(Member::shown)) + "}");
                    consumer.commitSync();
                }
            }
        }
        System.out.println("{\"e\":\"left\"}");
    }
}
