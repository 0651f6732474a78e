package klamm;

import java.util.Map;

/**
 * A snapshot.
 *
 * @param name for {@link Klamm#reset(String)}
 * @param bytes that it takes in memory
 */
public record Snapshot(String name, long bytes) {
    static Snapshot of(Map<String, Object> raw) {
        return new Snapshot((String) raw.get("name"), (Long) raw.get("bytes"));
    }
}
