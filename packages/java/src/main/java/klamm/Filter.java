package klamm;

import java.time.Instant;
import java.util.Map;

/** Which of the requests that the broker was sent are meant. All that are given must be so. */
public final class Filter extends Words {
    private Filter(Map<String, Object> words) {
        super(words);
    }

    /** @return every request */
    public static Filter any() {
        return new Filter(Map.of());
    }

    /**
     * @param name of an API, as in {@code "Produce"}
     * @return its requests
     */
    public static Filter api(String name) {
        return any().with("api", name);
    }

    /**
     * @param id of a client
     * @return its requests
     */
    public Filter clientId(String id) {
        return with("client_id", id);
    }

    /**
     * @param topic a name
     * @return requests that name this topic
     */
    public Filter topic(String topic) {
        return with("topic", topic);
    }

    /**
     * @param group an id
     * @return requests that name this group
     */
    public Filter group(String group) {
        return with("group", group);
    }

    /**
     * @param principal as ACLs write it, {@code "User:alice"}
     * @return requests of this principal
     */
    public Filter principal(String principal) {
        return with("principal", principal);
    }

    /**
     * @param name of an error
     * @return requests whose answer tells of it
     */
    public Filter error(String name) {
        return with("error", name);
    }

    /**
     * @param moment by the broker's clock
     * @return requests that came then or later
     */
    public Filter since(Instant moment) {
        return with("since", moment.toEpochMilli());
    }

    /**
     * @param id of a broker
     * @return requests that it was asked
     */
    public Filter broker(int id) {
        return with("broker", id);
    }

    /**
     * @param id of a request
     * @return this request alone
     */
    public Filter id(String id) {
        return with("id", id);
    }

    private Filter with(String name, Object value) {
        return new Filter(plus(name, value));
    }
}
