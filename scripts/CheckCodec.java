// Puts messages that our codec wrote before Kafka's own classes: they must read them and write the same bytes.
// Reads lines "again|default kind name version xHEX" from the file named; prints "N passed, N failed".
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

public class CheckCodec {
    public static void main(String[] arguments) throws Exception {
        int passed = 0, failed = 0;
        for (String line : Files.readAllLines(Path.of(arguments[0]))) {
            String[] words = line.split(" ");
            byte[] bytes = HexFormat.of().parseHex(words[4].substring(1));
            String wrong = check(words[0], type(words[1], words[2]), Short.parseShort(words[3]), bytes);
            if (wrong == null) {
                passed++;
            } else {
                failed++;
                System.out.println(line.substring(0, Math.min(line.length(), 200)) + ": " + wrong);
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }

    private static Class<?> type(String kind, String name) throws ClassNotFoundException {
        String data = switch (kind) {
            case "request", "response", "header" -> "Data";
            default -> "";
        };
        String[] packages = {"common.message", "common.metadata", "coordinator.group.generated",
            "coordinator.transaction.generated", "coordinator.share.generated"};
        for (String each : packages) {
            try {
                return Class.forName("org.apache.kafka." + each + "." + name + data);
            } catch (ClassNotFoundException e) {
                // The next one has it.
            }
        }
        throw new ClassNotFoundException(name);
    }

    private static String check(String what, Class<?> type, short version, byte[] bytes) {
        try {
            Message message = (Message) type.getDeclaredConstructor().newInstance();
            if (what.equals("again")) {
                ByteBuffer in = ByteBuffer.wrap(bytes);
                message.read(new ByteBufferAccessor(in), version);
                if (in.hasRemaining()) {
                    return in.remaining() + " bytes left over";
                }
            }
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer out = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(out), cache, version);
            return Arrays.equals(out.array(), bytes) ? null : "Kafka writes " + HexFormat.of().formatHex(out.array());
        } catch (Exception e) {
            return e.toString();
        }
    }
}
