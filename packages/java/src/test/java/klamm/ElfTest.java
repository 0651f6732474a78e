package klamm;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ElfTest {
    @TempDir
    private Path folder;

    /** A program that says what it was built for, and nothing else; a static one has no loader. */
    static byte[] program(int machine, String loader) {
        var name = loader == null ? "" : loader + "\0";
        var out = ByteBuffer.allocate(120 + name.length()).order(ByteOrder.LITTLE_ENDIAN);
        out.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
        out.putShort((short) 2).putShort((short) machine).putInt(1).putLong(0).putLong(64).putLong(0).putInt(0);
        out.putShort((short) 64).putShort((short) 56).putShort((short) (loader == null ? 0 : 1)).position(64);
        // PT_INTERP, readable, behind both headers
        out.putInt(3).putInt(4).putLong(120).putLong(0).putLong(0).putLong(name.length()).putLong(name.length()).putLong(1);
        return out.put(name.getBytes()).array();
    }

    private Optional<Elf> read(byte[] bytes) throws IOException {
        return Elf.of(Files.write(folder.resolve("program"), bytes));
    }

    @Test
    void whatAProgramWasBuiltFor() throws IOException {
        assertEquals(Optional.of(new Elf("x86_64", Optional.of("/lib/ld.so"))), read(program(62, "/lib/ld.so")));
        assertEquals(Optional.of(new Elf("aarch64", Optional.empty())), read(program(183, null)));
        assertEquals(Optional.of(new Elf("the machine 999 of ELF", Optional.empty())), read(program(999, null)));
        for (var none : new String[] {"", "#!/bin/sh\n", "\u007fELF"}) assertEquals(Optional.empty(), read(none.getBytes()));
        assertEquals(Optional.empty(), read(java.util.Arrays.copyOf(program(62, "/lib/ld.so"), 100)));
        assertEquals(Optional.empty(), Elf.of(folder.resolve("none")));
    }
}
