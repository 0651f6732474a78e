// Asks a running Apache Kafka to describe topics and brokers and prints describe-4.4.0.tsv: resource, key, value, source,
// type, flags (sensitive, read-only) and synonyms.
//
// Usage: java -cp 'libs/*' RecordConfigs.java HOST:PORT DIRECTORY > describe-4.4.0.tsv
//
// The broker is a fresh one, formatted by `kafka-storage format`, with the server.properties of the test in config/tests.rs
// but for `log.dirs`, which is DIRECTORY and is printed as /data. This program makes the topics and the dynamic settings.

import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigResource;

public class RecordConfigs {
    static final ConfigResource.Type TOPIC = ConfigResource.Type.TOPIC;
    static final ConfigResource.Type BROKER = ConfigResource.Type.BROKER;

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        try (Admin admin = Admin.create(properties)) {
            admin.createTopics(List.of(
                new NewTopic("t1", 1, (short) 1),
                new NewTopic("t2", 1, (short) 1).configs(Map.of(
                    "segment.bytes", "2000000", "retention.ms", "1000", "cleanup.policy", "compact,delete")))).all().get();
            admin.incrementalAlterConfigs(Map.of(
                new ConfigResource(BROKER, ""), List.of(set("log.retention.ms", "88888888"), set("message.max.bytes", "1000001")),
                new ConfigResource(BROKER, "1"), List.of(set("log.retention.ms", "77777777")))).all().get();
            Thread.sleep(2000);
            describe(admin, TOPIC, "t1", arguments[1]);
            describe(admin, TOPIC, "t2", arguments[1]);
            describe(admin, BROKER, "1", arguments[1]);
            describe(admin, BROKER, "", arguments[1]);
        }
    }

    static AlterConfigOp set(String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    }

    static void describe(Admin admin, ConfigResource.Type type, String name, String directory) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        List<ConfigEntry> entries = new ArrayList<>(admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries());
        entries.sort(Comparator.comparing(ConfigEntry::name));
        for (ConfigEntry entry : entries) {
            StringJoiner synonyms = new StringJoiner(", ", "[", "]");
            entry.synonyms().forEach(s -> synonyms.add(s.name() + "=" + s.value() + "@" + s.source()));
            String flags = (entry.isSensitive() ? "S" : "") + (entry.isReadOnly() ? "R" : "");
            System.out.println(String.join("\t", type + ":" + name, entry.name(), String.valueOf(entry.value()),
                entry.source().toString(), entry.type().toString(), flags, synonyms.toString()).replace(directory, "/data"));
        }
    }
}
