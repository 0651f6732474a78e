// An application that sums up orders, with a test of it; and one planted bug.
//
// When a commit fails, because the group has gone on without this member, it goes on as well: what it has not committed comes again
// and is counted twice.
//
//     klamm explore -- java -cp 'classes:libs/*' Turnover
//
// finds that the sum is wrong where the session has ended before a commit. With `--mended` the application keeps, beside its sum,
// how far it has counted each partition. Needs Apache Kafka's client.

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

public final class Turnover {
    private static final List<Integer> AMOUNTS = List.of(1, 20, 300);
    private static final int EXPECTED = 321;

    private static Properties settings(String kind) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("KLAMM_BOOTSTRAP_SERVERS"));
        settings.put("key.serializer", "org.apache.kafka.common.serialization.StringSerializer");
        settings.put("value.serializer", "org.apache.kafka.common.serialization.IntegerSerializer");
        settings.put("key.deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        settings.put("value.deserializer", "org.apache.kafka.common.serialization.IntegerDeserializer");
        settings.put("client.id", kind);
        settings.put("group.id", "turnover");
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", "2");
        return settings;
    }

    /** Sums up orders until as many have come as there are. */
    private static int sum(boolean isMended) {
        int sum = 0;
        int counted = 0;
        Map<TopicPartition, Long> next = new HashMap<>();
        try (KafkaConsumer<String, Integer> consumer = new KafkaConsumer<>(settings("turnover"))) {
            consumer.subscribe(List.of("orders"));
            while (counted < AMOUNTS.size()) {
                for (ConsumerRecord<String, Integer> order : consumer.poll(Duration.ofMillis(500))) {
                    TopicPartition partition = new TopicPartition(order.topic(), order.partition());
                    if (isMended && order.offset() < next.getOrDefault(partition, 0L)) {
                        continue;
                    }
                    next.put(partition, order.offset() + 1);
                    sum += order.value();
                    counted++;
                }
                try {
                    consumer.commitSync();
                } catch (CommitFailedException e) {
                    System.out.println("not committed: " + e.getMessage());
                }
            }
        }
        return sum;
    }

    public static void main(String[] arguments) throws Exception {
        try (KafkaProducer<String, Integer> producer = new KafkaProducer<>(settings("shop"))) {
            for (int amount : AMOUNTS) {
                producer.send(new ProducerRecord<>("orders", "order", amount)).get();
            }
        }
        int sum = sum(List.of(arguments).contains("--mended"));
        if (sum != EXPECTED) {
            System.out.println("the turnover is " + sum + ", not " + EXPECTED);
            System.exit(1);
        }
    }
}
