package klamm;

import java.time.Duration;
import java.util.Map;

/** What happens to the requests that a {@link Fault} is for. */
public final class Action extends Words {
    private Action(Map<String, Object> words) {
        super(words);
    }

    /**
     * @param name an error as in {@code "NOT_LEADER_OR_FOLLOWER"}
     * @return the request is refused with it
     */
    public static Action error(String name) {
        return new Action(Map.of("error", name));
    }

    /**
     * @param duration how long
     * @return it is handled later; with {@link #after} its answer leaves later
     */
    public static Action delay(Duration duration) {
        return new Action(Map.of("delay_ms", duration.toMillis()));
    }

    /** @return it waits until the rule is released or removed; with {@link #after} its answer does */
    public static Action hold() {
        return new Action(Map.of("hold", true));
    }

    /** @return its connection is closed; with {@link #after} behind its effect: an acknowledgement that is lost */
    public static Action close() {
        return new Action(Map.of("close", true));
    }

    /** @return it is never answered, and the connection stays */
    public static Action noAnswer() {
        return new Action(Map.of("no_answer", true));
    }

    /**
     * @param duration what the answer tells
     * @return the client is throttled
     */
    public static Action throttle(Duration duration) {
        return new Action(Map.of("throttle_ms", duration.toMillis()));
    }

    /**
     * @param bytes how many leave
     * @return the answer is cut and the connection closed
     */
    public static Action truncate(int bytes) {
        return new Action(Map.of("truncate", bytes));
    }

    /** @return batches of a Fetch answer have a wrong checksum */
    public static Action corrupt() {
        return new Action(Map.of("corrupt", true));
    }

    /** @return it is answered by what the cluster looked like when the rule was added; for Metadata, FindCoordinator and their like */
    public static Action stale() {
        return new Action(Map.of("stale", true));
    }

    /**
     * @param json as in <code>{"Produce":[3,9],"EndTxn":null}</code>
     * @return an ApiVersions answer offers these versions instead of the broker's own
     */
    public static Action offer(String json) {
        return new Action(Map.of("offer", Json.read(json)));
    }

    /** @return the member that the request names leaves its group first, as if its session had ended */
    public static Action expireMember() {
        return new Action(Map.of("expire_member", true));
    }

    /** @return the same, when the request has had its effect */
    public Action after() {
        return new Action(plus("after", true));
    }

    /**
     * @param by how long the request, or its answer, waits first
     * @return the same when that is over: of error, close, throttle, truncate, corrupt, offer and stale
     */
    public Action late(Duration by) {
        return new Action(plus("delay_ms", by.toMillis()));
    }
}
