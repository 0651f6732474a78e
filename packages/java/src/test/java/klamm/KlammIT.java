package klamm;

import static klamm.Clients.offsets;
import static klamm.Clients.producer;
import static klamm.Clients.read;
import static klamm.Clients.send;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import klamm.junit.KlammExtension;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Apache Kafka's clients before a broker of each test. */
class KlammIT {
    @RegisterExtension
    private final KlammExtension extension = KlammExtension.of(
            Klamm.builder().topic("orders", 1).topic("fleeting", 1, Map.of("retention.ms", 60_000)));

    @Test
    void produceAndConsume(Klamm klamm) throws Exception {
        send(klamm, "orders", "a", "b", "c");
        assertEquals(List.of("a", "b", "c"), read(klamm, "orders", 3));
        klamm.waitFor(Wait.group("readers").lag(0));
        klamm.waitFor(Wait.group("readers").members(0));
    }

    @Test
    void aRefusalIsRetried(Klamm klamm) throws Exception {
        var fault = klamm.fault(Match.api("Produce").topic("orders"), Action.error("NOT_LEADER_OR_FOLLOWER"), 2);
        send(klamm, "orders", "a");
        assertEquals(2, fault.struck());
        assertTrue(fault.over());
        klamm.assertRequests(Filter.api("Produce").error("NOT_LEADER_OR_FOLLOWER"), Count.exactly(2));
        klamm.assertRequests(Filter.api("Produce").topic("orders"), Count.exactly(3));
    }

    @Test
    void aLostAcknowledgementWritesOnce(Klamm klamm) throws Exception {
        try (var lost = klamm.fault(Match.api("Produce"), Action.close().after(), 1)) {
            send(klamm, "orders", "a");
            assertEquals(1, lost.struck());
        }
        assertEquals(List.of(0L, 1L), offsets(klamm, "orders"));
        klamm.assertRequests(Filter.api("Produce"), Count.atLeast(2));
    }

    @Test
    void anErrorThatIsNotRetried(Klamm klamm) throws Exception {
        klamm.fault(Match.api("Produce"), Action.error("MESSAGE_TOO_LARGE"));
        assertThrows(RecordTooLargeException.class, () -> send(klamm, "orders", "a"));
        assertEquals(1, klamm.removeFaults());
        send(klamm, "orders", "a");
    }

    @Test
    void aHeldRequestGoesOn(Klamm klamm) throws Exception {
        var fault = klamm.fault(Match.api("Produce", "Fetch"), Action.hold());
        try (var producer = producer(klamm, Map.of())) {
            var sent = producer.send(new ProducerRecord<>("orders", "a"));
            Until.so("a Produce is held", () -> fault.struck() > 0);
            assertFalse(sent.isDone());
            fault.release();
            assertEquals(0, sent.get(Until.DEADLINE.toSeconds(), TimeUnit.SECONDS).offset());
        }
        fault.remove();
        fault.remove();
        assertThrows(KlammException.class, fault::matched);
    }

    @Test
    void anHourPasses(Klamm klamm) throws Exception {
        var before = klamm.clock().freeze();
        send(klamm, "fleeting", "a", "b");
        assertEquals(List.of(0L, 2L), offsets(klamm, "fleeting"));
        klamm.clock().advance(Duration.ofHours(1));
        assertEquals(Duration.ofHours(1), Duration.between(before, klamm.clock().now()));
        assertEquals(List.of(2L, 2L), offsets(klamm, "fleeting"));
    }

    @Test
    void theClockIsSet(Klamm klamm) {
        var later = klamm.clock().freeze().plusSeconds(60);
        assertTrue(klamm.clock().frozen());
        assertEquals(later, klamm.clock().set(later));
        klamm.clock().resume();
        assertFalse(klamm.clock().frozen());
        assertThrows(KlammException.class, () -> klamm.clock().advance(Duration.ofDays(10_000)));
    }

