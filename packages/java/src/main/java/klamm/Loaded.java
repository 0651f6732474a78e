package klamm;

import java.util.Map;

/**
 * What {@link Klamm#loadFixtures(String)} has done.
 *
 * @param topics how many were made
 * @param records how many were written
 */
public record Loaded(long topics, long records) {
    static Loaded of(Map<String, Object> raw) {
        return new Loaded((Long) raw.get("topics"), (Long) raw.get("records"));
    }
}
