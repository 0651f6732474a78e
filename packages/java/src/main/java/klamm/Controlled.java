package klamm;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a test does with a broker beside the protocol; {@link Klamm} adds the process. */
abstract class Controlled {
    /** How many records the broker shows at most. */
    private static final int MOST_RECORDS = 1000;

    private final Control control;
    private final Clock clock;

    Controlled(Control control) {
        this.control = control;
        clock = new Clock(control);
    }

    /** @return the clock that the broker goes by */
    public Clock clock() {
        return clock;
    }

    /**
     * Adds a rule that stays until it is removed, behind those that are there: the first one that is for a request strikes it.
     *
     * @param match which requests
     * @param action what happens to them
     * @return the rule
     */
    public Fault fault(Match match, Action action) {
        return fault(Map.of("match", match.words(), "action", action.words()));
    }

    /**
     * Adds a rule that strikes so many requests at most.
     *
     * @param match which requests
     * @param action what happens to them
     * @param count how many
     * @return the rule
     */
    public Fault fault(Match match, Action action, int count) {
        return fault(Map.of("match", match.words(), "action", action.words(), "count", count));
    }

    /**
     * Adds a rule that lives so long.
     *
     * @param match which requests
     * @param action what happens to them
     * @param expires when it is over
     * @return the rule
     */
    public Fault fault(Match match, Action action, Duration expires) {
        return fault(Map.of("match", match.words(), "action", action.words(), "expires_ms", expires.toMillis()));
    }

    private Fault fault(Map<String, Object> rule) {
        var ids = Json.list(control.post("/v1/faults", rule).agreed().get("ids"));
        return new Fault(control, (Long) ids.get(0));
    }

    /**
     * Takes away all rules.
     *
     * @return how many there were
     */
    public int removeFaults() {
        return ((Long) control.delete("/v1/faults", Map.of()).agreed().get("removed")).intValue();
    }

    /** @return the rules in their order, with what they have done */
    public List<Rule> faults() {
        return objects(control.get("/v1/faults", Map.of()).agreed(), "faults").map(Rule::of).toList();
    }

    /**
     * The last requests that match, 100 at most.
     *
     * @param filter which
     * @return them in their order, with the records of their batches
     */
    public List<Request> requests(Filter filter) {
        return requests(filter, 100);
    }

    /**
     * The last requests that match.
     *
     * @param filter which
     * @param limit how many at most
     * @return them in their order, with the records of their batches
     */
    public List<Request> requests(Filter filter, int limit) {
        var words = new LinkedHashMap<>(filter.words());
        words.put("limit", limit);
        words.put("records", true);
        return requests(control.get("/v1/requests", words).agreed());
    }

    /**
     * Fails with the broker's sentence, and some of the requests, where more or fewer match.
     *
     * @param filter which requests
     * @param expected how many of them
     */
    public void assertRequests(Filter filter, Count expected) {
        var body = new LinkedHashMap<>(expected.words());
        body.put("match", filter.words());
        var answer = control.post("/v1/requests/assert", body);
        if (answer.status() == 409) {
            var some = requests(answer.body()).stream().map(one -> "\n  " + one);
            throw new AssertionError(answer.sentence() + some.collect(Collectors.joining()));
        }
        answer.agreed();
    }

    private static List<Request> requests(Map<String, Object> answer) {
        return objects(answer, "requests").map(Request::of).toList();
    }

    private static Stream<Map<String, Object>> objects(Map<String, Object> answer, String name) {
        return Json.list(answer.get(name)).stream().map(Json::object);
    }

    /**
     * Returns when all of it is there.
     *
     * @param what is waited for
     * @throws WaitTimeoutException when the time is over; it says what was missing
     */
    public void waitFor(Wait what) {
        var answer = control.get("/v1/wait", what.words(), what.limit());
        if (answer.status() == 408) throw new WaitTimeoutException(answer.sentence());
        answer.agreed();
    }