    @Test
    void whatWasSent(Klamm klamm) throws Exception {
        send(klamm, Map.of("client.id", "shop"), "orders", "a");
        var found = klamm.requests(Filter.api("Produce").clientId("shop").topic("orders").since(Instant.EPOCH));
        assertEquals(1, found.size());
        var sent = found.get(0);
        assertEquals("apache-kafka-java 4.4.0", sent.software());
        assertEquals(Map.of(), sent.errors());
        assertEquals("a", sent.request("topicData", 0, "partitionData", 0, "records", "batches", 0, "records", 0, "value"));
        assertEquals(0L, sent.answer("responses", 0, "partitionResponses", 0, "baseOffset"));
        assertNull(sent.answer("responses", 1));
        assertEquals(List.of(), klamm.requests(Filter.any().clientId("none")));
        assertEquals(1, klamm.requests(Filter.any().id(found.get(0).id()).broker(1)).size());
        var unread = Wait.topic("orders").fetched(1).partition(0).clientId("none").timeout(Duration.ofMillis(20));
        assertThrows(WaitTimeoutException.class, () -> klamm.waitFor(unread));
    }

    @Test
    void anAssertionFailsWithASentence(Klamm klamm) throws Exception {
        send(klamm, Map.of("client.id", "shop"), "orders", "a");
        var failure = assertThrows(AssertionError.class, () -> klamm.assertRequests(Filter.api("Produce"), Count.atMost(0)));
        assertTrue(failure.getMessage().matches("(?s)1 requests? match.* 0 were expected\n  .* Produce v\\d+ shop"), failure.getMessage());
        var refused = assertThrows(KlammException.class, () -> klamm.assertRequests(Filter.api("Produces"), Count.atMost(0)));
        assertTrue(refused.getMessage().contains("Produces"));
    }

    @Test
    void aWaitEndsWithASentence(Klamm klamm) {
        var wait = Wait.topic("orders").records(1).timeout(Duration.ofMillis(20));
        var over = assertThrows(WaitTimeoutException.class, () -> klamm.waitFor(wait));
        assertTrue(over.getMessage().contains("the topic orders has 0 records"), over.getMessage());
    }

    @Test
    void backToASnapshotAndToTheBeginning(Klamm klamm) throws Exception {
        send(klamm, "orders", "a", "b");
        klamm.snapshot("seeded");
        send(klamm, "orders", "c");
        assertEquals(List.of(0L, 3L), offsets(klamm, "orders"));
        klamm.reset("seeded");
        klamm.waitFor(Wait.topic("orders").records(2));
        assertEquals(List.of(0L, 2L), offsets(klamm, "orders"));
        assertEquals(List.of("a", "b"), read(klamm, "orders", 2));
        klamm.reset();
        klamm.waitFor(Wait.topic("orders").records(0));
        assertEquals(List.of(0L, 0L), offsets(klamm, "orders"));
        send(klamm, "orders", "d");
        assertEquals(List.of("d"), read(klamm, "orders", 1));
        var refused = assertThrows(KlammException.class, () -> klamm.reset("none"));
        assertEquals("there is no such snapshot", refused.getMessage());
    }

    @Test
    void aRuleThatIsWrongIsRefused(Klamm klamm) {
        var refused = assertThrows(KlammException.class, () -> klamm.fault(Match.any(), Action.error("NOPE")));
        assertEquals("there is no error \"NOPE\"", refused.getMessage());
        var match = Match.api("Fetch").versions("3-9").clientId("none").principal("User:none").partition(1).group("g");
        var unused = klamm.fault(match.transactionalId("t").every(2).probability(0.5, 7), Action.delay(Duration.ofMillis(5)), Duration.ofMinutes(1));
        assertEquals(0, unused.matched());
        assertFalse(unused.over());
        for (var action : List.of(Action.noAnswer(), Action.throttle(Duration.ofMillis(1)), Action.truncate(3)))
            klamm.fault(Match.any().clientId("none").nth(1), action);
        klamm.fault(Match.api("Fetch").clientId("none"), Action.corrupt());
        klamm.fault(Match.api("ApiVersions").clientId("none"), Action.offer("{\"Produce\":[3,9],\"EndTxn\":null}"));
        klamm.fault(Match.api("OffsetCommit").fields("{\"groupId\":\"none\"}"), Action.expireMember());
        assertEquals(7, klamm.removeFaults());
    }

