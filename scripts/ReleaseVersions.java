import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;

/**
 * Prints what a broker of one release of Apache Kafka tells in ApiVersions, read from that release's own jars: each API with
 * its lowest and highest version, without those that may still change, and each feature that clients are told of, with its
 * lowest and highest level and the one that a new cluster of that release has. What the classes are called has changed over the
 * years, so that they are asked by their names.
 *
 * Usage: java -cp kafka-clients.jar:kafka-server-common.jar ReleaseVersions.java LISTENER
 */
class ReleaseVersions {
    public static void main(String[] arguments) throws Exception {
        String listener = arguments[0];
        for (ApiMessageType api : new TreeMap<Short, ApiMessageType>() {{
            for (ApiMessageType type : ApiMessageType.values()) put(type.apiKey(), type);
        }}.values()) {
            if (names(api, listener) && ApiKeys.hasId(api.apiKey())) {
                short[] range = range(ApiKeys.forId(api.apiKey()), api, listener);
                if (range != null) System.out.printf("api %d %s %d %d%n", api.apiKey(), api.name, range[0], range[1]);
            }
        }
        features();
    }

    static boolean names(ApiMessageType api, String listener) throws Exception {
        Set<?> listeners = (Set<?>) ApiMessageType.class.getMethod("listeners").invoke(api);
        return listeners.stream().anyMatch(one -> one.toString().equals(listener));
    }

    /** Null where every version may still change. */
    static short[] range(ApiKeys key, ApiMessageType api, String listener) throws Exception {
        for (Method method : ApiKeys.class.getMethods()) {
            if (method.getName().equals("toApiVersionForApiResponse")) {
                Class<?> type = method.getParameterTypes()[1];
                Object scope = type.getMethod("valueOf", String.class).invoke(null, listener);
                return told(((java.util.Optional<?>) method.invoke(key, false, scope)).orElse(null));
            }
        }
        try {
            Object told = ApiKeys.class.getMethod("toApiVersion", boolean.class).invoke(key, false);
            return told(((java.util.Optional<?>) told).orElse(null));
        } catch (NoSuchMethodException before3_5) {
            return new short[] {api.lowestSupportedVersion(), key.latestVersion()};
        }
    }

    static short[] told(Object version) throws Exception {
        if (version == null) return null;
        return new short[] {
            (short) version.getClass().getMethod("minVersion").invoke(version),
            (short) version.getClass().getMethod("maxVersion").invoke(version)
        };
    }

    static void features() throws Exception {
        Class<?> metadata;
        try {
            metadata = Class.forName("org.apache.kafka.server.common.MetadataVersion");
        } catch (ClassNotFoundException before3_3) {
            return;
        }
        Object newest = first(metadata, "LATEST_PRODUCTION", "latestProduction", "latest");
        Object oldest = first(metadata, "MINIMUM_VERSION", "MINIMUM_KRAFT_VERSION");
        Method levelOf = metadata.getMethod("featureLevel");
        System.out.printf("feature metadata.version %s %s %2$s%n", levelOf.invoke(oldest), levelOf.invoke(newest));
        for (String name : new String[] {"Feature", "Features"}) {
            try {
                Class<?> features = Class.forName("org.apache.kafka.server.common." + name);
                if (!features.isEnum()) return; // up to 3.7 it is one level and no list
                for (Object feature : features.getEnumConstants()) {
                    String told = (String) features.getMethod("featureName").invoke(feature);
                    if (told.contains("test.feature")) continue;
                    Object max = features.getMethod("latestProduction").invoke(feature);
                    Object min = 0;
                    try {
                        min = features.getMethod("minimumProduction").invoke(feature);
                    } catch (NoSuchMethodException before4_0) {
                        // The lowest level was 0 for all of them.
                    }
                    Object level = defaultLevel(features, metadata).invoke(feature, newest);
                    System.out.printf("feature %s %s %s %s%n", told, min, max, level);
                }
                return;
            } catch (ClassNotFoundException otherName) {
                // The next one.
            }
        }
    }

    /** What `kafka-storage format` gives a feature that its user does not name. */
    static Method defaultLevel(Class<?> features, Class<?> metadata) throws Exception {
        try {
            return features.getMethod("defaultLevel", metadata);
        } catch (NoSuchMethodException before4_0) {
            return features.getMethod("defaultValue", metadata);
        }
    }

    static Object first(Class<?> of, String... names) throws Exception {
        for (String name : names) {
            for (Field field : of.getFields()) if (field.getName().equals(name)) return field.get(null);
            for (Method method : of.getMethods()) {
                if (method.getName().equals(name) && method.getParameterCount() == 0) return method.invoke(null);
            }
        }
        throw new NoSuchMethodException(String.join(" ", names));
    }
}
