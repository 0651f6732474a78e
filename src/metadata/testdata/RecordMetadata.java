// Makes what the tests of the metadata expect in cluster-metadata-*.log, in the metadata log of a running Apache Kafka.
//
// Usage: java -cp 'libs/*' RecordMetadata.java HOST:PORT LIFE, with LIFE 1, then 2 after the broker was stopped and started.
//
// The broker is a fresh one with node.id 1 and num.partitions 1, on 127.0.0.1:19092 with its controller beside it, formatted by
// `kafka-storage format`, with `authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer` and
// `allow.everyone.if.no.acl.found=true`. The recorded file is the log's first segment after the broker's second stop.

import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.StringSerializer;

public class RecordMetadata {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("enable.idempotence", "true");
        try (Admin admin = Admin.create(properties)) {
            if (arguments[1].equals("1")) firstLife(admin); else secondLife(admin);
        }
        // One block of producer ids in each life.
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            producer.send(new ProducerRecord<>("alpha", "k", "v")).get();
        }
    }

    static void firstLife(Admin admin) throws Exception {
        admin.createTopics(List.of(
            new NewTopic("alpha", 3, (short) 1).configs(Map.of("cleanup.policy", "compact")),
            new NewTopic("beta.x", 1, (short) 1).configs(Map.of("retention.ms", "1000", "segment.bytes", "2000000")),
            new NewTopic("gone", 2, (short) 1).configs(Map.of("retention.ms", "5")),
            new NewTopic("manual", Map.of(0, List.of(1), 1, List.of(1))))).all().get();
        admin.createPartitions(Map.of("alpha", NewPartitions.increaseTo(5))).all().get();
        admin.incrementalAlterConfigs(Map.of(
            broker("1"), List.of(set("log.retention.ms", "77"), set("log.cleaner.threads", "2")),
            broker(""), List.of(set("log.retention.ms", "88")))).all().get();
        admin.createAcls(List.of(acl("alpha"), acl("beta.x"))).all().get();
        admin.alterUserScramCredentials(List.of(scram("u1", ScramMechanism.SCRAM_SHA_256), scram("u2", ScramMechanism.SCRAM_SHA_512)))
            .all().get();
        admin.alterClientQuotas(List.of(
            quota(Map.of("user", "u1"), "producer_byte_rate", 1000.0),
            quota(Map.of("client-id", "c1"), "request_percentage", 50.0))).all().get();
        admin.alterClientQuotas(List.of(quota(Map.of("user", "u1"), "consumer_byte_rate", 2000.0))).all().get();
    }

    static void secondLife(Admin admin) throws Exception {
        admin.deleteTopics(List.of("gone")).all().get();
        admin.createTopics(List.of(new NewTopic("bc", 1, (short) 1))).all().get();
        admin.incrementalAlterConfigs(Map.of(broker("1"),
            List.of(new AlterConfigOp(new ConfigEntry("log.cleaner.threads", null), AlterConfigOp.OpType.DELETE)))).all().get();
        admin.deleteAcls(List.of(acl("beta.x").toFilter())).all().get();
        admin.alterUserScramCredentials(List.of(new UserScramCredentialDeletion("u2", ScramMechanism.SCRAM_SHA_512))).all().get();
        admin.alterClientQuotas(List.of(quota(Map.of("user", "u1"), "consumer_byte_rate", null))).all().get();
    }

    static ConfigResource broker(String name) {
        return new ConfigResource(ConfigResource.Type.BROKER, name);
    }

    static AlterConfigOp set(String key, String value) {
        return new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
    }

    static AclBinding acl(String topic) {
        return new AclBinding(new ResourcePattern(ResourceType.TOPIC, topic, PatternType.LITERAL),
            new AccessControlEntry("User:ANONYMOUS", "*", AclOperation.ALL, AclPermissionType.ALLOW));
    }

    static UserScramCredentialUpsertion scram(String user, ScramMechanism mechanism) {
        return new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, 4096), "secret");
    }

    static ClientQuotaAlteration quota(Map<String, String> entity, String key, Double value) {
        return new ClientQuotaAlteration(new ClientQuotaEntity(entity), List.of(new ClientQuotaAlteration.Op(key, value)));
    }
}