    private static final String LINES =
            """
            {"topic":"bills","partitions":2,"configs":{"cleanup.policy":"compact"}}
            {"topic":"bills","partition":1,"key":"k1","value":{"json":{"amount":5}},"headers":[["trace","a"]],"timestamp":1767225600000}
            {"topic":"bills","partition":1,"key":"k2","value":null}
            """;

    @Test
    void topicsAndRecordsInAndOut(Klamm klamm) {
        assertEquals(new Loaded(1, 2), klamm.loadFixtures(LINES));
        assertEquals(List.of("k1", "k2"), klamm.records("bills", 1).stream().map(StoredRecord::key).toList());
        var before = klamm.records("bills", 1, 1);
        assertEquals(1, before.size());
        var first = before.get(0);
        assertEquals("{\"amount\":5}", first.value());
        assertEquals(Instant.ofEpochMilli(1767225600000L), first.timestamp());
        assertEquals(List.of(Map.entry("trace", "a")), first.headers());
        assertEquals(List.of(), klamm.records("bills", 0));
        var topic = klamm.topic("bills");
        assertEquals(2, topic.partitions());
        assertEquals(2, topic.records());
        assertEquals(Map.of("cleanup.policy", "compact"), topic.configs());
        assertEquals(List.of("bills", "fleeting", "orders"), klamm.topics().stream().map(TopicState::name).sorted().toList());
        var dumped = klamm.dumpFixtures("bills");
        assertTrue(klamm.dumpFixtures().contains(dumped));
        klamm.reset();
        assertEquals(new Loaded(1, 2), klamm.loadFixtures(dumped));
        assertEquals(dumped, klamm.dumpFixtures("bills"));
        assertTrue(klamm.metrics().contains("\nkafka_topic_partition_current_offset{topic=\"bills\",partition=\"1\"} 2\n"));
    }

    @Test
    void whatIsNotThereIsSaid(Klamm klamm) {
        var refused = assertThrows(KlammException.class, () -> klamm.loadFixtures("{\"topic\":\"bills\"}\n{\"topic\":7}\n"));
        assertTrue(refused.getMessage().startsWith("line 2: "), refused.getMessage());
        for (var call : List.<org.junit.jupiter.api.function.Executable>of(
                () -> klamm.dumpFixtures("none"), () -> klamm.topic("none"), () -> klamm.records("none", 0), () -> klamm.group("none")))
            assertTrue(assertThrows(KlammException.class, call).getMessage().contains("none"));
    }

