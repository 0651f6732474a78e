package klamm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
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
            assertTrue(program.contains("/klamm-test/"), program);
        }
    }

    /** What the jar carries for a system is a program of that system. */
    @Test
    void theJarsFoldersAreTrue() throws Exception {
        var program = Klamm.class.getResource("/klamm/" + Binary.platform() + "/klamm");
        var jar = Path.of(Klamm.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        assertTrue(jar.toString().endsWith(".jar"), jar.toString());
        var unpacked = Binary.unpacked(program, folder);
        assertEquals(Binary.machine(), Elf.of(unpacked).orElseThrow().machine());
        assertEquals("", Binary.whyNot(unpacked));
        assertEquals(unpacked, Binary.unpacked(program, folder));
        try (var found = Files.walk(folder)) {
            assertEquals(1, found.filter(Files::isRegularFile).count());
        }
        // Where the cache cannot be: there is a file in the place of its folder.
        var own = Binary.unpacked(program, unpacked);
        assertTrue(own.startsWith(System.getProperty("java.io.tmpdir")) && Files.isExecutable(own), own.toString());
    }

    /** What the JVM of the next test runs. */
    static final class Careless {
        public static void main(String[] arguments) {
            var klamm = Klamm.builder().tls().start();
            System.out.println(klamm.pid() + " " + klamm.tls().orElseThrow().caPem());
            if (arguments.length == 0) System.exit(3);
            for (;;) java.util.concurrent.locks.LockSupport.park();
        }
    }

    private ProcessBuilder careless(String... arguments) {
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-Djava.io.tmpdir=" + folder, "-cp", System.getProperty("java.class.path"), Careless.class.getName()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    }

    @Test
    void itEndsWithItsProcess() throws Exception {
        var child = careless().start();
        var words = new String(child.getInputStream().readAllBytes()).trim().split(" ");
        assertEquals(3, child.waitFor());
        gone(Long.parseLong(words[0]));
        assertFalse(Files.exists(Path.of(words[1])));
    }

    @Test
    void nothingIsLeftOfItWhenItsProcessIsKilled() throws Exception {
        var child = careless("stay").start();
        var words = child.inputReader().readLine().split(" ");
        assertTrue(Path.of(words[1]).startsWith(folder), words[1]);
        child.destroyForcibly().waitFor();
        gone(Long.parseLong(words[0]));
        try (var left = Files.list(folder)) {
            assertEquals(List.of(), left.filter(path -> !path.getFileName().toString().startsWith("hsperf")).toList());
        }
    }

    private static void gone(long pid) throws Exception {
        var broker = ProcessHandle.of(pid);
        if (broker.isPresent()) broker.get().onExit().get(Until.DEADLINE.toSeconds(), TimeUnit.SECONDS);
    }

    @Test
    void aStartThatFailsShowsWhy() {
        var failure = assertThrows(StartException.class, () -> Klamm.builder().override("log.retention.ms", "long").start());
        var message = failure.getMessage();
        assertTrue(message.startsWith("the broker has ended with code 1 before its first line; its log ends with:\n"), message);
        assertTrue(message.endsWith("Not a number of type LONG"), message);
    }

    @Test
    void aStartThatTakesTooLong() throws IOException {
        // It never gets ready.
        var slow = program("#!/bin/sh\nexec cat\n");
        var failure = assertThrows(
                StartException.class, () -> Klamm.builder().binary(slow).startTimeout(Duration.ofMillis(200)).start());
        assertTrue(failure.getMessage().startsWith("the broker is not ready after 200 ms; its log "), failure.getMessage());
    }

    private void failsWith(String text, String sentence) throws IOException {
        var program = program("#!/bin/sh\necho it thinks >&2\n" + text + "\n");
        var failure = assertThrows(
                StartException.class, () -> Klamm.builder().binary(program).startTimeout(Until.DEADLINE).start());
        assertEquals(sentence + "; its log ends with:\nit thinks", failure.getMessage());
    }

    @Test
    void aFirstLineThatIsNone() throws IOException {
        failsWith("echo it is well; exec cat", "the broker's first line is no object of JSON: 'it is well'");
        failsWith("echo 7; exec cat", "the broker's first line is no object of JSON: '7'");
        failsWith("exit 3", "the broker has ended with code 3 before its first line");
        failsWith("kill -9 $$", "the broker has ended with code 137 before its first line");
        failsWith(
                "echo '{\"bootstrap_servers\":\"a:1\",\"cluster_id\":\"c\",\"pid\":1,\"security_protocol\":\"PLAINTEXT\"}'; exec cat",
                "the broker has no HTTP side, without which nothing here works: a setting has switched it off");
        failsWith(
                "echo '{\"pid\":1}'; exec cat",
                "the broker's first line has no bootstrap_servers, http, cluster_id, security_protocol: '{\"pid\":1}'");
    }

    @Test
    void aProgramThatSaysNothing() throws IOException {
        var silent = program("#!/bin/sh\n");
        var failure = assertThrows(StartException.class, () -> Klamm.builder().binary(silent).start());
        assertEquals("the broker has ended with code 0 before its first line; its log is empty", failure.getMessage());
    }

    @Test
    void aBrokerWithoutItsHttpSide() {
        var failure = assertThrows(StartException.class, () -> Klamm.builder().override("klamm.http.listeners", "").start());
        assertTrue(failure.getMessage().startsWith("the broker has no HTTP side"), failure.getMessage());
    }

    @Test
    void aProgramThatCannotRun() throws IOException {
        var wrong = program("#!/no/such/shell\n");
        var failure = assertThrows(StartException.class, () -> Klamm.builder().binary(wrong).start());
        assertTrue(failure.getMessage().contains("cannot be run"), failure.getMessage());
    }

    @Test
    void aProgramOfAnotherPlatform() throws IOException {
        boolean isX86 = Binary.machine().equals("x86_64");
        var other = program(ElfTest.program(isX86 ? 183 : 62, null));
        var failure = assertThrows(StartException.class, () -> Klamm.builder().binary(other).start());
        var machines = "it was built for " + (isX86 ? "aarch64" : "x86_64") + ", and this machine is " + Binary.machine();
        assertTrue(failure.getMessage().contains(machines), failure.getMessage());
        var musl = program(ElfTest.program(isX86 ? 62 : 183, "/lib/ld-none.so.1"));
        failure = assertThrows(StartException.class, () -> Klamm.builder().binary(musl).start());
        assertTrue(failure.getMessage().contains("its loader /lib/ld-none.so.1 is not here"), failure.getMessage());
    }

    @Test
    void manyBrokersLeaveNoHook() throws Exception {
        var brokers = new ArrayList<Klamm>();
        for (var n = 0; n < 12; n++) brokers.add(Klamm.builder().binary(Binary.find(null)).tls().start());
        assertEquals(12, brokers.stream().map(Klamm::pid).distinct().count());
        brokers.forEach(Klamm::close);
        try (var left = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
            assertEquals(List.of(), left.filter(path -> path.getFileName().toString().startsWith("klamm-tls-")).toList());
        }
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
        return program(text.getBytes());
    }

    private Path program(byte[] text) throws IOException {
        var file = folder.resolve("klamm");
        Files.write(file, text);
        assertTrue(file.toFile().setExecutable(true));
        return file;
    }
}
