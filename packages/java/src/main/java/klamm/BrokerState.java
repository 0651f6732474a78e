package klamm;

import java.util.List;
import java.util.Map;

/**
 * A broker that the process plays.
 *
 * @param id its id
 * @param rack its rack; null where it has none
 * @param up whether it is up
 * @param leads how many partitions it leads
 * @param addresses of its listeners, as in {@code "127.0.0.1:9092"}
 * @param raw all that is told of it, as JSON is
 */
public record BrokerState(int id, String rack, boolean up, int leads, List<String> addresses, Map<String, Object> raw) {
    static BrokerState of(Map<String, Object> raw) {
        var listeners = Json.list(raw.get("listeners")).stream().map(Json::object);
        return new BrokerState(
                ((Long) raw.get("broker")).intValue(),
                (String) raw.get("rack"),
                (Boolean) raw.get("up"),
                ((Long) raw.get("leads")).intValue(),
                listeners.map(one -> one.get("host") + ":" + one.get("port")).toList(),
                raw);
    }
}
