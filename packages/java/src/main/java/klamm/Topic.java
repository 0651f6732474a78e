package klamm;

import java.util.Map;

/** A topic that is there from the beginning. */
record Topic(String name, int partitions, Map<String, ?> config) {
    @Override
    public String toString() {
        var text = new StringBuilder(name).append(':').append(partitions);
        config.forEach((key, value) -> text.append(':').append(key).append('=').append(value));
        return text.toString();
    }
}
