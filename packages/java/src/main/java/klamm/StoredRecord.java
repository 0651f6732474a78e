package klamm;

import java.time.Instant;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A record in a log. A marker of a transaction is one as well: it has neither key, value nor headers, and {@code control} in
 * {@link #raw}.
 *
 * @param offset its place
 * @param timestamp its time
 * @param key a text, null, or a map as in <code>{"base64":…}</code>
 * @param value the same
 * @param headers each a name and a text, or what stands for bytes
 * @param raw all that the broker tells of it, as JSON is
 */
public record StoredRecord(
        long offset, Instant timestamp, Object key, Object value, List<Map.Entry<String, Object>> headers, Map<String, Object> raw) {
    static StoredRecord of(Map<String, Object> raw) {
        var headers = new ArrayList<Map.Entry<String, Object>>();
        for (var header : Json.list(raw.getOrDefault("headers", List.of()))) {
            var pair = Json.list(header);
            headers.add(new SimpleImmutableEntry<>((String) pair.get(0), pair.get(1)));
        }
        return new StoredRecord(
                (Long) raw.get("offset"), Instant.ofEpochMilli((Long) raw.get("timestamp")), raw.get("key"), raw.get("value"), headers, raw);
    }
}
