// Puts the answers of our assignors, subscription hashes and topic patterns before Kafka's own classes: the same question
// must have the same answer. Reads the lines that tests/assignors.rs writes; prints "N passed, N failed".
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.MemberAssignment;
import org.apache.kafka.coordinator.group.api.assignor.PartitionAssignorException;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.RangeAssignor;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberValue;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

public class Assignors {
    public static void main(String[] arguments) throws Exception {
        Map<String, int[]> counts = new TreeMap<>();
        int failed = 0;
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split(" ");
            String wrong = switch (words[0]) {
                case "assign" -> differs(assign(words[1], words[2].equals("true"), inner(words[3]), inner(words[4])), inner(words[5]));
                case "hash" -> hash(inner(words[1]), words[2]);
                case "match" -> differs(match(text(words[1]), parts(inner(words[2]), ",")), inner(words[3]));
                default -> "what is this?";
            };
            int[] count = counts.computeIfAbsent(words[0], word -> new int[2]);
            count[wrong == null ? 0 : 1]++;
            if (wrong != null && ++failed <= 50) {
                String shown = words[0].equals("match") ? text(words[1]) + "   " + words[1] : line.substring(0, Math.min(line.length(), 3000));
                System.out.println(shown + "\n    " + wrong);
            }
        }
        int passed = 0;
        for (Map.Entry<String, int[]> each : counts.entrySet()) {
            System.out.println(each.getKey() + ": " + each.getValue()[0] + " the same, " + each.getValue()[1] + " not");
            passed += each.getValue()[0];
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 && counts.size() == 3 ? 0 : 1);
    }

    // ---- Notation ----

    private static String inner(String bracketed) {
        return bracketed.substring(1, bracketed.length() - 1);
    }

    private static List<String> parts(String joined, String separator) {
        return joined.isEmpty() ? List.of() : List.of(joined.split(java.util.regex.Pattern.quote(separator), -1));
    }

    private static String text(String hex) {
        return new String(HexFormat.of().parseHex(hex.substring(1)), StandardCharsets.UTF_8);
    }

    private static String hex(String text) {
        return "x" + HexFormat.of().formatHex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static Optional<String> optional(String hex) {
        return hex.isEmpty() ? Optional.empty() : Optional.of(text(hex));
    }

    private static String differs(String kafkas, String ours) {
        return kafkas.equals(ours) ? null : "Kafka: " + kafkas + "\n    ours:  " + ours;
    }

    // ---- Assignors ----

    private static String assign(String name, boolean homogeneous, String topics, String members) {
        Map<Uuid, Integer> partitions = new HashMap<>();
        for (String topic : parts(topics, ",")) {
            String[] pair = topic.split("=");
            partitions.put(Uuid.fromString(pair[0]), Integer.parseInt(pair[1]));
        }
        Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
        Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
        List<String> ids = new ArrayList<>();
        for (String member : parts(members, "|")) {
            String[] fields = member.split(";", -1);
            String id = text(fields[0]);
            Set<Uuid> subscribed = new LinkedHashSet<>();
            parts(fields[3], ",").forEach(topic -> subscribed.add(Uuid.fromString(topic)));
            Assignment current = current(fields[4]);
            current.partitions().forEach((topic, owned) -> owned.forEach(partition ->
                inverted.computeIfAbsent(topic, t -> new HashMap<>()).put(partition, id)));
            specs.put(id, new MemberSubscriptionAndAssignmentImpl(optional(fields[2]), optional(fields[1]), subscribed, current));
            ids.add(id);
        }
        SubscriptionType type = homogeneous ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        ConsumerGroupPartitionAssignor assignor = name.equals("uniform") ? new UniformAssignor() : new RangeAssignor();
        try {
            Map<String, MemberAssignment> targets = assignor.assign(
                new GroupSpecImpl(Collections.unmodifiableMap(specs), type, inverted), describer(partitions)).members();
            return ids.stream().map(id -> targets.containsKey(id) ? notation(targets.get(id).partitions()) : "")
                .collect(Collectors.joining("|"));
        } catch (PartitionAssignorException e) {
            return "!" + hex(e.getMessage());
        }
    }

    // As the coordinator keeps it: made from the record.
    private static Assignment current(String text) {
        ConsumerGroupTargetAssignmentMemberValue value = new ConsumerGroupTargetAssignmentMemberValue();
        for (String topic : parts(text, ",")) {
            String[] pair = topic.split("=");
            value.topicPartitions().add(new ConsumerGroupTargetAssignmentMemberValue.TopicPartition()
                .setTopicId(Uuid.fromString(pair[0]))
                .setPartitions(parts(pair[1], ".").stream().map(Integer::valueOf).toList()));
        }
        return Assignment.fromRecord(value);
    }

    private static String notation(Map<Uuid, Set<Integer>> assignment) {
        Map<String, Uuid> sorted = new TreeMap<>();
        assignment.keySet().forEach(id ->
            sorted.put(String.format("%016x%016x", id.getMostSignificantBits(), id.getLeastSignificantBits()), id));
        return sorted.values().stream()
            .map(id -> id + "=" + new TreeSet<>(assignment.get(id)).stream().map(String::valueOf).collect(Collectors.joining(".")))
            .collect(Collectors.joining(","));
    }

    private static SubscribedTopicDescriber describer(Map<Uuid, Integer> partitions) {
        return new SubscribedTopicDescriber() {
            @Override
            public int numPartitions(Uuid topicId) {
                return partitions.getOrDefault(topicId, -1);
            }

            @Override
            public Set<String> racksForPartition(Uuid topicId, int partition) {
                return Set.of("rack-" + partition % 3);
            }
        };
    }

    // ---- Hashes ----

    private record Topic(Uuid id, String name, int partitionCount, List<List<String>> racks, long ours)
        implements CoordinatorMetadataImage.TopicMetadata {
        @Override
        public List<String> partitionRacks(int partition) {
            return new ArrayList<>(racks.get(partition));
        }
    }

    private static String hash(String described, String ours) {
        Map<String, Topic> topics = new LinkedHashMap<>();
        for (String each : parts(described, "|")) {
            String[] fields = each.split(";", -1);
            List<List<String>> racks = new ArrayList<>();
            int count = Integer.parseInt(fields[2]);
            List<String> listed = count == 0 ? List.of() : List.of(fields[3].split(",", -1));
            listed.forEach(list -> racks.add(parts(list, ".").stream().map(Assignors::text).toList()));
            Topic topic = new Topic(Uuid.fromString(fields[0]), text(fields[1]), count, racks, Long.parseLong(fields[4]));
            topics.put(topic.name(), topic);
        }
        Map<String, Long> hashes = new HashMap<>();
        for (Topic topic : topics.values()) {
            long kafkas = org.apache.kafka.coordinator.group.Utils.computeTopicHash(topic.name(), new TopicsImage(topics, 0));
            if (kafkas != topic.ours()) {
                return "Kafka: " + kafkas + " for " + topic;
            }
            hashes.put(topic.name(), kafkas);
        }
        return differs(String.valueOf(org.apache.kafka.coordinator.group.Utils.computeGroupHash(hashes)), ours);
    }

    // ---- Patterns ----

    private static String match(String pattern, List<String> names) {
        Pattern compiled;
        try {
            compiled = Pattern.compile(pattern);
        } catch (PatternSyntaxException e) {
            // The sentence of Utils.throwIfRegularExpressionIsInvalid, which is not public.
            return hex(String.format("SubscribedTopicRegex `%s` is not a valid regular expression: %s.", pattern, e.getDescription()));
        }
        return names.stream().map(name -> compiled.matcher(text(name)).matches() ? "1" : "0").collect(Collectors.joining());
    }
}
