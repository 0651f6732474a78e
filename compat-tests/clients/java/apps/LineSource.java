import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.source.ExactlyOnceSupport;
import org.apache.kafka.connect.source.SourceConnector;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTask;

/**
 * A Connect source: the lines of `file`, each a record of `topic`, ten in a poll. Its offset is the number of lines that it
 * has told. Apache Kafka's own FileStreamSource is not published for 4.4.0, and that of 4.3.1 does not run there.
 */
public final class LineSource extends SourceConnector {
    private Map<String, String> config;

    @Override
    public void start(Map<String, String> config) {
        this.config = config;
    }

    @Override
    public Class<? extends Task> taskClass() {
        return Lines.class;
    }

    @Override
    public List<Map<String, String>> taskConfigs(int maxTasks) {
        return List.of(config);
    }

    @Override
    public void stop() {
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef()
            .define("file", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Whose lines are told.")
            .define("topic", ConfigDef.Type.STRING, ConfigDef.Importance.HIGH, "Where they go.");
    }

    @Override
    public ExactlyOnceSupport exactlyOnceSupport(Map<String, String> config) {
        return ExactlyOnceSupport.SUPPORTED;
    }

    @Override
    public String version() {
        return "1";
    }

    public static final class Lines extends SourceTask {
        private static final int LINES_PER_POLL = 10;
        private Map<String, String> partition;
        private String topic;
        private Path file;
        private long told;

        @Override
        public void start(Map<String, String> config) {
            file = Path.of(config.get("file"));
            topic = config.get("topic");
            partition = Map.of("file", config.get("file"));
            Map<String, Object> offset = context.offsetStorageReader().offset(partition);
            told = offset == null ? 0 : (Long) offset.get("lines");
            System.out.println("begins at line " + told);
        }

        @Override
        public List<SourceRecord> poll() throws InterruptedException {
            // A pace at which there is a middle in which something can be killed.
            Thread.sleep(20);
            List<SourceRecord> records = new ArrayList<>();
            try (var lines = Files.lines(file, StandardCharsets.UTF_8)) {
                lines.skip(told).limit(LINES_PER_POLL).forEach(line -> {
                    told++;
                    records.add(new SourceRecord(
                        partition, Map.of("lines", told), topic, 0, null, null, Schema.STRING_SCHEMA, line));
                });
            } catch (IOException error) {
                throw new java.io.UncheckedIOException(error);
            }
            return records.isEmpty() ? null : records;
        }

        @Override
        public void stop() {
        }

        @Override
        public String version() {
            return "1";
        }
    }
}
