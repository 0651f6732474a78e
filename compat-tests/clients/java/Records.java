import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The Java client as a program: `produce BOOTSTRAP TOPIC CODEC` reads records as JSON lines and writes them to partition 0,
 * `consume BOOTSTRAP TOPIC COUNT` reads partition 0 from its beginning and prints them. No group is involved.
 */
public final class Records {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static byte[] bytes(JsonNode node) throws Exception {
        return node == null || node.isNull() ? null : node.binaryValue();
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, JsonNode line) throws Exception {
        Long timestamp = line.get("t").isNull() ? null : line.get("t").longValue();
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(topic, 0, timestamp, bytes(line.get("k")), bytes(line.get("v")));
        for (JsonNode header : line.get("h"))
            record.headers().add(header.get("n").textValue(), bytes(header.get("v")));
        return record;
    }

    private static void produce(String bootstrap, String topic, String codec) throws Exception {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "compression.type", codec);
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
            List<Future<?>> sent = new ArrayList<>();
            for (String line = in.readLine(); line != null; line = in.readLine())
                sent.add(producer.send(record(topic, JSON.readTree(line))));
            for (Future<?> one : sent)
                one.get();
        }
    }

    private static String line(ConsumerRecord<byte[], byte[]> record) throws Exception {
        ObjectNode line = JSON.createObjectNode();
        line.put("t", record.timestamp());
        line.put("k", record.key());
        line.put("v", record.value());
        ArrayNode headers = line.putArray("h");
        for (Header header : record.headers())
            headers.addObject().put("n", header.key()).put("v", header.value());
        return JSON.writeValueAsString(line);
    }

    private static void consume(String bootstrap, String topic, int count) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 0);
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                 Map.of("bootstrap.servers", bootstrap), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            int seen = 0;
            while (seen < count) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    out.println(line(record));
                    seen++;
                }
            }
        }
        out.flush();
    }

    public static void main(String[] args) throws Exception {
        if (args.length == 4 && args[0].equals("produce"))
            produce(args[1], args[2], args[3]);
        else if (args.length == 4 && args[0].equals("consume"))
            consume(args[1], args[2], Integer.parseInt(args[3]));
        else
            throw new IllegalArgumentException("usage: produce BOOTSTRAP TOPIC CODEC | consume BOOTSTRAP TOPIC COUNT");
    }
}
