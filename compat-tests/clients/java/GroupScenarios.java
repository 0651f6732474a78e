import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.OffsetMetadataTooLarge;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** What a Java program asks a broker about groups, each scenario on groups of its own; prints `ok NAME` or `failed NAME: why`. */
public final class GroupScenarios {
    private interface Scenario {
        void run() throws Exception;
    }

    private final String bootstrap;
    private final Admin admin;

    private GroupScenarios(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    private static void check(boolean holds, String what) {
        if (!holds)
            throw new AssertionError(what);
    }

    private static void same(Object expected, Object found, String what) {
        check(expected.equals(found), what + ": expected " + expected + ", found " + found);
    }

    private static void fails(Class<?> expected, Scenario call, String what) throws Exception {
        try {
            call.run();
        } catch (ExecutionException e) {
            same(expected, e.getCause().getClass(), what);
            return;
        } catch (RuntimeException e) {
            same(expected, e.getClass(), what);
            return;
        }
        throw new AssertionError(what + ": expected " + expected + ", but it was accepted");
    }

    private KafkaConsumer<byte[], byte[]> consumer(String group, String protocol, Map<String, Object> more) {
        Map<String, Object> config = new HashMap<>(more);
        config.putAll(Map.of("bootstrap.servers", bootstrap, "group.id", group, "group.protocol", protocol,
            "enable.auto.commit", "false", "auto.offset.reset", "earliest"));
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }

    /** Polls until the consumer has so many partitions. */
    private static void join(KafkaConsumer<byte[], byte[]> consumer, String topic, int partitions) {
        consumer.subscribe(List.of(topic));
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (consumer.assignment().size() != partitions) {
            check(System.nanoTime() < deadline, "no assignment");
            consumer.poll(Duration.ofMillis(100));
        }
    }

    private Set<String> listed(ListGroupsOptions options) throws Exception {
        Collection<GroupListing> found = admin.listGroups(options).all().get();
        return found.stream().map(GroupListing::groupId).collect(Collectors.toCollection(TreeSet::new));
    }

    private ConsumerGroupDescription describe(String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    }

    private void list() throws Exception {
        create("list", 2);
        try (KafkaConsumer<byte[], byte[]> classic = consumer("list-classic", "classic", Map.of());
             KafkaConsumer<byte[], byte[]> modern = consumer("list-consumer", "consumer", Map.of())) {
            join(classic, "list", 2);
            join(modern, "list", 2);
            TopicPartition partition = new TopicPartition("list", 0);
            admin.alterConsumerGroupOffsets("list-simple", Map.of(partition, new OffsetAndMetadata(0))).all().get();
            check(listed(new ListGroupsOptions()).containsAll(List.of("list-classic", "list-consumer", "list-simple")), "all");
            same(Set.of("list-consumer"), listed(new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER))), "type");
            same(Set.of("list-classic", "list-simple"),
                listed(new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC))), "type classic");
            same(Set.of("list-classic", "list-consumer"),
                listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))), "state stable");
            same(Set.of("list-simple"), listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.EMPTY))), "state empty");
            same(Set.of(), listed(new ListGroupsOptions().inGroupStates(Set.of(GroupState.DEAD))), "state dead");
            for (GroupListing one : admin.listGroups().all().get()) {
                boolean isSimple = one.groupId().equals("list-simple");
                same(isSimple ? "" : "consumer", one.protocol(), "protocol type of " + one.groupId());
                same(Optional.of(isSimple ? GroupState.EMPTY : GroupState.STABLE), one.groupState(), one.groupId());
            }
        }
    }

    private void describe() throws Exception {
        create("describe", 3);
        Map<String, Object> named = Map.of("client.id", "its-client", "group.instance.id", "its-instance");
        for (String protocol : List.of("classic", "consumer")) {
            String group = "describe-" + protocol;
            try (KafkaConsumer<byte[], byte[]> consumer = consumer(group, protocol, named)) {
                join(consumer, "describe", 3);
                ConsumerGroupDescription described = describe(group);
                same(GroupState.STABLE, described.groupState(), "state");
                same(protocol.equals("classic") ? GroupType.CLASSIC : GroupType.CONSUMER, described.type(), "type");
                same(protocol.equals("classic") ? "range" : "uniform", described.partitionAssignor(), "assignor");
                same(protocol.equals("consumer"), described.groupEpoch().isPresent(), "has a group epoch");
                same(1, described.members().size(), "members");
                MemberDescription member = described.members().iterator().next();
                same("its-client", member.clientId(), "client id");
                same(Optional.of("its-instance"), member.groupInstanceId(), "instance");
                check(member.host().equals("/127.0.0.1"), "host " + member.host());
                same(3, member.assignment().topicPartitions().size(), "assigned partitions");
                check(!described.isSimpleConsumerGroup(), "simple");
                check(described.coordinator() != null, "no coordinator");
            }
        }
        fails(GroupIdNotFoundException.class, () -> describe("describe-absent"), "absent");
    }

    private Map<TopicPartition, OffsetAndMetadata> committed(String group) throws Exception {
        return admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    }

    private void offsets() throws Exception {
        create("offsets", 3);
        TopicPartition zero = new TopicPartition("offsets", 0), one = new TopicPartition("offsets", 1);
        OffsetAndMetadata noted = new OffsetAndMetadata(7, Optional.of(3), "a note");
        admin.alterConsumerGroupOffsets("offsets-a", Map.of(zero, noted, one, new OffsetAndMetadata(9))).all().get();
        same(Map.of(zero, noted, one, new OffsetAndMetadata(9, Optional.empty(), "")), committed("offsets-a"), "altered");
        admin.alterConsumerGroupOffsets("offsets-b", Map.of(zero, new OffsetAndMetadata(1))).all().get();
        Map<String, ListConsumerGroupOffsetsSpec> several = Map.of(
            "offsets-a", new ListConsumerGroupOffsetsSpec().topicPartitions(List.of(zero)),
            "offsets-b", new ListConsumerGroupOffsetsSpec());
        Map<String, Map<TopicPartition, OffsetAndMetadata>> found = admin.listConsumerGroupOffsets(several).all().get();
        same(Map.of(zero, noted), found.get("offsets-a"), "one partition of the first of two groups");
        same(1L, found.get("offsets-b").get(zero).offset(), "second of two groups");
        OffsetAndMetadata long_ = new OffsetAndMetadata(1, "x".repeat(4097));
        fails(OffsetMetadataTooLarge.class,
            () -> admin.alterConsumerGroupOffsets("offsets-a", Map.of(zero, long_)).all().get(), "4,097 bytes of metadata");
        admin.deleteConsumerGroupOffsets("offsets-a", Set.of(zero)).all().get();
        same(Set.of(one), committed("offsets-a").keySet(), "after the deletion of one");
        fails(GroupIdNotFoundException.class,
            () -> admin.deleteConsumerGroupOffsets("offsets-absent", Set.of(zero)).all().get(), "of an absent group");
        for (String protocol : List.of("classic", "consumer")) {
            String group = "offsets-" + protocol;
            try (KafkaConsumer<byte[], byte[]> member = consumer(group, protocol, Map.of())) {
                join(member, "offsets", 3);
                member.commitSync(Map.of(zero, new OffsetAndMetadata(5)));
                same(5L, member.committed(Set.of(zero)).get(zero).offset(), "committed by the member");
                fails(UnknownMemberIdException.class,
                    () -> admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(2))).all().get(),
                    "altered while it is used, " + protocol);
                fails(GroupSubscribedToTopicException.class,
                    () -> admin.deleteConsumerGroupOffsets(group, Set.of(zero)).all().get(), "deleted while it is used");
                fails(GroupNotEmptyException.class,
                    () -> admin.deleteConsumerGroups(List.of(group)).all().get(), "group deleted while it is used");
            }
            admin.alterConsumerGroupOffsets(group, Map.of(zero, new OffsetAndMetadata(2))).all().get();
            same(2L, committed(group).get(zero).offset(), "altered after all have left");
        }
    }

    private void delete() throws Exception {
        create("delete", 1);
        TopicPartition partition = new TopicPartition("delete", 0);
        for (String group : List.of("delete-a", "delete-b"))
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(4))).all().get();
        admin.deleteConsumerGroups(List.of("delete-a", "delete-b")).all().get();
        same(Map.of(), committed("delete-a"), "offsets of a deleted group");
        fails(GroupIdNotFoundException.class,
            () -> admin.deleteConsumerGroups(List.of("delete-a")).all().get(), "deleted twice");
        fails(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of("")).all().get(), "empty name");
        // Offsets go with their topic.
        admin.alterConsumerGroupOffsets("delete-c", Map.of(partition, new OffsetAndMetadata(4))).all().get();
        admin.deleteTopics(List.of("delete")).all().get();
        long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!committed("delete-c").isEmpty())
            check(System.nanoTime() < deadline, "the offsets of a deleted topic remain");
    }

    private void remove() throws Exception {
        create("remove", 2);
        Map<String, Object> is = Map.of("group.instance.id", "one", "session.timeout.ms", "45000");
        try (KafkaConsumer<byte[], byte[]> member = consumer("remove", "classic", is)) {
            join(member, "remove", 2);
        }
        same(1, describe("remove").members().size(), "a static member that has closed");
        admin.removeMembersFromConsumerGroup("remove",
            new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one")))).all().get();
        same(0, describe("remove").members().size(), "after its removal");
        fails(UnknownMemberIdException.class, () -> admin.removeMembersFromConsumerGroup("remove",
            new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one")))).memberResult(new MemberToRemove("one")).get(),
            "removed twice");
        try (KafkaConsumer<byte[], byte[]> member = consumer("remove-all", "classic", Map.of())) {
            join(member, "remove", 2);
            admin.removeMembersFromConsumerGroup("remove-all", new RemoveMembersFromConsumerGroupOptions()).all().get();
            same(GroupState.EMPTY, describe("remove-all").groupState(), "after the removal of all");
            fails(CommitFailedException.class,
                () -> member.commitSync(Map.of(new TopicPartition("remove", 0), new OffsetAndMetadata(1))), "commit of a removed member");
        }
    }

    private String config(String group, String key) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(key).value();
    }

    private void set(String group, String key, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        AlterConfigOp.OpType type = value == null ? AlterConfigOp.OpType.DELETE : AlterConfigOp.OpType.SET;
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(key, value), type)))).all().get();
    }

    private void configs() throws Exception {
        String key = "consumer.session.timeout.ms";
        String before = config("configs", key);
        set("configs", key, "45001");
        same("45001", config("configs", key), "set");
        fails(InvalidConfigurationException.class, () -> set("configs", key, "99999999"), "more than the broker allows");
        fails(InvalidConfigurationException.class, () -> set("configs", "no.such.key", "1"), "unknown key");
        same(Set.of("configs"), admin.listConfigResources(Set.of(ConfigResource.Type.GROUP),
            new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get().stream().map(ConfigResource::name)
            .collect(Collectors.toSet()), "listed");
        set("configs", key, null);
        same(before, config("configs", key), "deleted");
    }

    private Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("list", this::list);
        all.put("describe", this::describe);
        all.put("offsets", this::offsets);
        all.put("delete", this::delete);
        all.put("remove", this::remove);
        all.put("configs", this::configs);
        return all;
    }

    public static void main(String[] args) {
        GroupScenarios scenarios = new GroupScenarios(args[0]);
        boolean failed = false;
        for (Map.Entry<String, Scenario> one : scenarios.all().entrySet()) {
            try {
                one.getValue().run();
                System.out.println("ok " + one.getKey());
            } catch (Throwable e) {
                failed = true;
                System.out.println("failed " + one.getKey() + ": " + e + " cause " + e.getCause());
                e.printStackTrace();
            }
        }
        scenarios.admin.close(Duration.ofSeconds(1));
        System.exit(failed ? 1 : 0);
    }
}
