package klamm;

import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What the tests do with Apache Kafka's clients. */
public final class Clients {
    private Clients() {}

    public static KafkaProducer<String, String> producer(Klamm klamm, Map<String, Object> settings) {
        return new KafkaProducer<>(with(klamm, settings), new StringSerializer(), new StringSerializer());
    }

    public static KafkaConsumer<String, String> consumer(Klamm klamm) {
        var settings = Map.<String, Object>of("group.id", "readers", "auto.offset.reset", "earliest");
        return new KafkaConsumer<>(with(klamm, settings), new StringDeserializer(), new StringDeserializer());
    }

    public static void send(Klamm klamm, String topic, String... values) throws Exception {
        send(klamm, Map.of(), topic, values);
    }

    /** Fails as the client does. */
    public static void send(Klamm klamm, Map<String, Object> settings, String topic, String... values) throws Exception {
        try (var producer = producer(klamm, settings)) {
            var sent = new ArrayList<java.util.concurrent.Future<?>>();
            for (var value : values) sent.add(producer.send(new ProducerRecord<>(topic, value)));
            for (var one : sent) one.get();
        } catch (ExecutionException error) {
            throw (Exception) error.getCause();
        }
    }

    /** Reads so many records as a member of a group, and commits them. */
    public static List<String> read(Klamm klamm, String topic, int count) {
        try (var consumer = consumer(klamm)) {
            consumer.subscribe(List.of(topic));
            var values = new ArrayList<String>();
            while (values.size() < count) {
                var found = consumer.poll(Until.DEADLINE);
                assertFalse(found.isEmpty(), values.size() + " of " + count + " records");
                found.forEach(one -> values.add(one.value()));
            }
            consumer.commitSync();
            return values;
        }
    }

    /** The first offset of the topic's partition 0, and the one behind its last. */
    public static List<Long> offsets(Klamm klamm, String topic) {
        try (var consumer = consumer(klamm)) {
            var partition = new TopicPartition(topic, 0);
            return List.of(
                    consumer.beginningOffsets(List.of(partition)).get(partition),
                    consumer.endOffsets(List.of(partition)).get(partition));
        }
    }

    private static Map<String, Object> with(Klamm klamm, Map<String, Object> settings) {
        var all = new HashMap<String, Object>(settings);
        all.put("bootstrap.servers", klamm.bootstrapServers());
        return all;
    }
}
