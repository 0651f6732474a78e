// Prints in which partition of __consumer_offsets Apache Kafka keeps a group, as its own GroupCoordinatorService says:
// java -cp "$HOME/.cache/klamm/kafka-4.4.0/libs/*" PartitionsOfGroups.java > partitions_of_groups.txt

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.coordinator.group.GroupCoordinatorService;

public class PartitionsOfGroups {
    // Hashes that are positive, negative, 0 and Integer.MIN_VALUE; characters of one, two, three and four bytes.
    static final String[] GROUPS = {
        "", "a", "grp", "group", "test-consumer-group", "my-consumer-group", "console-consumer-12345",
        "connect-cluster", "schema-registry", "polygenelubricants", "GydZG_", "f5a5a608",
        "größe", "消费者组", "группа", "😀", "group-😀-🚀", "𝔎lamm",
    };

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        out.println("# group | String.hashCode | partition of 50, 7, 1 (GroupCoordinatorService.partitionFor of Apache Kafka 4.4.0)");
        for (String group : GROUPS) {
            out.println(group + " | " + group.hashCode() + " | " + of(group, 50) + " " + of(group, 7) + " " + of(group, 1));
        }
    }

    static int of(String group, int partitions) throws Exception {
        var unsafe = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
        unsafe.setAccessible(true);
        var service = (GroupCoordinatorService) ((sun.misc.Unsafe) unsafe.get(null)).allocateInstance(GroupCoordinatorService.class);
        set(service, "isActive", new AtomicBoolean(true));
        set(service, "numPartitions", partitions);
        return service.partitionFor(group);
    }

    static void set(Object service, String field, Object value) throws Exception {
        var found = GroupCoordinatorService.class.getDeclaredField(field);
        found.setAccessible(true);
        found.set(service, value);
    }
}
