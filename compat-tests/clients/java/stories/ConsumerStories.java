import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.ConsumerGroupDescribeResponseData;
import org.apache.kafka.common.message.ConsumerGroupHeartbeatRequestData;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataDelta;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorService;
import org.apache.kafka.coordinator.group.generated.*;

/** The commands of {@link GroupStories} that are about the consumer protocol, and about topics. Topics are numbers. */
final class ConsumerStories {
    private record Topic(String name, Uuid id, int partitionCount, List<List<String>> racks)
        implements CoordinatorMetadataImage.TopicMetadata {
        @Override
        public List<String> partitionRacks(int partition) {
            return new ArrayList<>(partition < racks.size() ? racks.get(partition) : List.of());
        }
    }

    private record Delta(TopicsImage image, Set<Uuid> createdTopicIds, Set<Uuid> changedTopicIds, Set<Uuid> deletedTopicIds)
        implements CoordinatorMetadataDelta { }

    private final GroupStories world;
    private TopicsImage image = new TopicsImage(Map.of(), 1);

    ConsumerStories(GroupStories world) {
        this.world = world;
    }

    CoordinatorMetadataImage image() {
        return image;
    }

    private Map<String, Topic> topics() {
        Map<String, Topic> topics = new TreeMap<>();
        image.topics().forEach((name, topic) -> topics.put(name, (Topic) topic));
        return topics;
    }

    /** Runs a command; null if it is not one of these. */
    String execute(GroupStories.Command command, String group) {
        return switch (command.name) {
            case "topic" -> topic(command);
            case "drop_topic" -> {
                Map<String, Topic> topics = topics();
                Topic gone = topics.remove(command.text("name", null));
                change(topics, Set.of(), Set.of(), Set.of(gone.id()));
                yield "";
            }
            case "consumer_settings" -> {
                world.config.assignmentIntervalMs = (int) command.number("assignment_interval_ms", world.config.assignmentIntervalMs);
                world.config.consumerSessionMs = (int) command.number("session_ms", world.config.consumerSessionMs);
                world.config.migration = command.text("migration", "bidirectional");
                yield "";
            }
            case "beat" -> beat(command, group);
            case "describe_consumer" -> describe(group);
            default -> null;
        };
    }

    private void change(Map<String, Topic> topics, Set<Uuid> created, Set<Uuid> changed, Set<Uuid> deleted) {
        TopicsImage before = image;
        image = new TopicsImage(topics, before.version() + 1);
        world.shard.onMetadataUpdate(new Delta(before, created, changed, deleted), image);
    }

    private String topic(GroupStories.Command command) {
        String name = command.text("name", null);
        List<List<String>> racks = command.list("racks").stream()
            .map(of -> Arrays.stream(of.split("\\+")).filter(rack -> !rack.isEmpty()).toList()).toList();
        Uuid id = new Uuid(0, command.number("id", topics().size() + 1));
        Map<String, Topic> topics = topics();
        Topic before = topics.put(name, new Topic(name, id, (int) command.number("partitions", racks.size()), racks));
        boolean isNew = before == null || !before.id().equals(id);
        Set<Uuid> gone = before != null && isNew ? Set.of(before.id()) : Set.of();
        change(topics, isNew ? Set.of(id) : Set.of(), Set.of(id), gone);
        return "";
    }

    private static String partitions(Map<Uuid, ? extends Collection<String>> topics) {
        String text = topics.entrySet().stream()
            .map(topic -> topic.getKey().getLeastSignificantBits() + ":" + String.join("+", topic.getValue()))
            .sorted().collect(Collectors.joining(","));
        return text.isEmpty() ? "-" : text;
    }

    private static List<String> numbers(List<Integer> partitions) {
        return partitions.stream().sorted().map(String::valueOf).toList();
    }

    private static List<ConsumerGroupHeartbeatRequestData.TopicPartitions> owned(String text) {
        return Arrays.stream(text.split(",")).filter(topic -> !topic.equals("-") && !topic.isEmpty()).map(topic -> {
            String[] parts = topic.split(":");
            return new ConsumerGroupHeartbeatRequestData.TopicPartitions().setTopicId(new Uuid(0, Long.parseLong(parts[0])))
                .setPartitions(Arrays.stream(parts[1].split("\\+")).map(Integer::valueOf).toList());
        }).toList();
    }

