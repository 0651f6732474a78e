package klamm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BinaryTest {
    @TempDir
    private Path folder;

    @Test
    void theFirstOfFourPlaces() throws IOException {
        Path own = program("own"), other = program("path");
        var path = folder.resolve("none") + ":" + other.getParent();
        assertEquals(own, Binary.find(null, null, () -> own, path));
        assertEquals(other, Binary.find(null, "", () -> null, path));
        assertEquals(other, Binary.find(null, other.toString(), () -> own, path));
        assertEquals(own, Binary.find(own, other.toString(), () -> null, path));
    }

    @Test
    void whatIsNamedMustBeThere() throws IOException {
        var own = program("own");
        var named = assertThrows(StartException.class, () -> Binary.find(folder, null, () -> own, ""));
        assertEquals("binary() names " + folder + ", which is no program that can be run", named.getMessage());
        var variable = assertThrows(StartException.class, () -> Binary.find(null, folder + "/none", () -> own, ""));
        assertTrue(variable.getMessage().startsWith("KLAMM_BIN names"));
        var nowhere = assertThrows(StartException.class, () -> Binary.find(null, null, () -> null, null));
        assertTrue(nowhere.getMessage().startsWith("the program klamm is not found: this jar has none for "), nowhere.getMessage());
    }

    private Path program(String name) throws IOException {
        var file = Files.createDirectory(folder.resolve(name)).resolve("klamm");
        Files.writeString(file, "#!/bin/sh\n");
        assertTrue(file.toFile().setExecutable(true));
        return file;
    }
}
