package klamm;

import java.util.Map;
import java.util.TreeMap;

/**
 * A topic.
 *
 * @param name its name
 * @param partitions how many
 * @param records how many there are between the first offsets and the high watermarks
 * @param configs those that are set on it
 * @param raw all that the broker tells of it, as JSON is: leaders, offsets and sizes of partitions
 */
public record TopicState(String name, int partitions, long records, Map<String, String> configs, Map<String, Object> raw) {
    static TopicState of(Map<String, Object> raw) {
        var configs = new TreeMap<String, String>();
        Json.object(raw.get("configs")).forEach((key, value) -> configs.put(key, String.valueOf(value)));
        var partitions = Json.list(raw.get("partitions")).size();
        return new TopicState((String) raw.get("topic"), partitions, (Long) raw.get("records"), configs, raw);
    }
}
