import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Logins: reads ways to come in as JSON lines (src/login.rs says what is in them), writes two records by each and reads them back,
 * and prints a line for each: what it read, or its error.
 */
public final class Login {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> VALUES = List.of("one", "two");
    private static final int WITHIN_MS = 15000;

    private static String module(String mechanism, JsonNode way) {
        String login = " required username=\"" + way.get("user").asText() + "\" password=\"" + way.get("password").asText() + "\";";
        if (mechanism.equals("PLAIN"))
            return "org.apache.kafka.common.security.plain.PlainLoginModule" + login;
        if (mechanism.startsWith("SCRAM"))
            return "org.apache.kafka.common.security.scram.ScramLoginModule" + login;
        // Kafka's own maker of tokens without a signature.
        return "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\""
            + way.get("user").asText() + "\" unsecuredLoginStringClaim_scope=\"" + way.get("scope").asText() + "\";";
    }

    private static Map<String, Object> config(JsonNode way) throws Exception {
        Map<String, Object> config = new HashMap<>();
        String mechanism = way.get("mechanism").asText();
        config.put("bootstrap.servers", way.get("bootstrap").asText());
        String transport = way.get("tls").asBoolean() ? "SSL" : "PLAINTEXT";
        config.put("security.protocol", (mechanism.isEmpty() ? "" : "SASL_") + transport);
        config.put("default.api.timeout.ms", WITHIN_MS);
        if (way.get("tls").asBoolean()) {
            config.put("ssl.truststore.type", "PEM");
            config.put("ssl.truststore.location", way.get("ca").asText());
        }
        if (!way.get("certificate").asText().isEmpty()) {
            config.put("ssl.keystore.type", "PEM");
            config.put("ssl.keystore.certificate.chain", Files.readString(Path.of(way.get("certificate").asText())));
            config.put("ssl.keystore.key", Files.readString(Path.of(way.get("key").asText())));
        }
        if (!mechanism.isEmpty()) {
            config.put("sasl.mechanism", mechanism);
            config.put("sasl.jaas.config", module(mechanism, way));
        }
        return config;
    }

    private static List<String> roundTrip(JsonNode way) throws Exception {
        String topic = way.get("topic").asText();
        Map<String, Object> config = config(way);
        Map<String, Object> sending = new HashMap<>(config);
        sending.remove("default.api.timeout.ms");
        sending.put("max.block.ms", WITHIN_MS);
        try (KafkaProducer<String, String> producer =
                 new KafkaProducer<>(sending, new StringSerializer(), new StringSerializer())) {
            for (String value : VALUES)
                producer.send(new ProducerRecord<>(topic, 0, null, value)).get();
        }
        List<String> read = new ArrayList<>();
        TopicPartition partition = new TopicPartition(topic, 0);
        try (KafkaConsumer<String, String> consumer =
                 new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = System.currentTimeMillis() + WITHIN_MS;
            while (read.size() < VALUES.size() && System.currentTimeMillis() < end) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200)))
                    read.add(record.value());
            }
        }
        return read;
    }

    private static String reasons(Throwable error) {
        String all = "";
        for (Throwable one = error; one != null; one = one.getCause())
            all += one + " / ";
        return all;
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = JSON.createObjectNode();
            try {
                List<String> read = roundTrip(JSON.readTree(line));
                read.forEach(answer.putArray("read")::add);
            } catch (Exception error) {
                answer.put("error", reasons(error));
            }
            System.out.println(JSON.writeValueAsString(answer));
        }
    }
}
