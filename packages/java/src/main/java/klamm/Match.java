package klamm;

import java.util.List;
import java.util.Map;

/** Which requests a {@link Fault} is for. All that are given must be so. */
public final class Match extends Words {
    private Match(Map<String, Object> words) {
        super(words);
    }

    /** @return every request */
    public static Match any() {
        return new Match(Map.of());
    }

    /**
     * @param names of APIs, as in {@code "Produce"}
     * @return requests of these
     */
    public static Match api(String... names) {
        return any().with("api", names.length == 1 ? names[0] : List.of(names));
    }

    /**
     * @param range a version, or a range as in {@code "3-9"}
     * @return requests in these versions of their API
     */
    public Match versions(String range) {
        return with("versions", range);
    }

    /**
     * @param id of a broker
     * @return requests that this broker is sent
     */
    public Match broker(int id) {
        return with("broker", id);
    }

    /**
     * @param expression that the whole id matches
     * @return requests of such clients
     */
    public Match clientId(String expression) {
        return with("client_id", expression);
    }

    /**
     * @param principal as ACLs write it, {@code "User:alice"}
     * @return requests of this principal
     */
    public Match principal(String principal) {
        return with("principal", principal);
    }

    /**
     * @param topic a name
     * @return requests that name this topic
     */
    public Match topic(String topic) {
        return with("topic", topic);
    }

    /**
     * @param partition a number
     * @return requests that name this partition
     */
    public Match partition(int partition) {
        return with("partition", partition);
    }

    /**
     * @param group an id
     * @return requests that name this group
     */
    public Match group(String group) {
        return with("group", group);
    }

    /**
     * @param id a transactional id
     * @return requests that name it
     */
    public Match transactionalId(String id) {
        return with("transactional_id", id);
    }

    /**
     * @param json fields of the body with what they hold, by the protocol's names, as in <code>{"memberEpoch":0}</code>
     * @return requests that hold that
     */
    public Match fields(String json) {
        return with("fields", Json.read(json));
    }

    /**
     * @param n from 1
     * @return the nth request that matches, alone
     */
    public Match nth(int n) {
        return with("nth", n);
    }

    /**
     * @param n from 1
     * @return every nth request that matches
     */
    public Match every(int n) {
        return with("every", n);
    }

    /**
     * @param probability from 0 to 1
     * @param seed with the same one the same requests are drawn
     * @return a share of the requests
     */
    public Match probability(double probability, long seed) {
        return with("probability", probability).with("seed", seed);
    }

    private Match with(String name, Object value) {
        return new Match(plus(name, value));
    }
}
