package readme;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import klamm.Action;
import klamm.BrokerState;
import klamm.Count;
import klamm.Filter;
import klamm.Klamm;
import klamm.Match;
import klamm.StoredRecord;
import klamm.Wait;
import klamm.junit.KlammExtension;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What README.md shows piece by piece; klamm.ReadmeTest looks that it does. */
class PiecesIT {
    @RegisterExtension
    final KlammExtension extension = KlammExtension.of(
            Klamm.builder().topic("orders", 1).topic("fleeting", 1, Map.of("retention.ms", 60_000)));

    KafkaProducer<String, String> producer(Klamm klamm, Map<String, Object> more) {
        var settings = new java.util.HashMap<>(more);
        settings.put("bootstrap.servers", klamm.bootstrapServers());
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    KafkaConsumer<String, String> consumer(Klamm klamm) {
        var settings = Map.<String, Object>of(
                "bootstrap.servers", klamm.bootstrapServers(), "group.id", "readers", "auto.offset.reset", "earliest");
        var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of("orders"));
        return consumer;
    }

    @Test
    void withoutJUnit() {
        try (Klamm klamm = Klamm.builder().topic("orders", 3, Map.of("retention.ms", 60_000)).start()) {
            System.out.println(klamm.bootstrapServers() + " " + klamm.http());
        }
    }

    @Test
    void aRefusalIsRetried(Klamm klamm) throws Exception {
        var fault = klamm.fault(Match.api("Produce").topic("orders"), Action.error("NOT_LEADER_OR_FOLLOWER"), 2);
        try (var producer = producer(klamm, Map.of())) {
            producer.send(new ProducerRecord<>("orders", "a")).get();
        }
        assertEquals(2, fault.struck());
    }

    @Test
    void anAcknowledgementIsLostBehindItsEffect(Klamm klamm) throws Exception {
        try (var lost = klamm.fault(Match.api("Produce"), Action.close().after(), 1);
                var producer = producer(klamm, Map.of())) {
            producer.send(new ProducerRecord<>("orders", "a")).get();
            assertEquals(1, lost.struck());
        }
        assertEquals(List.of("a"), klamm.records("orders", 0).stream().map(StoredRecord::value).toList()); // and not twice
    }

    @Test
    void anHourPasses(Klamm klamm) {
        klamm.clock().freeze();
        klamm.loadFixtures("""
                {"topic":"fleeting","value":"a"}
                {"topic":"fleeting","value":"b"}
                """);
        assertEquals(2, klamm.records("fleeting", 0).size());
        klamm.clock().advance(Duration.ofHours(1));
        assertEquals(List.of(), klamm.records("fleeting", 0));
        klamm.clock().set(klamm.clock().now().plusSeconds(60));
        klamm.clock().resume();
    }

    @Test
    void whatWasSent(Klamm klamm) throws Exception {
        try (var producer = producer(klamm, Map.of("client.id", "shop"))) {
            producer.send(new ProducerRecord<>("orders", "a")).get();
        }
        klamm.assertRequests(Filter.api("Produce").topic("orders"), Count.atMost(3));
        klamm.assertRequests(Filter.api("InitProducerId").clientId("shop"), Count.exactly(1));
        for (var request : klamm.requests(Filter.any().clientId("shop")))
            System.out.println(request + " " + request.answer("throttleTimeMs"));
    }

    @Test
    void aFixture(Klamm klamm, @TempDir Path folder) throws Exception {
        klamm.loadFixtures("""
                {"topic":"bills","partitions":3,"configs":{"cleanup.policy":"compact"}}
                {"topic":"orders","key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]]}
                """);
        try (var consumer = consumer(klamm)) {
            assertEquals("{\"amount\":5}", consumer.poll(Duration.ofSeconds(30)).iterator().next().value());
        }
        var file = Files.writeString(folder.resolve("fixtures.jsonl"), klamm.dumpFixtures("orders"));
        klamm.reset();
        assertEquals(1, klamm.loadFixtures(file).records());
    }

    @Test
    void aProducerIsFenced(Klamm klamm) {
        try (var producer = producer(klamm, Map.of("transactional.id", "payments"))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("orders", "a"));
            producer.flush();
            klamm.fenceProducer("payments");
            assertThrows(KafkaException.class, producer::commitTransaction);
        }
    }

    @Test
    void theLeaderMoves() throws Exception {
        try (var klamm = Klamm.builder().brokers(3).topic("orders", 1).start();
                var producer = producer(klamm, Map.of())) {
            producer.send(new ProducerRecord<>("orders", "a")).get();
            klamm.moveLeader("orders", 0, 3);
            producer.send(new ProducerRecord<>("orders", "b")).get();

            klamm.takeBrokerDown(3); // another one leads
            producer.send(new ProducerRecord<>("orders", "c")).get();
            klamm.bringBrokerUp(3);
            assertEquals(List.of(true, true, true), klamm.brokers().stream().map(BrokerState::up).toList());
            assertEquals(List.of("a", "b", "c"), klamm.records("orders", 0).stream().map(StoredRecord::value).toList());
        }
    }

    @Test
    void waits(Klamm klamm) {
        klamm.loadFixtures("{\"topic\":\"orders\",\"value\":\"a\"}");
        klamm.waitFor(Wait.topic("orders").records(1));
        try (var consumer = consumer(klamm)) {
            consumer.poll(Duration.ofSeconds(30));
            klamm.waitFor(Wait.group("readers").members(1));      // it has one member and is stable
            consumer.commitSync();
            klamm.waitFor(Wait.group("readers").lag(0).timeout(Duration.ofSeconds(5))); // it has committed, and is not behind
        }
    }

    @Test
    void aSnapshot(Klamm klamm) {
        klamm.loadFixtures("{\"topic\":\"orders\",\"value\":\"a\"}");
        klamm.snapshot("seeded");     // keeps all that is there now
        klamm.loadFixtures("{\"topic\":\"orders\",\"value\":\"b\"}");
        klamm.reset("seeded");        // and it is as it was
        assertEquals(1, klamm.records("orders", 0).size());
        klamm.reset();                // the topics and users of its options, and nothing else
        assertEquals(0, klamm.records("orders", 0).size());
    }
}
