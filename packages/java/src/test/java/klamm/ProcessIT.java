package klamm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The broker as a process: where its program is, how it starts, that it ends. */
class ProcessIT {
    @TempDir
    private Path folder;

    @Test
    void itEndsWithClose() {
        var klamm = Klamm.builder().tls().start();
        var process = ProcessHandle.of(klamm.pid()).orElseThrow();
        var certificate = klamm.tls().orElseThrow().caPem();
        assertTrue(Files.exists(certificate));
        assertTrue(klamm.log().contains("listener=SSL"), klamm.log());
        klamm.close();
        klamm.close();
        assertFalse(process.isAlive());
        assertFalse(Files.exists(certificate));
        assertEquals("", klamm.log());
    }

    @Test
    void itIsTheProgramOfTheJar() {
        try (var klamm = Klamm.start()) {
            var program = ProcessHandle.of(klamm.pid()).flatMap(one -> one.info().command()).orElseThrow();
            assertTrue(Path.of(program).startsWith(System.getProperty("java.io.tmpdir")), program);
        }
    }

    /** What the JVM of the next test runs. */
    static final class Careless {
        public static void main(String[] arguments) {
            var klamm = Klamm.builder().tls().start();
            System.out.println(klamm.pid() + " " + klamm.tls().orElseThrow().caPem());
            System.exit(3);
        }
    }

    @Test
    void itEndsWithItsProcess() throws Exception {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var child = new ProcessBuilder(java, "-cp", System.getProperty("java.class.path"), Careless.class.getName()).start();
        var words = new String(child.getInputStream().readAllBytes()).trim().split(" ");
        assertEquals(3, child.waitFor());
        var broker = ProcessHandle.of(Long.parseLong(words[0]));
        if (broker.isPresent()) broker.get().onExit().get(30, TimeUnit.SECONDS);
        assertFalse(Files.exists(Path.of(words[1])));
    }

    @Test
    void aStartThatFailsShowsWhy() {
        var failure = assertThrows(StartException.class, () -> Klamm.builder().override("log.retention.ms", "long").start());
        var message = failure.getMessage();
        assertTrue(message.startsWith("the broker has ended with code 1; its log ends with:\n"), message);
        assertTrue(message.endsWith("Not a number of type LONG"), message);
    }

    @Test
    void aStartThatTakesTooLong() throws IOException {
        var slow = program("#!/bin/sh\necho it thinks >&2\nexec cat\n");
        var failure = assertThrows(
                StartException.class, () -> Klamm.builder().binary(slow).startTimeout(Duration.ofMillis(500)).start());
        assertEquals("the broker is not ready after 500 ms; its log ends with:\nit thinks", failure.getMessage());
    }

    @Test
    void aProgramThatCannotRun() throws IOException {
        var wrong = program("#!/no/such/shell\n");
        var failure = assertThrows(StartException.class, () -> Klamm.builder().binary(wrong).start());
        assertTrue(failure.getMessage().contains("cannot be run"), failure.getMessage());
    }

    @Test
    void dataOnTheDisk() {
        var data = folder.resolve("data");
        try (var klamm = Klamm.builder().dataDir(data).memory("32M").port(0).start()) {
            assertTrue(Files.exists(data), klamm.toString());
        }
        assertFalse(Files.exists(data));
    }

    private Path program(String text) throws IOException {
        var file = folder.resolve("klamm");
        Files.writeString(file, text);
        assertTrue(file.toFile().setExecutable(true));
        return file;
    }
}