    @Test
    void membersAreExpiredAndARebalanceIsForced(Klamm klamm) {
        var assignments = new ArrayList<Integer>();
        var listener = new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(java.util.Collection<TopicPartition> partitions) {}

            @Override
            public void onPartitionsAssigned(java.util.Collection<TopicPartition> partitions) {
                assignments.add(partitions.size());
            }
        };
        try (var consumer = Clients.consumer(klamm)) {
            consumer.subscribe(List.of("orders"), listener);
            Until.so("it has joined", () -> {
                consumer.poll(Duration.ofMillis(10));
                return assignments.size() == 1;
            });
            klamm.forceRebalance("readers");
            Until.so("it has joined again", () -> {
                consumer.poll(Duration.ofMillis(10));
                return assignments.size() > 1;
            });
            for (var isNamed : List.of(true, false)) {
                klamm.waitFor(Wait.group("readers").members(1).timeout(Until.DEADLINE));
                var before = klamm.group("readers").memberIds();
                if (isNamed) klamm.expireMember("readers", before.get(0));
                else klamm.expireMembers("readers");
                Until.so("another member is there", () -> {
                    consumer.poll(Duration.ofMillis(10));
                    var now = klamm.group("readers").memberIds();
                    return !now.isEmpty() && !now.equals(before);
                });
            }
        }
        assertTrue(klamm.groups().get(0).lag().isEmpty() || klamm.groups().get(0).lag().getAsLong() == 0);
    }

    @Test
    void aProducerIsFenced(Klamm klamm) throws Exception {
        try (var producer = producer(klamm, Map.of("transactional.id", "payments"))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("orders", "a")).get(Until.DEADLINE.toSeconds(), TimeUnit.SECONDS);
            klamm.fenceProducer("payments");
            assertThrows(KafkaException.class, producer::commitTransaction);
        }
        assertEquals("aborted", klamm.records("orders", 0).get(0).raw().get("transaction"));
    }

    private static int leader(Klamm klamm) {
        return ((Long) Json.at(klamm.topic("orders").raw(), "partitions", 0, "leader")).intValue();
    }

    @Test
    void consumersAreSentToAFollowerAndToldOfOtherBrokers() throws Exception {
        try (var klamm = Klamm.builder().brokers(3).topic("orders", 1).start()) {
            send(klamm, "orders", "a");
            var follower = leader(klamm) % 3 + 1;
            klamm.setFollower("orders", 0, follower);
            assertEquals(List.of("a"), read(klamm, "orders", 1));
            klamm.assertRequests(Filter.api("Fetch").broker(follower), Count.atLeast(1));
            klamm.setLaggingFollower("orders", 0, follower, 0, 1);
            klamm.unsetFollower("orders", 0);
            klamm.setRack(1, "a");
            klamm.setRack(2, null);
            klamm.hideBroker(3, true);
            var racks = klamm.brokers().stream().map(BrokerState::rack).toList();
            assertEquals(Arrays.asList("a", null, "rack-3"), racks);
            assertEquals(true, klamm.brokers().get(2).raw().get("hidden"));
            klamm.hideBroker(3, false);
            assertEquals(false, klamm.brokers().get(2).raw().get("hidden"));
            klamm.tellLeader("orders", 0, 9, 7);
            klamm.tellTrueLeader("orders", 0);
            klamm.setAddress(2, "proxy.test", 9192);
            klamm.resetAddress(2);
            var refused = assertThrows(KlammException.class, () -> klamm.resetAddress(4));
            assertEquals("there is no broker 4", refused.getMessage());
        }
    }

    @Test
    void leadersAndCoordinatorsMoveAndABrokerGoesDown() throws Exception {
        try (var klamm = Klamm.builder().brokers(3).topic("orders", 1).start()) {
            var before = klamm.brokers();
            assertEquals(List.of(1, 2, 3), before.stream().map(BrokerState::id).toList());
            assertEquals(List.of("rack-1", "rack-2", "rack-3"), before.stream().map(BrokerState::rack).toList());
            var addresses = before.stream().map(broker -> broker.addresses().get(0));
            assertEquals(klamm.bootstrapServers(), addresses.collect(Collectors.joining(",")));
            send(klamm, "orders", "a");
            // The metadata of before are shown once more, and the one that leads now is asked.
            var stale = klamm.fault(Match.api("Metadata"), Action.stale(), 1);
            var moved = leader(klamm) % 3 + 1;
            var refusal = klamm.fault(Match.api("Produce").broker(moved), Action.error("NOT_ENOUGH_REPLICAS"), 1);
            klamm.moveLeader("orders", 0, moved);
            assertEquals(moved, leader(klamm));
            send(klamm, "orders", "b");
            assertEquals(List.of(1L, 1L), List.of(stale.struck(), refusal.struck()));
            assertEquals(List.of("a", "b"), read(klamm, "orders", 2));
            klamm.moveGroupCoordinator("readers", moved);
            send(klamm, "orders", "c");
            assertEquals(List.of("c"), read(klamm, "orders", 1));

            klamm.takeBrokerDown(moved);
            var down = klamm.brokers().get(moved - 1);
            assertFalse(down.up());
            assertEquals(0, down.leads());
            send(klamm, "orders", "d");
            var refused = assertThrows(KlammException.class, () -> klamm.moveLeader("orders", 0, moved));
            assertEquals("the broker " + moved + " is down", refused.getMessage());
            klamm.bringBrokerUp(moved);
            assertTrue(klamm.brokers().stream().allMatch(BrokerState::up));
            assertNotEquals(moved, leader(klamm));
            assertEquals(List.of("a", "b", "c", "d"), klamm.records("orders", 0).stream().map(StoredRecord::value).toList());
        }
    }

    @Test
    void theCoordinatorOfATransactionMoves() throws Exception {
        try (var klamm = Klamm.builder().brokers(3).topic("orders", 1).start();
                var producer = producer(klamm, Map.of("transactional.id", "payments"))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>("orders", "a")).get(Until.DEADLINE.toSeconds(), TimeUnit.SECONDS);
            for (var to : List.of(1, 2, 3)) klamm.moveTransactionCoordinator("payments", to);
            producer.commitTransaction();
            klamm.waitFor(Wait.transaction("payments"));
            assertEquals("committed", klamm.records("orders", 0).get(0).raw().get("transaction"));
        }
    }

    @Test
    void oneBrokerHasNoOther(Klamm klamm) {
        assertEquals(List.of(klamm.bootstrapServers()), klamm.brokers().get(0).addresses());
        var refused = assertThrows(KlammException.class, () -> klamm.takeBrokerDown(1));
        assertTrue(refused.getMessage().contains("this process plays one broker"), refused.getMessage());
    }

    @Test
    void theDiskIsFullAndABatchIsBroken(Klamm klamm) {
        klamm.setDiskFull(true);
        var lines = "{\"topic\":\"orders\",\"value\":\"a\"}\n{\"topic\":\"orders\",\"value\":\"b\"}\n";
        var refused = assertThrows(KlammException.class, () -> klamm.loadFixtures(lines));
        assertTrue(refused.getMessage().contains("error 56"), refused.getMessage());
        klamm.setDiskFull(false);
        klamm.setDiskSyncTime(Duration.ofMillis(1));
        klamm.setDiskSyncsFail(false);
        klamm.loadFixtures(lines);
        assertEquals(0, klamm.corruptBatch("orders", 0, 1));
        assertThrows(KlammException.class, () -> klamm.corruptBatch("orders", 0, 7));
        try (var consumer = Clients.consumer(klamm)) {
            consumer.subscribe(List.of("orders"));
            assertThrows(KafkaException.class, () -> consumer.poll(Until.DEADLINE));
        }
    }

    @Test
    void recordsThatFillNoPageAreAllShown(Klamm klamm) {
        klamm.loadFixtures(("{\"topic\":\"orders\",\"value\":\"" + "x".repeat(16_000) + "\"}\n").repeat(400));
        assertEquals(LongStream.range(0, 400).boxed().toList(), klamm.records("orders", 0).stream().map(StoredRecord::offset).toList());
        assertEquals(300, klamm.records("orders", 0, 300).size());
    }

    @Test
    void snapshotsAreListedAndForgottenAndRulesAreListed(Klamm klamm) {
        klamm.snapshot("a & b");
        assertEquals(List.of("a & b"), klamm.snapshots().stream().map(Snapshot::name).toList());
        klamm.forgetSnapshot("a & b");
        assertEquals(List.of(), klamm.snapshots());
        var fault = klamm.fault(Match.api("Fetch"), Action.hold());
        assertEquals(List.of(fault.id()), klamm.faults().stream().map(Rule::id).toList());
        assertEquals(0, klamm.faults().get(0).struck());
    }

    @Test
    void aLoginOverTls() throws Exception {
        try (var klamm = Klamm.builder().topic("orders", 1).user("alice", "secret").tls().start()) {
            assertEquals("SASL_SSL", klamm.securityProtocol());
            assertTrue(klamm.saslMechanisms().contains("SCRAM-SHA-512"));
            var tls = klamm.tls().orElseThrow();
            var login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=alice password=secret;";
            var settings = Map.<String, Object>of(
                    "security.protocol", klamm.securityProtocol(),
                    "ssl.truststore.location", tls.truststoreP12().toString(),
                    "ssl.truststore.password", tls.password(),
                    "sasl.mechanism", "SCRAM-SHA-512",
                    "sasl.jaas.config", login);
            send(klamm, settings, "orders", "a");
            klamm.assertRequests(Filter.api("Produce").principal("User:alice"), Count.exactly(1));
        }
    }

    @Test
    void brokersSideBySide() throws Exception {
        try (var old = Klamm.builder().asVersion("2.8").start();
                var strict = Klamm.builder().override("auto.create.topics.enable", false).start()) {
            assertNotEquals(old.bootstrapServers(), strict.bootstrapServers());
            assertNotEquals(old.clusterId(), strict.clusterId());
            send(old, "orders", "a");
            var settings = Map.<String, Object>of("max.block.ms", 200);
            assertThrows(TimeoutException.class, () -> send(strict, settings, "orders", "a"));
        }
    }
}
