import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.network.ClientInformation;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.requests.RequestContext;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.security.auth.KafkaPrincipal;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.common.utils.internals.LogContext;
import org.apache.kafka.coordinator.common.runtime.CoordinatorExecutor;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.common.runtime.CoordinatorResult;
import org.apache.kafka.coordinator.common.runtime.CoordinatorTimer;
import org.apache.kafka.coordinator.group.ConsumerGroupMigrationPolicy;
import org.apache.kafka.coordinator.group.GroupConfigManager;
import org.apache.kafka.coordinator.group.GroupCoordinatorConfig;
import org.apache.kafka.coordinator.group.GroupCoordinatorShard;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.coordinator.group.metrics.GroupCoordinatorMetrics;
import org.apache.kafka.coordinator.group.modern.share.ShareGroupConfig;
import org.apache.kafka.timeline.SnapshotRegistry;

/**
 * Apache Kafka's own group coordinator, told the stories and the table that the coordinator of this project keeps in
 * `src/coordinator/testdata`: what it answers and writes must be what stands there. Prints `ok FILE` or `failed FILE: why`.
 *
 * Not compared: timers (Kafka leaves those of members that are gone to run out), the order of members and answers (a
 * hash table's), and answers to requests that Kafka forgets: those that the same member has repeated since, and a
 * SyncGroup of a member that leaves. For these it must be true that Kafka never answers them. The consumer protocol's
 * commands are in {@link ConsumerStories}.
 */
public final class GroupStories {
    private static final long EPOCH_MS = 1_000_000;
    private static final Pattern UUID = Pattern.compile("-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");

    /** The settings that stories change. */
    static final class Config extends GroupCoordinatorConfig {
        int delayMs = 3000;
        int maxSize = Integer.MAX_VALUE;
        int metadataMax = 4096;
        int consumerMaxSize = Integer.MAX_VALUE;
        int assignmentIntervalMs = super.consumerGroupAssignmentIntervalMs();
        int consumerSessionMs = super.consumerGroupSessionTimeoutMs();
        String migration = "bidirectional";
        long retentionMs = 7 * 24 * 3600 * 1000L;

        Config() {
            super(new AbstractConfig(CONFIG_DEF, new Properties(), false));
        }

        @Override
        public int classicGroupInitialRebalanceDelayMs() {
            return delayMs;
        }

        @Override
        public int classicGroupMaxSize() {
            return maxSize;
        }

        @Override
        public int offsetMetadataMaxSize() {
            return metadataMax;
        }

        @Override
        public int consumerGroupMaxSize() {
            return consumerMaxSize;
        }

        @Override
        public int consumerGroupAssignmentIntervalMs() {
            return assignmentIntervalMs;
        }

        @Override
        public int consumerGroupSessionTimeoutMs() {
            return consumerSessionMs;
        }

        @Override
        public ConsumerGroupMigrationPolicy consumerGroupMigrationPolicy() {
            return ConsumerGroupMigrationPolicy.parse(migration);
        }

        @Override
        public long offsetsRetentionMs() {
            return retentionMs;
        }
    }

    private static final class Clock implements Time {
        long now = EPOCH_MS;

        @Override
        public long milliseconds() {
            return now;
        }

        @Override
        public long nanoseconds() {
            return now * 1_000_000;
        }

        @Override
        public void sleep(long ms) {
            now += ms;
        }

