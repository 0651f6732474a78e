// Asks a running Apache Kafka about configurations of groups and prints groups-4.4.0.tsv.
//
// Usage: java -cp 'libs/*' RecordGroups.java HOST:PORT > groups-4.4.0.tsv
//
// The broker is a fresh one with node.id 1 that was started with the four `group.*` settings of the test in
// config/groups/tests.rs. Lines DESCRIBE are those of describe-4.4.0.tsv behind one more column; lines ALTER give the
// changes (operation, key, value), the error code and the message. No question of the second kind changes anything.

import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.protocol.Errors;

public class RecordGroups {
    static final ConfigResource.Type GROUP = ConfigResource.Type.GROUP;

    static final String[] QUESTIONS = {
        "g1 SET consumer.session.timeout.ms 45000",
        "g1 SET consumer.session.timeout.ms 44999",
        "g1 SET consumer.session.timeout.ms 60000",
        "g1 SET consumer.session.timeout.ms 60001",
        "g1 SET consumer.session.timeout.ms 0",
        "g1 SET consumer.session.timeout.ms x",
        "g1 SET consumer.session.timeout.ms 2147483648",
        "g1 SET consumer.heartbeat.interval.ms 5000",
        "g1 SET consumer.heartbeat.interval.ms 4999",
        "g1 SET consumer.heartbeat.interval.ms 15001",
        "g1 SET consumer.heartbeat.interval.ms -1",
        "g1 SET consumer.assignment.interval.ms 0",
        "g1 SET consumer.assignment.interval.ms -1",
        "g1 SET consumer.assignment.interval.ms 15000",
        "g1 SET consumer.assignment.interval.ms 15001",
        "g1 SET consumer.heartbeat.interval.ms 1 SET consumer.session.timeout.ms 1",
        "g1 SET consumer.heartbeat.interval.ms y SET consumer.session.timeout.ms x",
        "g1 SET share.session.timeout.ms 44999",
        "g1 SET share.session.timeout.ms 60001",
        "g1 SET share.heartbeat.interval.ms 4999",
        "g1 SET share.heartbeat.interval.ms 15001",
        "g1 SET share.record.lock.duration.ms 999",
        "g1 SET share.record.lock.duration.ms 14999",
        "g1 SET share.record.lock.duration.ms 60001",
        "g1 SET share.delivery.count.limit 1",
        "g1 SET share.delivery.count.limit 2",
        "g1 SET share.delivery.count.limit 11",
        "g1 SET share.partition.max.record.locks 99",
        "g1 SET share.partition.max.record.locks 4001",
        "g1 SET share.assignment.interval.ms 15001",
        "g1 SET share.auto.offset.reset earliest",
        "g1 SET share.auto.offset.reset latest",
        "g1 SET share.auto.offset.reset none",
        "g1 SET share.auto.offset.reset EARLIEST",
        "g1 SET share.auto.offset.reset by_duration",
        "g1 SET share.auto.offset.reset by_duration:",
        "g1 SET share.auto.offset.reset by_duration:PT1H",
        "g1 SET share.auto.offset.reset by_duration:P1DT2H3M4.5S",
        "g1 SET share.auto.offset.reset by_duration:p1dt1,s",
        "g1 SET share.auto.offset.reset by_duration:P",
        "g1 SET share.auto.offset.reset by_duration:PT",
        "g1 SET share.auto.offset.reset by_duration:P1DT",
        "g1 SET share.auto.offset.reset by_duration:P1H",
        "g1 SET share.auto.offset.reset by_duration:PT1M1H",
        "g1 SET share.auto.offset.reset by_duration:PT-1S",
        "g1 SET share.auto.offset.reset by_duration:-PT1S",
        "g1 SET share.auto.offset.reset by_duration:-PT-1S",
        "g1 SET share.auto.offset.reset by_duration:PT1H-59M",
        "g1 SET share.auto.offset.reset by_duration:PT0.1234567890S",
        "g1 SET share.auto.offset.reset by_duration:PT.5S",
        "g1 SET share.auto.offset.reset by_duration:PT-0.5S",
        "g1 SET share.auto.offset.reset by_duration:P106751991167301D",
        "g1 SET share.auto.offset.reset by_duration:P106751991167300D",
        "g1 SET share.auto.offset.reset by_duration:PT9223372036854775807S",
        "g1 SET share.auto.offset.reset by_duration:PT9223372036854775808S",
        "g1 SET share.auto.offset.reset by_duration:P1Y",
        "g1 SET share.isolation.level read_committed",
        "g1 SET share.isolation.level READ_COMMITTED",
        "g1 SET share.renew.acknowledge.enable false",
        "g1 SET share.renew.acknowledge.enable no",
        "g1 SET streams.session.timeout.ms 44999",
        "g1 SET streams.session.timeout.ms 60001",
        "g1 SET streams.heartbeat.interval.ms 4999",
        "g1 SET streams.heartbeat.interval.ms 15001",
        "g1 SET streams.num.standby.replicas 3",
        "g1 SET streams.num.standby.replicas 4",
        "g1 SET streams.num.standby.replicas -1",
        "g1 SET streams.initial.rebalance.delay.ms 0",
        "g1 SET streams.initial.rebalance.delay.ms -1",
        "g1 SET streams.assignment.interval.ms 15001",
        "g1 SET consumer.assignor.offload.enable false",
        "g1 SET consumer.assignor.offload.enable no",
        "g1 SET share.assignor.offload.enable false",
        "g1 SET streams.assignor.offload.enable false",
        "g1 SET streams.task.offset.interval.ms 0",
        "g1 SET streams.task.offset.interval.ms 14999",
        "g1 SET streams.task.offset.interval.ms 15000",
        "g1 SET streams.num.warmup.replicas -1",
        "g1 SET streams.num.warmup.replicas 20",
        "g1 SET streams.num.warmup.replicas 21",
        "g1 SET streams.rack.aware.assignment.tags zone",
        "g1 SET streams.rack.aware.assignment.tags zone,cluster",
        "g1 SET streams.rack.aware.assignment.tags zone,cluster,zone",
        "g1 SET streams.rack.aware.assignment.tags zone,,cluster",
        "g1 SET streams.acceptable.recovery.lag -1",
        "g1 SET streams.acceptable.recovery.lag 9223372036854775807",
        "g1 SET streams.assignor.name sticky",
        "g1 SET streams.assignor.name best",
        "g1 SET streams.assignor.name best SET streams.num.warmup.replicas 21",
        "g1 SET streams.assignor.name best SET streams.session.timeout.ms 46000 SET streams.heartbeat.interval.ms 5000",
        "g1 SET errors.deadletterqueue.topic.name dlq.g1",
        "g1 SET errors.deadletterqueue.topic.name __dlq",
        "g1 SET errors.deadletterqueue.topic.name no/topic",
        "g1 SET errors.deadletterqueue.copy.record.enable true",
        "g1 SET errors.deadletterqueue.copy.record.enable 1",
        "g1 SET group.consumer.session.timeout.ms 45000",
        "g1 SET no.such 1",
        "g1 DELETE no.such",
        "g1 DELETE consumer.session.timeout.ms",
        "g1 APPEND consumer.session.timeout.ms 45000",
        "g1 SUBTRACT no.such 1",
        "g2 DELETE consumer.session.timeout.ms",
        "g2 SET share.session.timeout.ms 45000 DELETE consumer.session.timeout.ms",
        "<empty> SET consumer.session.timeout.ms 45000",
        "<empty> APPEND consumer.session.timeout.ms 45000",
        "__not/a:topic SET consumer.session.timeout.ms 45000",
        "BROKER: SET group.consumer.assignment.interval.ms 15001",
        "BROKER:1 SET group.streams.assignment.interval.ms 15001",
        "BROKER:1 SET group.share.assignment.interval.ms 15000",
        "BROKER:1 SET group.consumer.session.timeout.ms 45000",
    };

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        try (Admin admin = Admin.create(properties)) {
            prepare(admin);
            for (String name : List.of("g1", "g2")) describe(admin, name);
            for (String question : QUESTIONS) alter(admin, question);
        }
    }

    static void prepare(Admin admin) throws Exception {
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        changes.put(new ConfigResource(ConfigResource.Type.BROKER, ""),
            List.of(operation("SET", "group.consumer.assignment.interval.ms", "2000"),
                operation("SET", "group.share.assignment.interval.ms", "3000")));
        changes.put(new ConfigResource(GROUP, "g2"), List.of(
            operation("SET", "consumer.session.timeout.ms", "55000"),
            operation("SET", "consumer.assignment.interval.ms", "4000"),
            operation("SET", "share.auto.offset.reset", "by_duration:PT1H"),
            operation("SET", "share.renew.acknowledge.enable", "FALSE"),
            operation("SET", "streams.num.standby.replicas", "3"),
            operation("SET", "streams.task.offset.interval.ms", "20000"),
            operation("SET", "streams.assignor.name", "sticky"),
            operation("SET", "errors.deadletterqueue.topic.name", "dlq.g2")));
        admin.incrementalAlterConfigs(changes).all().get();
        Thread.sleep(2000);
    }

    static AlterConfigOp operation(String operation, String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.valueOf(operation));
    }

    static void describe(Admin admin, String name) throws Exception {
        ConfigResource resource = new ConfigResource(GROUP, name);
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        List<ConfigEntry> entries = new ArrayList<>(admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries());
        entries.sort(Comparator.comparing(ConfigEntry::name));
        for (ConfigEntry entry : entries) {
            StringJoiner synonyms = new StringJoiner(", ", "[", "]");
            entry.synonyms().forEach(s -> synonyms.add(s.name() + "=" + s.value() + "@" + s.source()));
            String flags = (entry.isSensitive() ? "S" : "") + (entry.isReadOnly() ? "R" : "");
            System.out.println(String.join("\t", "DESCRIBE", name, entry.name(), String.valueOf(entry.value()),
                entry.source().toString(), entry.type().toString(), flags, synonyms.toString()));
        }
    }

    static void alter(Admin admin, String question) throws Exception {
        List<String> words = new ArrayList<>(List.of(question.split(" ")));
        String name = words.remove(0).replace("<empty>", "");
        List<AlterConfigOp> operations = new ArrayList<>();
        while (!words.isEmpty()) {
            String operation = words.remove(0);
            String key = words.remove(0);
            String value = operation.equals("DELETE") ? null : words.remove(0);
            operations.add(operation(operation, key, value));
        }
        ConfigResource resource = name.startsWith("BROKER:")
            ? new ConfigResource(ConfigResource.Type.BROKER, name.substring("BROKER:".length()))
            : new ConfigResource(GROUP, name);
        AlterConfigsOptions options = new AlterConfigsOptions().validateOnly(true);
        int code = 0;
        String message = "";
        try {
            admin.incrementalAlterConfigs(Map.of(resource, operations), options).all().get();
        } catch (ExecutionException e) {
            code = Errors.forException(e.getCause()).code();
            message = e.getCause().getMessage();
        }
        System.out.println(String.join("\t", "ALTER", question, Integer.toString(code), message));
    }
}