    private static String sentence(String error, String message) {
        return error + " " + (message == null ? "" : message);
    }

    private String beat(GroupStories.Command command, String group) {
        int epoch = (int) command.number("epoch", 0);
        boolean joins = epoch == 0;
        short version = (short) command.number("v", 1);
        var request = new ConsumerGroupHeartbeatRequestData().setGroupId(group).setMemberId(command.text("member", ""))
            .setMemberEpoch(epoch).setInstanceId(command.text("instance", null)).setRackId(command.text("rack", null))
            .setRebalanceTimeoutMs((int) command.number("rebalance", joins ? 60_000 : -1))
            .setSubscribedTopicRegex(command.text("regex", null)).setServerAssignor(command.text("assignor", null));
        if (command.arguments.containsKey("topics"))
            request.setSubscribedTopicNames(command.list("topics"));
        String owned = command.text("owned", joins ? "-" : null);
        if (owned != null)
            request.setTopicPartitions(owned(owned));
        try {
            validate(request, version);
            var reply = world.apply(world.shard.consumerGroupHeartbeat(
                GroupStories.context(command.text("client", "c"), version), request));
            String text = reply.memberId() + " epoch=" + reply.memberEpoch() + " interval=" + reply.heartbeatIntervalMs();
            if (reply.assignment() == null)
                return text;
            return text + " assignment=" + partitions(reply.assignment().topicPartitions().stream().collect(
                Collectors.toMap(topic -> topic.topicId(), topic -> numbers(topic.partitions()))));
        } catch (RuntimeException error) {
            return sentence(GroupStories.camel(Errors.forException(error)), error.getMessage());
        }
    }

