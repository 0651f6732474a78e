// Prints java_batches.txt: one batch by each codec, as the Java client writes it.
//
// Usage: java -cp 'libs/*' RecordBatches.java > java_batches.txt

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.internal.*;
import org.apache.kafka.common.utils.internals.AppInfoParser;

public class RecordBatches {
    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(String[] arguments) {
        SimpleRecord[] records = {
            new SimpleRecord(1000, bytes("k"), bytes("v")),
            new SimpleRecord(999, null, bytes("a longer value, a longer value, a longer value")),
            new SimpleRecord(1005, bytes(""), null,
                new Header[] {new RecordHeader("h", bytes("1")), new RecordHeader("g", bytes(null))}),
        };
        System.out.println("# MemoryRecords.withRecords of kafka-clients " + AppInfoParser.getVersion()
            + ", the records of the test in builder.rs, by each codec");
        for (CompressionType type : CompressionType.values()) {
            ByteBuffer buffer = MemoryRecords.withRecords(Compression.of(type).build(), records).buffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            System.out.println(type.name + " " + HexFormat.of().formatHex(bytes));
        }
    }
}
