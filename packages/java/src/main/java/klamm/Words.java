package klamm;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** Names and values for the broker. Each addition is a new object, so that a constant can be shared by tests. */
abstract class Words {
    private final Map<String, Object> words;

    Words(Map<String, Object> words) {
        this.words = words;
    }

    final Map<String, Object> words() {
        return words;
    }

    final Map<String, Object> plus(String name, Object value) {
        var more = new LinkedHashMap<>(words);
        more.put(name, value);
        return Collections.unmodifiableMap(more);
    }

    @Override
    public final String toString() {
        return Json.write(words);
    }
}
