package klamm;

import java.time.Duration;
import java.util.Map;

/** What a test waits for. All that is asked for must be there. */
public final class Wait extends Words {
    private static final Duration USUAL = Duration.ofSeconds(10);

    private Wait(Map<String, Object> words) {
        super(words);
    }

    /**
     * @param group an id; add {@link #members} or {@link #lag}
     * @return a wait for this group
     */
    public static Wait group(String group) {
        return new Wait(Map.of("group", group));
    }

    /**
     * @param topic a name
     * @return a wait until this topic is there
     */
    public static Wait topic(String topic) {
        return new Wait(Map.of("topic", topic));
    }

    /**
     * @param transactionalId an id
     * @return a wait until its last transaction has ended; it does not hold before one began
     */
    public static Wait transaction(String transactionalId) {
        return new Wait(Map.of("transactional_id", transactionalId));
    }

    /**
     * @param number how many
     * @return also until the group has so many members and is stable
     */
    public Wait members(int number) {
        return with("members", number);
    }

    /**
     * @param records how many
     * @return also until the group has committed offsets and is so many records behind at most
     */
    public Wait lag(long records) {
        return with("lag", records);
    }

    /**
     * @param number how many
     * @return also until the topic has so many records at least
     */
    public Wait records(long number) {
        return with("records", number);
    }

    /**
     * @param offset of the partition 0, or of the one that {@link #partition} names
     * @return also until a client has asked for the topic's records from this offset on
     */
    public Wait fetched(long offset) {
        return with("fetched", offset);
    }

    /**
     * @param partition that {@link #fetched} is about
     * @return the same, of this partition
     */
    public Wait partition(int partition) {
        return with("partition", partition);
    }

    /**
     * @param id of the client that {@link #fetched} is about
     * @return the same, by this client
     */
    public Wait clientId(String id) {
        return with("client_id", id);
    }

    /**
     * @param limit instead of 10 seconds
     * @return the same, for so long at most
     */
    public Wait timeout(Duration limit) {
        return with("timeout_ms", limit.toMillis());
    }

    Duration limit() {
        return words().get("timeout_ms") instanceof Long limit ? Duration.ofMillis(limit) : USUAL;
    }

    private Wait with(String name, Object value) {
        return new Wait(plus(name, value));
    }
}
