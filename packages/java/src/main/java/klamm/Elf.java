package klamm;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * What a program was built for, by the header of its file.
 *
 * @param machine as in {@code x86_64}
 * @param loader of its C library; a static program has none
 */
record Elf(String machine, Optional<String> loader) {
    /** {@code e_machine}, by the names of {@code uname -m}. */
    private static final Map<Integer, String> MACHINES =
            Map.of(3, "i686", 40, "armv7l", 62, "x86_64", 183, "aarch64", 243, "riscv64");

    private static final int MAGIC = 0x464c457f;
    /** 64 bits, little-endian */
    private static final int CLASS_AND_ORDER = 0x0102;
    /** {@code PT_INTERP} */
    private static final int INTERPRETER = 3;

    private static final int MOST_LOADER_BYTES = 4096;

    /** Empty for what is no such program. */
    static Optional<Elf> of(Path file) {
        try (var channel = FileChannel.open(file)) {
            var head = read(channel, 0, 64);
            if (head.getInt(0) != MAGIC || head.getShort(4) != CLASS_AND_ORDER) return Optional.empty();
            int number = head.getShort(18) & 0xffff, size = head.getShort(54) & 0xffff, count = head.getShort(56) & 0xffff;
            var machine = MACHINES.getOrDefault(number, "the machine " + number + " of ELF");
            for (var at = 0; at < count; at++) {
                var segment = read(channel, head.getLong(32) + (long) at * size, 40);
                if (segment.getInt(0) != INTERPRETER) continue;
                var length = (int) Math.max(0, Math.min(segment.getLong(32), MOST_LOADER_BYTES));
                var text = new String(read(channel, segment.getLong(8), length).array(), StandardCharsets.UTF_8);
                return Optional.of(new Elf(machine, Optional.of(text.replaceFirst("(?s)\0.*", ""))));
            }
            return Optional.of(new Elf(machine, Optional.empty()));
        } catch (IOException | IllegalArgumentException error) {
            return Optional.empty();
        }
    }

    private static ByteBuffer read(FileChannel channel, long place, int length) throws IOException {
        var found = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
        while (found.hasRemaining()) {
            if (channel.read(found, place + found.position()) < 0) throw new IOException("the file is cut");
        }
        return found;
    }
}
