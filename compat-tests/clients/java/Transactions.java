import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.time.Duration;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Transactions of the Java client on partition 0: `write BOOTSTRAP TOPIC` leaves committed and aborted ones that overlap,
 * and one that stays open; `read BOOTSTRAP TOPIC ISOLATION` prints the end that a consumer of this level is told, then
 * offset and value of each record that it sees.
 */
public final class Transactions {
    private static final int ROUNDS = 20;

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String id) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "transactional.id", id);
        KafkaProducer<byte[], byte[]> producer =
            new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
        producer.initTransactions();
        return producer;
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, String value) throws Exception {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(topic, 0, bytes, bytes)).get();
    }

    private static void write(String bootstrap, String topic) throws Exception {
        List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();
        IntStream.range(0, 3).forEach(n -> producers.add(producer(bootstrap, topic + "-" + n)));
        for (int round = 0; round < ROUNDS; round++) {
            for (KafkaProducer<byte[], byte[]> one : producers)
                one.beginTransaction();
            for (int n = 0; n < 3 * producers.size(); n++)
                send(producers.get(n % producers.size()), topic, "round " + round + " record " + n);
            for (int n = 0; n < producers.size(); n++) {
                if ((round + n) % 3 == 0)
                    producers.get(n).abortTransaction();
                else
                    producers.get(n).commitTransaction();
            }
        }
        KafkaProducer<byte[], byte[]> open = producer(bootstrap, topic + "-open");
        open.beginTransaction();
        send(open, topic, "open");
        producers.get(0).beginTransaction();
        send(producers.get(0), topic, "committed behind an open one");
        producers.get(0).commitTransaction();
        // Closing would abort what is open.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void read(String bootstrap, String topic, String isolation) {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", isolation,
            "max.partition.fetch.bytes", 700);
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            System.out.println("end " + end);
            while (consumer.position(partition) < end)
                consumer.poll(Duration.ofMillis(500)).forEach(r -> System.out.println(r.offset() + " " + r.value()));
        }
    }

    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "write" -> write(arguments[1], arguments[2]);
            case "read" -> read(arguments[1], arguments[2], arguments[3]);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }
}