    /** What the service asks for before the shard hears of it, which nobody else can ask. */
    private void validate(ConsumerGroupHeartbeatRequestData request, short version) {
        try {
            var constructor = GroupCoordinatorService.class.getDeclaredConstructors()[0];
            constructor.setAccessible(true);
            Object service = constructor.newInstance(Arrays.stream(constructor.getParameterTypes())
                .map(type -> type == LogContext.class ? new LogContext() : type == GroupCoordinatorConfig.class ? world.config : null)
                .toArray());
            var check = GroupCoordinatorService.class.getDeclaredMethod(
                "throwIfConsumerGroupHeartbeatRequestIsInvalid", ConsumerGroupHeartbeatRequestData.class, int.class);
            check.setAccessible(true);
            check.invoke(service, request, (int) version);
        } catch (java.lang.reflect.InvocationTargetException error) {
            throw (RuntimeException) error.getCause();
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    private static String described(ConsumerGroupDescribeResponseData.Assignment assignment) {
        return partitions(assignment.topicPartitions().stream().collect(
            Collectors.toMap(topic -> topic.topicId(), topic -> numbers(topic.partitions()))));
    }

    private static String orEmpty(String text) {
        return text == null ? "" : text;
    }

    private static String quoted(String text) {
        return "\"" + orEmpty(text) + "\"";
    }

    private String describe(String group) {
        var described = world.shard.consumerGroupDescribe(List.of(group), Long.MAX_VALUE).get(0);
        if (described.errorCode() != 0)
            return sentence(GroupStories.camel(described.errorCode()), described.errorMessage());
        StringBuilder text = new StringBuilder(described.groupState() + " epoch=" + described.groupEpoch()
            + " assignment_epoch=" + described.assignmentEpoch() + " assignor=" + described.assignorName());
        described.members().stream().map(member -> "\n  member " + member.memberId() + " epoch=" + member.memberEpoch()
            + " client=" + member.clientId() + " host=" + member.clientHost()
            + " topics=" + member.subscribedTopicNames().stream().sorted().collect(Collectors.joining("+"))
            + " regex=" + quoted(member.subscribedTopicRegex()) + " instance=" + quoted(member.instanceId())
            + " rack=" + quoted(member.rackId()) + " assigned=" + described(member.assignment())
            + " target=" + described(member.targetAssignment()) + (member.memberType() == 0 ? " classic" : ""))
            .sorted().forEach(text::append);
        return text.toString();
    }

    // Records.

    private static String option(String name, String text) {
        return text == null ? "" : " " + name + "=\"" + text + "\"";
    }

    private String tell(ConsumerGroupMemberMetadataValue value) {
        String text = "client=" + value.clientId() + " host=" + value.clientHost()
            + " topics=" + value.subscribedTopicNames().stream().sorted().collect(Collectors.joining("+"))
            + " rebalance=" + value.rebalanceTimeoutMs() + option("instance", value.instanceId()) + option("rack", value.rackId())
            + option("regex", value.subscribedTopicRegex()) + option("assignor", value.serverAssignor());
        if (value.classicMemberMetadata() != null)
            text += " classic session=" + value.classicMemberMetadata().sessionTimeoutMs() + " protocols="
                + value.classicMemberMetadata().supportedProtocols().stream()
                    .map(protocol -> protocol.name() + ":" + world.bytes(protocol.metadata())).collect(Collectors.joining(","));
        return text;
    }

    private static String recorded(List<ConsumerGroupCurrentMemberAssignmentValue.TopicPartitions> topics) {
        Map<Uuid, List<String>> epochs = new TreeMap<>();
        for (var topic : topics) {
            Map<Integer, Integer> of = new TreeMap<>();
            for (int at = 0; at < topic.partitions().size(); at++)
                of.put(topic.partitions().get(at), topic.assignmentEpochs().get(at));
            epochs.put(topic.topicId(), of.entrySet().stream().map(one -> one.getKey() + "@" + one.getValue()).toList());
        }
        return partitions(epochs);
    }

    /** A record of this protocol; null if it is another one. */
    String tell(CoordinatorRecord record) {
        String group;
        String what;
        if (record.key() instanceof ConsumerGroupMetadataKey key) {
            group = key.groupId();
            what = "epoch";
        } else if (record.key() instanceof ConsumerGroupMemberMetadataKey key) {
            group = key.groupId();
            what = "member " + key.memberId();
        } else if (record.key() instanceof ConsumerGroupTargetAssignmentMetadataKey key) {
            group = key.groupId();
            what = "target";
        } else if (record.key() instanceof ConsumerGroupTargetAssignmentMemberKey key) {
            group = key.groupId();
            what = "target of " + key.memberId();
        } else if (record.key() instanceof ConsumerGroupCurrentMemberAssignmentKey key) {
            group = key.groupId();
            what = "current of " + key.memberId();
        } else if (record.key() instanceof ConsumerGroupPartitionMetadataKey key) {
            group = key.groupId();
            what = "partitions";
        } else if (record.key() instanceof ConsumerGroupRegularExpressionKey key) {
            group = key.groupId();
            what = "regex " + key.regularExpression();
        } else {
            return null;
        }
        if (record.value() == null)
            return "tombstone " + group + " " + what;
        Object message = record.value().message();
        String value = "";
        if (message instanceof ConsumerGroupMetadataValue of)
            value = of.epoch() + " hash=" + of.metadataHash();
        else if (message instanceof ConsumerGroupMemberMetadataValue of)
            value = tell(of);
        else if (message instanceof ConsumerGroupTargetAssignmentMetadataValue of)
            value = of.assignmentEpoch() + " at=" + of.assignmentTimestamp();
        else if (message instanceof ConsumerGroupTargetAssignmentMemberValue of)
            value = partitions(of.topicPartitions().stream().collect(
                Collectors.toMap(topic -> topic.topicId(), topic -> numbers(topic.partitions()))));
        else if (message instanceof ConsumerGroupCurrentMemberAssignmentValue of)
            value = "epoch=" + of.memberEpoch() + " previous=" + of.previousMemberEpoch() + " state=" + of.state()
                + " assigned=" + recorded(of.assignedPartitions()) + " revoking=" + recorded(of.partitionsPendingRevocation());
        else if (message instanceof ConsumerGroupRegularExpressionValue of)
            value = "topics=" + of.topics().stream().sorted().collect(Collectors.joining("+")) + " version=" + of.version()
                + " at=" + of.timestamp();
        return "record " + group + " " + what + " " + value;
    }
}