    /**
     * Puts it back to its beginning: the topics and users of its options, and nothing else. Records, groups, faults and kept
     * requests are gone, the clock is the machine's. Make clients and faults anew.
     */
    public void reset() {
        control.post("/v1/reset", Map.of()).agreed();
    }

    /**
     * Puts it back to a snapshot, as {@link #reset()} does to the beginning.
     *
     * @param snapshot its name
     */
    public void reset(String snapshot) {
        control.post("/v1/reset", Map.of("snapshot", snapshot)).agreed();
    }

    /**
     * Keeps all that is there now, for {@link #reset(String)}; one of that name is replaced. Clients lose their connections.
     *
     * @param name of the snapshot
     */
    public void snapshot(String name) {
        control.post("/v1/snapshots", Map.of("name", name)).agreed();
    }

    /** @return the snapshots that there are */
    public List<Snapshot> snapshots() {
        return objects(control.get("/v1/snapshots", Map.of()).agreed(), "snapshots").map(Snapshot::of).toList();
    }

    /**
     * Forgets a snapshot; its memory is free again.
     *
     * @param name of the snapshot
     */
    public void forgetSnapshot(String name) {
        control.delete("/v1/snapshots", Map.of("name", name)).agreed();
    }

    /**
     * Makes topics and writes records. A line that is wrong is refused with its number, and nothing is written.
     *
     * @param lines of JSON: with a key or a value one is a record, else a topic, as in
     *     <code>{"topic":"orders","key":"k1","value":{"json":{"amount":5}}}</code>
     * @return how many there were
     */
    public Loaded loadFixtures(String lines) {
        return Loaded.of(control.post("/v1/fixtures", Map.of(), lines).agreed());
    }

