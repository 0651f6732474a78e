package klamm;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The broker as a process that lives as long as this one, at most: by the pipe of its standard input. */
final class BrokerProcess implements AutoCloseable {
    /** How long a stop may take before the process is killed; it takes some milliseconds. */
    private static final long STOP_SECONDS = 10;

    static final int LAST_LINES = 15;

    private final Path directory;
    private final Thread atExit;
    private final RandomAccessFile log;
    private final Process process;
    private final BufferedReader output;
    private boolean closed;

    BrokerProcess(Path program, List<String> arguments, boolean tls) {
        var command = new ArrayList<>(List.of(program.toString(), "test"));
        command.addAll(arguments);
        try {
            directory = Files.createTempDirectory("klamm-");
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        if (tls) command.addAll(List.of("--tls", directory.resolve("tls").toString()));
        atExit = new Thread(() -> delete(directory));
        Runtime.getRuntime().addShutdownHook(atExit);
        try {
            var file = Files.createFile(directory.resolve("log"));
            log = new RandomAccessFile(file.toFile(), "r");
            process = new ProcessBuilder(command).redirectError(file.toFile()).start();
            // The file lives on without its name, and goes with the last of the two processes.
            Files.delete(file);
        } catch (IOException error) {
            forget();
            throw new StartException(program + " cannot be run: " + error.getMessage(), error);
        }
        output = process.inputReader(StandardCharsets.UTF_8);
    }

    /** The line of JSON by which it says that it is ready. */
    Map<String, Object> ready(Duration limit) {
        var line = new FutureTask<>(output::readLine);
        var reader = new Thread(line, "klamm-start");
        reader.setDaemon(true);
        reader.start();
        try {
            var found = line.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            if (found != null) return Json.object(Json.read(found));
            throw failed("the broker has ended with code " + process.waitFor());
        } catch (TimeoutException error) {
            throw failed("the broker is not ready after " + limit.toMillis() + " ms");
        } catch (ExecutionException error) {
            throw failed("the broker's output cannot be read: " + error.getCause());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw failed("the start was interrupted");
        }
    }

    private StartException failed(String sentence) {
        var message = sentence + "; its log ends with:\n" + log(LAST_LINES);
        close();
        return new StartException(message);
    }

    synchronized String log(int lines) {
        if (closed) return "";
        try {
            var end = new byte[(int) Math.min(log.length(), lines * 1024L)];
            log.seek(log.length() - end.length);
            log.readFully(end);
            var found = new String(end, StandardCharsets.UTF_8).lines().toList();
            return String.join("\n", found.subList(Math.max(0, found.size() - lines), found.size()));
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    @Override
    public synchronized void close() {
        if (closed) return;
        closed = true;
        // Its standard input is closed with it.
        process.destroy();
        try {
            if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) process.destroyForcibly().waitFor();
        } catch (InterruptedException error) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        try {
            log.close();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        forget();
    }

    private void forget() {
        delete(directory);
        try {
            Runtime.getRuntime().removeShutdownHook(atExit);
        } catch (IllegalStateException error) {
            // The JVM ends, and the hook runs.
            return;
        }
    }

    private static void delete(Path directory) {
        try (var found = Files.walk(directory)) {
            for (var path : found.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
        } catch (IOException error) {
            // What cannot be deleted stays: it is in the directory of temporary files.
            return;
        }
    }
}
