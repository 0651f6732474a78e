package readme;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import klamm.Klamm;
import klamm.Wait;
import klamm.junit.KlammExtension;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

class OrdersIT {
    @RegisterExtension
    final KlammExtension extension = KlammExtension.of(Klamm.builder().topic("orders", 1));

    @Test
    void produceAndConsume(Klamm klamm) throws Exception {
        try (var producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", klamm.bootstrapServers()), new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("orders", "a")).get();
        }
        var settings = Map.<String, Object>of(
                "bootstrap.servers", klamm.bootstrapServers(), "group.id", "readers", "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of("orders"));
            assertEquals("a", consumer.poll(Duration.ofSeconds(30)).iterator().next().value());
            consumer.commitSync();
        }
        klamm.waitFor(Wait.group("readers").lag(0));
    }
}