    /**
     * The same with the lines of a file.
     *
     * @param file with them
     * @return how many there were
     */
    public Loaded loadFixtures(Path file) {
        try {
            return loadFixtures(Files.readString(file));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** @return all topics but internal ones, and their committed records, as lines for {@link #loadFixtures(String)} */
    public String dumpFixtures() {
        return control.get("/v1/fixtures", Map.of()).agreedText();
    }

    /**
     * One topic and its committed records.
     *
     * @param topic its name
     * @return lines for {@link #loadFixtures(String)}
     */
    public String dumpFixtures(String topic) {
        return control.get("/v1/fixtures", Map.of("topic", topic)).agreedText();
    }

    /**
     * Expires all members of a group: they hear of it as when their sessions had ended.
     *
     * @param group its id
     */
    public void expireMembers(String group) {
        deed("expire_member", Map.of("group", group));
    }

    /**
     * Expires a member of a group.
     *
     * @param group its id
     * @param memberId the member's
     */
    public void expireMember(String group, String memberId) {
        deed("expire_member", Map.of("group", group, "member", memberId));
    }

    /**
     * Lets all members of a group join again.
     *
     * @param group its id
     */
    public void forceRebalance(String group) {
        deed("rebalance", Map.of("group", group));
    }

    /**
     * Fences a producer by a successor; what it had open is aborted.
     *
     * @param transactionalId its transactional id
     */
    public void fenceProducer(String transactionalId) {
        deed("fence_producer", Map.of("transactional_id", transactionalId));
    }

    /** Compacts all topics that are compacted, now, their active segments as well. */
    public void compact() {
        deed("compact", Map.of());
    }

    /**
     * Compacts a topic now, its active segment as well.
     *
     * @param topic its name
     */
    public void compact(String topic) {
        deed("compact", Map.of("topic", topic));
    }

    /** Deletes now what all topics keep no longer. */
    public void applyRetention() {
        deed("retain", Map.of());
    }

    /**
     * Deletes now what a topic keeps no longer.
     *
     * @param topic its name
     */
    public void applyRetention(String topic) {
        deed("retain", Map.of("topic", topic));
    }

    /**
     * Lets another broker lead a partition; a new leader epoch begins.
     *
     * @param topic its topic
     * @param partition its number
     * @param to the broker's id
     */
    public void moveLeader(String topic, int partition, int to) {
        deed("move_leader", Map.of("topic", topic, "partition", partition, "to", to));
    }

    /**
     * Lets another broker coordinate a group, and all that share its partition.
     *
     * @param group its id
     * @param to the broker's id
     */
    public void moveGroupCoordinator(String group, int to) {
        deed("move_coordinator", Map.of("group", group, "to", to));
    }

    /**
     * Lets another broker coordinate a transactional id, and all that share its partition.
     *
     * @param transactionalId the id
     * @param to the broker's id
     */
    public void moveTransactionCoordinator(String transactionalId, int to) {
        deed("move_coordinator", Map.of("transactional_id", transactionalId, "to", to));
    }

    /**
     * Takes a broker down: its connections are closed, and others lead what it has led.
     *
     * @param id the broker's
     */
    public void takeBrokerDown(int id) {
        deed("broker_down", Map.of("broker", id));
    }

    /**
     * Brings it back. It leads what has no leader; other leaders stay where they are.
     *
     * @param id the broker's
     */
    public void bringBrokerUp(int id) {
        deed("broker_up", Map.of("broker", id));
    }

    /**
     * Lets the leader of a partition send consumers to a broker, which serves them.
     *
     * @param topic its topic
     * @param partition its number
     * @param broker the broker's id
     */
    public void setFollower(String topic, int partition, int broker) {
        deed("follower", Map.of("topic", topic, "partition", partition, "broker", broker));
    }

    /**
     * Does the same with a broker that has a part of the log only.
     *
     * @param topic its topic
     * @param partition its number
     * @param broker the broker's id
     * @param start the first offset that it has
     * @param end the offset behind the last that it has
     */
    public void setLaggingFollower(String topic, int partition, int broker, long start, long end) {
        deed("follower", Map.of("topic", topic, "partition", partition, "broker", broker, "start", start, "end", end));
    }

    /**
     * Ends what {@link #setFollower} has begun.
     *
     * @param topic its topic
     * @param partition its number
     */
    public void unsetFollower(String topic, int partition) {
        var of = new LinkedHashMap<String, Object>(Map.of("topic", topic, "partition", partition));
        of.put("broker", null);
        deed("follower", of);
    }

    /**
     * Puts a broker into a rack.
     *
     * @param id the broker's
     * @param rack its rack; null is none
     */
    public void setRack(int id, String rack) {
        var of = new LinkedHashMap<String, Object>(Map.of("broker", id));
        of.put("rack", rack);
        deed("rack", of);
    }

    /**
     * Takes a broker out of the lists that clients are told, or puts it back. Its connections stay.
     *
     * @param id the broker's
     * @param hidden whether it is out
     */
    public void hideBroker(int id, boolean hidden) {
        deed("hide", Map.of("broker", id, "hidden", hidden));
    }

    /**
     * Tells clients this leader of a partition, whether there is such or not.
     *
     * @param topic its topic
     * @param partition its number
     * @param leader the broker's id
     * @param epoch the leader epoch
     */
    public void tellLeader(String topic, int partition, int leader, int epoch) {
        deed("told_leader", Map.of("topic", topic, "partition", partition, "leader", leader, "epoch", epoch));
    }

    /**
     * Tells clients who leads again.
     *
     * @param topic its topic
     * @param partition its number
     */
    public void tellTrueLeader(String topic, int partition) {
        deed("told_leader", Map.of("topic", topic, "partition", partition));
    }

    /**
     * Tells clients another address of a broker.
     *
     * @param id the broker's
     * @param host its host
     * @param port its port
     */
    public void setAddress(int id, String host, int port) {
        deed("address", Map.of("broker", id, "host", host, "port", port));
    }

    /**
     * Tells clients a broker's own address again.
     *
     * @param id the broker's
     */
    public void resetAddress(int id) {
        deed("address", Map.of("broker", id));
    }

    /**
     * Fills the disk, or makes room again, as a reset does. While it is full, no log of records grows.
     *
     * @param full whether it is
     */
    public void setDiskFull(boolean full) {
        deed("disk", Map.of("full", full));
    }

    /**
     * Lets each sync take so long, until a reset.
     *
     * @param duration how long
     */
    public void setDiskSyncTime(Duration duration) {
        deed("disk", Map.of("sync_ms", duration.toMillis()));
    }

    /**
     * Lets the next sync find that the device has failed: the broker ends as Kafka does.
     *
     * @param fail whether it does
     */
    public void setDiskSyncsFail(boolean fail) {
        deed("disk", Map.of("syncs_fail", fail));
    }

    /**
     * Breaks a stored batch: its checksum is wrong.
     *
     * @param topic its topic
     * @param partition its partition
     * @param offset one in the batch
     * @return the batch's first offset
     */
    public long corruptBatch(String topic, int partition, long offset) {
        return (Long) deed("corrupt", Map.of("topic", topic, "partition", partition, "offset", offset)).get("base_offset");
    }

    private Map<String, Object> deed(String name, Map<String, Object> of) {
        return control.post("/v1/deeds", Map.of(name, of)).agreed();
    }

    /** @return the brokers that the process plays, in the order of their ids */
    public List<BrokerState> brokers() {
        return objects(control.get("/v1/brokers", Map.of()).agreed(), "brokers").map(BrokerState::of).toList();
    }

    /** @return all topics with their configs and partitions */
    public List<TopicState> topics() {
        return topics(Map.of()).toList();
    }

    /**
     * A topic with its configs and partitions.
     *
     * @param name its name
     * @return the topic
     */
    public TopicState topic(String name) {
        return topics(Map.of("topic", name)).findFirst().orElseThrow();
    }

    private Stream<TopicState> topics(Map<String, Object> words) {
        return objects(control.get("/v1/topics", words).agreed(), "topics").map(TopicState::of);
    }

    /**
     * The last records of a partition.
     *
     * @param topic its topic
     * @param partition its number
     * @return them in the order of their offsets, 1000 at most
     */
    public List<StoredRecord> records(String topic, int partition) {
        return records(topic, partition, Long.MAX_VALUE);
    }

    /**
     * The last records of a partition below an offset.
     *
     * @param topic its topic
     * @param partition its number
     * @param before the offset
     * @return them in the order of their offsets, 1000 at most
     */
    public List<StoredRecord> records(String topic, int partition, long before) {
        var newestFirst = new ArrayList<StoredRecord>();
        // A page has fewer where they are large, or where a compacted log has few among its offsets.
        for (Object next = before; next != null && newestFirst.size() < MOST_RECORDS; ) {
            var limit = MOST_RECORDS - newestFirst.size();
            var words = Map.of("topic", topic, "partition", partition, "limit", limit, "before", next);
            var page = control.get("/v1/records", words).agreed();
            objects(page, "records").map(StoredRecord::of).forEach(newestFirst::add);
            next = page.get("next");
        }
        Collections.reverse(newestFirst);
        return newestFirst;
    }

    /** @return all groups with members, lag, and why their consumers do not read */
    public List<GroupState> groups() {
        return groups(Map.of()).toList();
    }

    /**
     * A group with its members, its lag, and why its consumers do not read.
     *
     * @param id of the group
     * @return the group
     */
    public GroupState group(String id) {
        return groups(Map.of("group", id)).findFirst().orElseThrow();
    }

    private Stream<GroupState> groups(Map<String, Object> words) {
        return objects(control.get("/v1/groups", words).agreed(), "groups").map(GroupState::of);
    }

    /** @return what the broker counts, in Prometheus's text format */
    public String metrics() {
        return control.get("/metrics", Map.of()).agreedText();
    }
}
