package klamm;

import java.util.Map;

/**
 * A rule by which the broker breaks, as it was when it was looked at.
 *
 * @param id of the {@link Fault}
 * @param matched how many requests it was for
 * @param struck how many requests it has struck
 * @param over whether it strikes no more
 * @param raw all that the broker tells of it, as JSON is
 */
public record Rule(long id, long matched, long struck, boolean over, Map<String, Object> raw) {
    static Rule of(Map<String, Object> raw) {
        return new Rule((Long) raw.get("id"), (Long) raw.get("matched"), (Long) raw.get("struck"), (Boolean) raw.get("over"), raw);
    }
}