        @Override
        public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) {
            throw new UnsupportedOperationException();
        }
    }

    private record Due(long at, long order, TimeoutOperation operation) { }

    private interface TimeoutOperation {
        CoordinatorResult<Void, CoordinatorRecord> run();
    }

    /** Timers that go off when the story waits. */
    private final class Timers implements CoordinatorTimer<CoordinatorRecord> {
        final Map<String, Due> due = new LinkedHashMap<>();
        long order = 0;

        @Override
        public void schedule(
            String key, long delay, TimeUnit unit, boolean retry, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation
        ) {
            due.put(key, new Due(clock.now + unit.toMillis(delay), order++, operation::generateRecords));
        }

        @Override
        public void schedule(
            String key, long delay, TimeUnit unit, boolean retry, long backoff,
            CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation
        ) {
            // The hourly cleaning: stories say when.
        }

        @Override
        public void scheduleIfAbsent(
            String key, long delay, TimeUnit unit, boolean retry, CoordinatorTimer.TimeoutOperation<CoordinatorRecord> operation
        ) {
            if (!due.containsKey(key))
                schedule(key, delay, unit, retry, operation);
        }

        @Override
        public void cancel(String key) {
            due.remove(key);
        }

        @Override
        public boolean isScheduled(String key) {
            return due.containsKey(key);
        }

        void runUntil(long end) {
            while (true) {
                Optional<Map.Entry<String, Due>> next = due.entrySet().stream()
                    .filter(entry -> entry.getValue().at <= end)
                    .min((a, b) -> a.getValue().at != b.getValue().at
                        ? Long.compare(a.getValue().at, b.getValue().at)
                        : Long.compare(a.getValue().order, b.getValue().order));
                if (next.isEmpty())
                    break;
                due.remove(next.get().getKey());
                clock.now = Math.max(clock.now, next.get().getValue().at);
                apply(next.get().getValue().operation.run());
            }
            clock.now = end;
        }
    }

    private static final class NoExecutor implements CoordinatorExecutor<CoordinatorRecord> {
        @Override
        public <R> boolean schedule(
            String key, TaskRunnable<R> task, TaskOperation<CoordinatorRecord, R> operation
        ) {
            throw new UnsupportedOperationException();
        }

        @Override
        public boolean isScheduled(String key) {
            return false;
        }

        @Override
        public void cancel(String key) {
        }
    }

    final Config config = new Config();
    private final Clock clock = new Clock();
    private Timers timers;
    GroupCoordinatorShard shard;
    private final ConsumerStories consumer = new ConsumerStories(this);
    private final List<CoordinatorRecord> log = new ArrayList<>();
    private final List<String> ids = new ArrayList<>();
    private final Set<String> groups = new TreeSet<>();
    private final List<String> out = new ArrayList<>();
    private final TreeMap<Long, String> replies = new TreeMap<>();
    private final Set<Long> answered = new TreeSet<>();

    private GroupStories() {
        load();
    }

    private void load() {
        timers = new Timers();
        SnapshotRegistry registry = new SnapshotRegistry(new LogContext());
        var both = Utils.mergeConfigs(List.of(GroupCoordinatorConfig.CONFIG_DEF, ShareGroupConfig.CONFIG_DEF));
        var share = new ShareGroupConfig(new AbstractConfig(both, new Properties(), false));
        var builder = new GroupCoordinatorShard.Builder(config, new GroupConfigManager(config, share));
        builder.withAuthorizerPlugin(Optional.empty());
        shard = builder.withLogContext(new LogContext()).withSnapshotRegistry(registry).withTime(clock).withTimer(timers)
            .withExecutor(new NoExecutor()).withCoordinatorMetrics(new GroupCoordinatorMetrics())
            .withTopicPartition(new TopicPartition("__consumer_offsets", 0)).build();
        for (int at = 0; at < log.size(); at++)
            shard.replay(at, -1, (short) -1, log.get(at));
        shard.onLoaded(consumer.image());
    }

    /** As the runtime does it, when the records are written at once. */
    <T> T apply(CoordinatorResult<T, CoordinatorRecord> result) {
        for (CoordinatorRecord record : result.records()) {
            out.add(tell(record));
            if (result.replayRecords())
                shard.replay(log.size(), -1, (short) -1, record);
            log.add(record);
        }
        if (result.appendFuture() != null)
            result.appendFuture().complete(null);
        return result.response();
    }

    static String camel(Errors error) {
        return Arrays.stream(error.name().split("_"))
            .map(word -> word.charAt(0) + word.substring(1).toLowerCase()).collect(Collectors.joining());
    }

    static String camel(short code) {
        return camel(Errors.forCode(code));
    }

    /** How ids begin that a story names and nobody has given out. */
    private static final String UNKNOWN = "-00000000-0000-0000-0000-";

    // Ids: c#1 is the id of the member of client c that was given out first.

    private void learn(String text) {
        Matcher matcher = UUID.matcher(text);
        while (matcher.find())
            if (!ids.contains(matcher.group()) && !matcher.group().startsWith(UNKNOWN))
                ids.add(matcher.group());
    }

    private String shorten(String text) {
        learn(text);
        for (int at = 0; at < ids.size(); at++)
            text = text.replace(ids.get(at), "#" + (at + 1));
        return text.replaceAll(UNKNOWN + "0*", "#");
    }

    private String expand(String text) {
        Matcher matcher = Pattern.compile("#(\\d+)").matcher(text);
        return matcher.replaceAll(found -> {
            int at = Integer.parseInt(found.group(1)) - 1;
            return at < ids.size() ? ids.get(at) : String.format(UNKNOWN + "%012d", at + 1);
        });
    }

    private void learnMembers() {
        for (String group : groups)
            for (var described : shard.describeGroups(context("", 6), List.of(group), Long.MAX_VALUE))
                described.members().forEach(member -> learn(member.memberId()));
    }

    // Commands.

    static final class Command {
        final String name;
        final Map<String, String> arguments = new HashMap<>();

        Command(String line, java.util.function.UnaryOperator<String> expand) {
            String[] words = line.trim().split("\\s+");
            name = words[0];
            for (int at = 1; at < words.length; at++) {
                int equals = words[at].indexOf('=');
                arguments.put(words[at].substring(0, equals), expand.apply(words[at].substring(equals + 1)));
            }
        }

        String text(String key, String otherwise) {
            return arguments.getOrDefault(key, otherwise);
        }

        long number(String key, long otherwise) {
            return arguments.containsKey(key) ? Long.parseLong(arguments.get(key)) : otherwise;
        }

        List<String> list(String key) {
            return Arrays.stream(text(key, "").split(",")).filter(one -> !one.isEmpty()).toList();
        }
    }

    static RequestContext context(String client, int version) {
        try {
            RequestHeader header = new RequestHeader(ApiKeys.JOIN_GROUP, (short) version, client, 0);
            return new RequestContext(header, "1", InetAddress.getByName("127.0.0.1"), KafkaPrincipal.ANONYMOUS,
                ListenerName.normalised("PLAINTEXT"), SecurityProtocol.PLAINTEXT, ClientInformation.EMPTY, false);
        } catch (java.net.UnknownHostException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Runs a command; gives its answer, if it has one at once. */
    private String execute(String line) {
        Command command = new Command(line, this::expand);
        String group = command.text("group", "g");
        groups.add(group);
        String answer = switch (command.name) {
            case "settings" -> {
                config.delayMs = (int) command.number("initial_delay_ms", config.delayMs);
                config.maxSize = (int) command.number("max_size", config.maxSize);
                config.consumerMaxSize = (int) command.number("consumer_max_size", config.consumerMaxSize);
                config.metadataMax = (int) command.number("metadata_max", config.metadataMax);
                config.retentionMs = command.number("retention_ms", config.retentionMs);
                yield "";
            }
            case "wait" -> {
                timers.runUntil(clock.now + command.number("ms", 0));
                yield "";
            }
            case "restart" -> {
                load();
                yield "";
            }
            case "join" -> join(command, group);
            case "sync" -> sync(command, group);
            case "heartbeat" -> heartbeat(command, group);
            case "leave" -> leave(command, group);
            case "describe" -> describe(group);
            case "list" -> list(command);
            case "delete" -> delete(group);
            case "commit" -> commit(command, group);
            case "fetch" -> fetch(command, group);
            case "delete_offsets" -> deleteOffsets(command, group);
            case "expire" -> {
                apply(shard.cleanupGroupMetadata());
                yield "";
            }
            case "forget" -> {
                Uuid topicId = new Uuid(0, command.number("topic_id", 0));
                apply(shard.onTopicsDeleted(command.list("topics").stream()
                    .map(topic -> new GroupCoordinatorShard.DeletedTopic(topicId, topic)).toList()));
                yield "";
            }
            default -> {
                String told = consumer.execute(command, group);
                if (told == null)
                    throw new IllegalArgumentException("unknown command: " + line);
                yield told;
            }
        };
        learn(answer);
        out.forEach(this::learn);
        replies.values().forEach(this::learn);
        learnMembers();
        return answer;
    }

    private void reply(long waiter, String text) {
        replies.put(waiter, text);
        answered.add(waiter);
    }

    private static byte[] metadata(String type, String text) {
        if (!type.equals("consumer") || text.startsWith("!"))
            return text.getBytes(StandardCharsets.UTF_8);
        List<String> topics = Arrays.stream(text.split("\\+")).filter(topic -> !topic.isEmpty()).toList();
        ByteBuffer buffer = ConsumerProtocol.serializeSubscription(new Subscription(topics), (short) 0);
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }

    private String join(Command command, String group) {
        String type = command.text("type", "consumer");
        var protocols = new JoinGroupRequestData.JoinGroupRequestProtocolCollection();
        for (String protocol : command.list("protocols")) {
            String[] parts = protocol.split(":", 2);
            protocols.add(new JoinGroupRequestData.JoinGroupRequestProtocol()
                .setName(parts[0]).setMetadata(metadata(type, parts.length > 1 ? parts[1] : "")));
        }
        long waiter = command.number("as", 0);
        var request = new JoinGroupRequestData().setGroupId(group).setMemberId(command.text("member", ""))
            .setGroupInstanceId(command.text("instance", null)).setProtocolType(type).setProtocols(protocols)
            .setSessionTimeoutMs((int) command.number("session", 10_000))
            .setRebalanceTimeoutMs((int) command.number("rebalance", 60_000));
        CompletableFuture<JoinGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> {
            jointells.put(waiter, tellRow(response));
            reply(waiter, tell(response));
        });
        int session = request.sessionTimeoutMs();
        if (group.isEmpty()) {
            future.complete(new JoinGroupResponseData().setMemberId(request.memberId()).setErrorCode(Errors.INVALID_GROUP_ID.code()));
        } else if (session < config.classicGroupMinSessionTimeoutMs() || session > config.classicGroupMaxSessionTimeoutMs()) {
            future.complete(new JoinGroupResponseData().setMemberId(request.memberId())
                .setErrorCode(Errors.INVALID_SESSION_TIMEOUT.code()));
        } else {
            try {
                // There are no streams groups here, whose topologies would have to be taken care of first.
                var context = context(command.text("client", "c"), (int) command.number("v", 9));
                apply(shard.classicGroupJoin(context, request, future, true));
            } catch (RuntimeException error) {
                future.complete(new JoinGroupResponseData().setErrorCode(Errors.forException(error).code()));
            }
        }
        return "";
    }

    private final Map<Long, String> jointells = new HashMap<>();

    private static String orNull(String text) {
        return text == null ? "null" : text;
    }

    String bytes(byte[] bytes) {
        try {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            if (ConsumerProtocol.deserializeVersion(buffer) >= 0)
                return "[" + String.join("+", ConsumerProtocol.deserializeConsumerProtocolSubscription(buffer, (short) 0).topics()) + "]";
        } catch (RuntimeException error) {
            // It is none.
        }
        return bytes.length == 0 ? "-" : new String(bytes, StandardCharsets.UTF_8);
    }

    private static String instance(String id) {
        return id == null ? "" : " instance=" + id;
    }

    private String tell(JoinGroupResponseData reply) {
        StringBuilder text = new StringBuilder("join " + camel(reply.errorCode()) + " member=" + reply.memberId());
        if (reply.errorCode() == 0)
            text.append(" generation=").append(reply.generationId()).append(" type=").append(orNull(reply.protocolType()))
                .append(" protocol=").append(orNull(reply.protocolName())).append(" leader=").append(reply.leader())
                .append(reply.skipAssignment() ? " skip_assignment" : "");
        reply.members().stream()
            .map(member -> "\n  member " + member.memberId() + instance(member.groupInstanceId())
                + " metadata=" + bytes(member.metadata()))
            .map(this::shorten).sorted().forEach(text::append);
        return text.toString();
    }

    /** As the table tells it. */
    private String tellRow(JoinGroupResponseData reply) {
        if (reply.errorCode() != 0)
            return camel(reply.errorCode()) + "(" + reply.memberId() + ")";
        return "joined(" + reply.memberId() + " generation=" + reply.generationId() + " " + orNull(reply.protocolName())
            + " leader=" + reply.leader() + " members=" + reply.members().size() + (reply.skipAssignment() ? " skip" : "") + ")";
    }

    private String sync(Command command, String group) {
        long waiter = command.number("as", 0);
        var assignments = command.list("assignments").stream().map(one -> one.split(":", 2))
            .map(one -> new SyncGroupRequestData.SyncGroupRequestAssignment().setMemberId(one[0])
                .setAssignment(one[1].getBytes(StandardCharsets.UTF_8))).toList();
        var request = new SyncGroupRequestData().setGroupId(group).setMemberId(command.text("member", ""))
            .setGroupInstanceId(command.text("instance", null)).setGenerationId((int) command.number("generation", -1))
            .setProtocolType(command.text("type", null)).setProtocolName(command.text("protocol", null)).setAssignments(assignments);
        CompletableFuture<SyncGroupResponseData> future = new CompletableFuture<>();
        future.thenAccept(response -> {
            String bytes = new String(response.assignment(), StandardCharsets.UTF_8);
            jointells.put(waiter, response.errorCode() != 0 ? camel(response.errorCode()) : "synced(" + bytes + ")");
            reply(waiter, "sync " + camel(response.errorCode()) + " type=" + orNull(response.protocolType())
                + " protocol=" + orNull(response.protocolName()) + " assignment=" + bytes(response.assignment()));
        });
        if (group.isEmpty()) {
            future.complete(new SyncGroupResponseData().setErrorCode(Errors.INVALID_GROUP_ID.code()));
            return "";
        }
        try {
            apply(shard.classicGroupSync(context("c", 5), request, future));
        } catch (RuntimeException error) {
            future.complete(new SyncGroupResponseData().setErrorCode(Errors.forException(error).code()));
        }
        return "";
    }

    private String heartbeat(Command command, String group) {
        var request = new HeartbeatRequestData().setGroupId(group).setMemberId(command.text("member", ""))
            .setGroupInstanceId(command.text("instance", null)).setGenerationId((int) command.number("generation", -1));
        try {
            return camel(apply(shard.classicGroupHeartbeat(context("c", 4), request)).errorCode());
        } catch (RuntimeException error) {
            return camel(Errors.forException(error));
        }
    }

    private String leave(Command command, String group) {
        var members = command.list("members").stream().map(one -> {
            int slash = one.indexOf('/');
            String id = slash < 0 ? one : one.substring(0, slash);
            return new LeaveGroupRequestData.MemberIdentity().setMemberId(id.equals("-") ? "" : id)
                .setGroupInstanceId(slash < 0 ? null : one.substring(slash + 1));
        }).toList();
        var request = new LeaveGroupRequestData().setGroupId(group).setMembers(members);
        try {
            var response = apply(shard.classicGroupLeave(context("c", 5), request));
            if (response.errorCode() != 0)
                return "Err(" + camel(response.errorCode()) + ")";
            return "Ok(" + response.members().stream().map(member -> camel(member.errorCode())).toList() + ")";
        } catch (org.apache.kafka.common.errors.UnknownMemberIdException error) {
            return "Ok(" + members.stream().map(member -> camel(Errors.UNKNOWN_MEMBER_ID)).toList() + ")";
        }
    }

    private String describe(String group) {
        var described = shard.describeGroups(context("c", 6), List.of(group), Long.MAX_VALUE).get(0);
        if (described.errorCode() != 0)
            return "Refusal { error: " + camel(described.errorCode()) + ", message: Some(\"" + described.errorMessage() + "\") }";
        StringBuilder text = new StringBuilder(described.groupState() + " type=\"" + described.protocolType()
            + "\" protocol=\"" + described.protocolData() + "\"");
        described.members().stream()
            .map(member -> "\n  member " + member.memberId() + instance(member.groupInstanceId()) + " client=" + member.clientId()
                + " host=" + member.clientHost() + " metadata=" + bytes(member.memberMetadata())
                + " assignment=" + bytes(member.memberAssignment()))
            .map(this::shorten).sorted().forEach(text::append);
        return text.toString();
    }

    private String list(Command command) {
        return shard.listGroups(command.list("states"), command.list("types"), Long.MAX_VALUE).stream()
            .map(one -> "Listed { group_id: \"" + one.groupId() + "\", protocol_type: \"" + one.protocolType()
                + "\", state: \"" + one.groupState() + "\", group_type: \"" + one.groupType() + "\" }")
            .sorted().collect(Collectors.joining("\n"));
    }

    private String delete(String group) {
        short error = apply(shard.deleteGroups(context("c", 2), List.of(group))).find(group).errorCode();
        return error == 0 ? "Ok(())" : "Err(" + camel(error) + ")";
    }

    private static void eachPartition(List<String> list, java.util.function.BiConsumer<String, Integer> action) {
        for (String one : list) {
            int dash = one.lastIndexOf('-');
            action.accept(one.substring(0, dash), Integer.parseInt(one.substring(dash + 1)));
        }
    }

    private String commit(Command command, String group) {
        Uuid topicId = new Uuid(0, command.number("topic_id", 0));
        List<OffsetCommitRequestData.OffsetCommitRequestTopic> topics = new ArrayList<>();
        for (String one : command.list("offsets")) {
            String[] parts = one.split(":");
            eachPartition(List.of(parts[0]), (topic, partition) -> {
                if (topics.isEmpty() || !topics.get(topics.size() - 1).name().equals(topic))
                    topics.add(new OffsetCommitRequestData.OffsetCommitRequestTopic().setName(topic).setTopicId(topicId));
                topics.get(topics.size() - 1).partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition()
                    .setPartitionIndex(partition).setCommittedOffset(Long.parseLong(parts[1]))
                    .setCommittedLeaderEpoch((int) command.number("leader_epoch", -1))
                    .setCommittedMetadata(command.text("metadata", null)));
            });
        }
        var request = new OffsetCommitRequestData().setGroupId(group).setMemberId(command.text("member", ""))
            .setGroupInstanceId(command.text("instance", null))
            .setGenerationIdOrMemberEpoch((int) command.number("generation", -1))
            .setRetentionTimeMs(command.number("retention", -1)).setTopics(topics);
        try {
            var response = apply(shard.commitOffset(context("c", (int) command.number("v", 9)), request));
            return "Ok(" + response.topics().stream()
                .map(topic -> topic.partitions().stream().map(partition -> camel(partition.errorCode())).toList()).toList() + ")";
        } catch (RuntimeException error) {
            return "Err(" + camel(Errors.forException(error)) + ")";
        }
    }

    private String fetch(Command command, String group) {
        Uuid topicId = new Uuid(0, command.number("topic_id", 0));
        List<OffsetFetchRequestData.OffsetFetchRequestTopics> topics = command.arguments.containsKey("partitions") ? new ArrayList<>() : null;
        eachPartition(command.list("partitions"), (topic, partition) -> {
            if (topics.isEmpty() || !topics.get(topics.size() - 1).name().equals(topic))
                topics.add(new OffsetFetchRequestData.OffsetFetchRequestTopics().setName(topic).setTopicId(topicId)
                    .setPartitionIndexes(new ArrayList<>()));
            topics.get(topics.size() - 1).partitionIndexes().add(partition);
        });
        var request = new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId(group)
            .setMemberId(command.text("member", null)).setMemberEpoch((int) command.number("epoch", -1)).setTopics(topics);
        var response = shard.fetchOffsets(request, Long.MAX_VALUE);
        List<String> lines = new ArrayList<>();
        for (var topic : response.topics())
            for (var partition : topic.partitions())
                lines.add(topic.name() + "-" + partition.partitionIndex() + " offset=" + partition.committedOffset()
                    + " leader_epoch=" + partition.committedLeaderEpoch() + " metadata=\"" + partition.metadata() + "\"");
        return String.join("\n", lines);
    }

    private String deleteOffsets(Command command, String group) {
        if (group.isEmpty())
            return "Err(InvalidGroupId)";
        var topics = new OffsetDeleteRequestData.OffsetDeleteRequestTopicCollection();
        eachPartition(command.list("partitions"), (topic, partition) -> {
            if (topics.find(topic) == null)
                topics.add(new OffsetDeleteRequestData.OffsetDeleteRequestTopic().setName(topic));
            topics.find(topic).partitions().add(new OffsetDeleteRequestData.OffsetDeleteRequestPartition().setPartitionIndex(partition));
        });
        try {
            var response = apply(shard.deleteOffsets(context("c", 0), new OffsetDeleteRequestData().setGroupId(group).setTopics(topics)));
            return "Ok(" + response.topics().stream()
                .map(topic -> topic.partitions().stream().map(partition -> camel(partition.errorCode())).toList()).toList() + ")";
        } catch (RuntimeException error) {
            return "Err(" + camel(Errors.forException(error)) + ")";
        }
    }

    // Records.

    private String tell(CoordinatorRecord record) {
        String told = consumer.tell(record);
        if (told != null)
            return told;
        String key = record.key() instanceof GroupMetadataKey group
            ? "GroupMetadata(GroupMetadataKey { group: \"" + group.group() + "\" })"
            : tell((OffsetCommitKey) record.key());
        if (record.value() == null)
            return "tombstone " + key;
        String value = record.value().message() instanceof GroupMetadataValue group
            ? tell(group) : tell((OffsetCommitValue) record.value().message(), record.value().version());
        return "record " + key + " v" + record.value().version() + " " + value;
    }

    private static String tell(OffsetCommitKey key) {
        return "OffsetCommit(OffsetCommitKey { group: \"" + key.group() + "\", topic: \"" + key.topic() + "\", partition: "
            + key.partition() + " })";
    }

    private static String tell(OffsetCommitValue value, short version) {
        return "offset=" + value.offset() + " leader_epoch=" + value.leaderEpoch() + " metadata=\"" + value.metadata()
            + "\" committed=" + value.commitTimestamp() + " expires=" + value.expireTimestamp()
            + (value.topicId().equals(Uuid.ZERO_UUID) ? "" : " topic_id=" + value.topicId());
    }

    private String tell(GroupMetadataValue value) {
        StringBuilder text = new StringBuilder("type=\"" + value.protocolType() + "\" generation=" + value.generation()
            + " protocol=" + orNull(value.protocol()) + " leader=" + orNull(value.leader()) + " since=" + value.currentStateTimestamp());
        value.members().stream()
            .map(member -> "\n  member " + member.memberId() + instance(member.groupInstanceId()) + " client=" + member.clientId()
                + " host=" + member.clientHost() + " rebalance=" + member.rebalanceTimeout() + " session=" + member.sessionTimeout()
                + " metadata=" + bytes(member.subscription()) + " assignment=" + bytes(member.assignment()))
            .map(this::shorten).sorted().forEach(text::append);
        return text.toString();
    }

    // Stories.

    /** Lines with those that belong to them, in no order. */
    private static List<String> entries(List<String> lines) {
        List<String> entries = new ArrayList<>();
        for (String line : lines) {
            if (line.startsWith("  ") && !entries.isEmpty())
                entries.set(entries.size() - 1, entries.get(entries.size() - 1) + "\n" + line);
            else
                entries.add(line);
        }
        return entries.stream().filter(entry -> !entry.startsWith("timer ") && !entry.startsWith("no timer "))
            .map(entry -> {
                String[] parts = entry.split("\n");
                Arrays.sort(parts, 1, parts.length);
                return String.join("\n", parts);
            }).sorted().collect(Collectors.toCollection(ArrayList::new));
    }

    private static void story(Path path, Consumer<String> fail) throws Exception {
        GroupStories world = new GroupStories();
        List<String> lines = Files.readAllLines(path);
        Map<Long, String> forgotten = new TreeMap<>();
        for (int at = 0; at < lines.size(); at++) {
            String line = lines.get(at);
            if (line.isEmpty() || line.startsWith("#"))
                continue;
            List<String> expected = new ArrayList<>();
            for (at += 2; at < lines.size() && !lines.get(at).isEmpty(); at++)
                expected.add(lines.get(at));
            world.out.clear();
            world.replies.clear();
            String answer = world.execute(line);
            List<String> told = new ArrayList<>(answer.isEmpty() ? List.of() : List.of(answer));
            told.addAll(world.out);
            world.replies.forEach((waiter, reply) -> told.add("reply to " + waiter + ": " + reply));
            List<String> actual = entries(told.stream().map(world::shorten).flatMap(String::lines).toList());
            List<String> missing = entries(expected);
            for (String one : List.copyOf(missing))
                if (actual.remove(one))
                    missing.remove(one);
            for (String one : missing) {
                Matcher reply = Pattern.compile("reply to (\\d+):.*").matcher(one.lines().findFirst().orElse(""));
                if (reply.matches())
                    forgotten.put(Long.parseLong(reply.group(1)), line);
                else
                    fail.accept(line + ": Kafka does not say: " + one);
            }
            for (String one : actual)
                fail.accept(line + ": Kafka says: " + one);
        }
        forgotten.forEach((waiter, line) -> {
            if (world.answered.contains(waiter))
                fail.accept(line + ": Kafka answers " + waiter + " otherwise");
        });
    }

    // The table.

    private static String outcome(String setup, String request, Set<String> forgotten) {
        GroupStories world = new GroupStories();
        for (String command : setup.split("; "))
            world.execute(command);
        int written = world.log.size();
        world.replies.clear();
        world.jointells.clear();
        StringBuilder text = new StringBuilder(world.execute(request).replace("\n", ", "));
        world.replies.keySet().stream().sorted().forEach(waiter ->
            text.append(" ").append(waiter).append(":").append(world.jointells.get(waiter)));
        for (String one : forgotten)
            if (!world.answered.contains(Long.parseLong(one.substring(0, one.indexOf(':')))))
                text.append(" ").append(one);
        if (request.contains("as=99 ") && !world.answered.contains(99L))
            text.append(" waits");
        var state = world.shard.describeGroups(context("c", 6), List.of("g"), Long.MAX_VALUE).get(0);
        text.append(" +").append(world.log.size() - written).append(" ")
            .append(state.errorCode() != 0 ? "gone" : state.groupState());
        return world.shorten(text.toString().trim());
    }

    /** The parts of an outcome in no order: `7:Error(id)`, `waits`, ... */
    private static List<String> parts(String outcome) {
        List<String> parts = new ArrayList<>();
        Matcher matcher = Pattern.compile("(?<= |^)\\d+:\\w+(\\([^)]*\\))?").matcher(outcome);
        matcher.results().forEach(found -> parts.add(found.group()));
        parts.add(matcher.replaceAll("").replaceAll(" +", " ").trim());
        parts.sort(null);
        return parts;
    }

    private static int table(Path path, Consumer<String> fail) throws Exception {
        Map<String, String> setups = new HashMap<>();
        int rows = 0;
        for (String line : Files.readAllLines(path)) {
            if (line.isEmpty() || line.startsWith("#"))
                continue;
            if (line.startsWith("state ")) {
                String[] state = line.substring(6).split(" = ", 2);
                setups.put(state[0], state[1]);
                continue;
            }
            String[] row = line.split(" \\| ", 3);
            Set<String> superseded = parts(row[2]).stream().filter(one -> one.matches("\\d+:(RebalanceInProgress|UnknownMemberId).*"))
                .filter(one -> !one.startsWith("99:")).collect(Collectors.toSet());
            String actual = outcome(setups.get(row[0]), row[1], superseded);
            if (!parts(actual).equals(parts(row[2])))
                fail.accept(row[0] + " | " + row[1] + "\n    here:  " + row[2] + "\n    Kafka: " + actual);
            rows++;
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        for (String argument : arguments) {
            Path path = Path.of(argument);
            List<String> failures = new ArrayList<>();
            if (argument.endsWith(".story"))
                story(path, failures::add);
            else
                table(path, failures::add);
            if (failures.isEmpty())
                System.out.println("ok " + path.getFileName());
            else
                failures.forEach(failure -> System.out.println("failed " + path.getFileName() + ": " + failure));
        }
    }
}
