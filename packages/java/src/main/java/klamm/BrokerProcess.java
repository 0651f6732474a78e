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
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;

/** The broker as a process that lives as long as this one, at most: by the pipe of its standard input. */
final class BrokerProcess implements AutoCloseable {
    /** How long a stop may take before the process is killed; it takes some milliseconds. */
    private static final long STOP_SECONDS = 10;

    static final int LAST_LINES = 15;
    private static final int MOST_SHOWN = 200;
    /** What the line must have by which a broker says that it is ready. */
    private static final List<String> PROMISED = List.of("bootstrap_servers", "http", "cluster_id", "pid", "security_protocol");

    private final Path program;
    /** The broker makes it and takes it away, so that it goes however this process ends. Null without TLS. */
    private final Path certificates;

    private final RandomAccessFile log;
    private final Process process;
    private final BufferedReader output;
    private boolean closed;

    BrokerProcess(Path program, List<String> arguments, boolean tls) {
        this.program = program;
        var command = new ArrayList<>(List.of(program.toString(), "test"));
        command.addAll(arguments);
        certificates = tls ? Path.of(System.getProperty("java.io.tmpdir"), "klamm-tls-" + UUID.randomUUID()) : null;
        if (tls) command.addAll(List.of("--tls", certificates.toString()));
        try {
            var file = Files.createTempFile("klamm-log-", "");
            try {
                log = new RandomAccessFile(file.toFile(), "r");
                process = started(new ProcessBuilder(command).redirectError(file.toFile()), log);
            } finally {
                // It lives on without its name, and goes with the last of the two processes.
                Files.delete(file);
            }
        } catch (IOException error) {
            throw new StartException(program + " cannot be run: " + error.getMessage() + Binary.whyNot(program), error);
        }
        output = process.inputReader(StandardCharsets.UTF_8);
    }

    private static Process started(ProcessBuilder command, RandomAccessFile log) throws IOException {
        try {
            return command.start();
        } catch (IOException error) {
            log.close();
            throw error;
        }
    }

    /** What the line of JSON tells by which it says that it is ready. */
    Map<String, Object> ready(Duration limit) {
        var line = new FutureTask<>(output::readLine);
        var reader = new Thread(line, "klamm-start");
        reader.setDaemon(true);
        reader.start();
        try {
            var found = line.get(limit.toMillis(), TimeUnit.MILLISECONDS);
            if (found != null) return told(found);
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) throw failed("the broker has closed its output before its first line");
            throw failed("the broker has ended with code " + process.exitValue() + " before its first line" + Binary.whyNot(program));
        } catch (TimeoutException error) {
            throw failed("the broker is not ready after " + limit.toMillis() + " ms");
        } catch (ExecutionException error) {
            throw failed("the broker's output cannot be read: " + error.getCause());
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            throw failed("the start was interrupted");
        }
    }

    private Map<String, Object> told(String line) {
        var shown = "'" + line.substring(0, Math.min(line.length(), MOST_SHOWN)) + "'";
        Map<String, Object> ready;
        try {
            ready = Json.object(Json.read(line));
        } catch (IllegalArgumentException error) {
            throw failed("the broker's first line is no object of JSON: " + shown);
        }
        var missing = PROMISED.stream().filter(name -> !ready.containsKey(name)).collect(Collectors.joining(", "));
        if (missing.equals("http"))
            throw failed("the broker has no HTTP side, without which nothing here works: a setting has switched it off");
        if (!missing.isEmpty()) throw failed("the broker's first line has no " + missing + ": " + shown);
        return ready;
    }

    private StartException failed(String sentence) {
        var text = log(LAST_LINES);
        close();
        return new StartException(sentence + (text.isEmpty() ? "; its log is empty" : "; its log ends with:\n" + text));
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
        if (certificates != null && Files.exists(certificates)) delete(certificates);
    }

    /** What a broker that was killed has left. */
    private static void delete(Path directory) {
        try (var found = Files.walk(directory)) {
            for (var path : found.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(path);
        } catch (IOException error) {
            // What cannot be deleted stays: it is in the directory of temporary files.
            return;
        }
    }
}
