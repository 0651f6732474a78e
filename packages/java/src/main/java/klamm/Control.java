package klamm;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Calls of the broker's HTTP side, each on a connection of its own and past any proxy. java.net.http would keep connections that
 * the broker closes meanwhile, and a POST that meets such an end is lost.
 */
final class Control {
    /** Longer than the broker itself lets a call take: a move of the clock has 30 seconds. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final URI address;

    Control(URI address) {
        this.address = address;
    }

    /**
     * What the broker answers, whatever it says.
     *
     * @param call for which
     */
    record Answer(String call, int status, String text) {
        Map<String, Object> body() {
            try {
                return Json.object(Json.read(text));
            } catch (IllegalArgumentException error) {
                throw new KlammException(call + ": the broker does not answer: " + error.getMessage() + ": status " + status, error);
            }
        }

        /** The body of an answer that agrees. */
        Map<String, Object> agreed() {
            if (status != 200) throw new KlammException(sentence());
            return body();
        }

        /** The same for an answer that is a text. */
        String agreedText() {
            if (status != 200) throw new KlammException(sentence());
            return text;
        }

        String sentence() {
            return body().get("error") instanceof String sentence ? sentence : text;
        }
    }

    Answer get(String path, Map<String, Object> words) {
        return call("GET", path, words, null, Duration.ZERO);
    }

    Answer get(String path, Map<String, Object> words, Duration more) {
        return call("GET", path, words, null, more);
    }

    Answer post(String path, Map<String, Object> body) {
        return call("POST", path, Map.of(), Json.write(body), Duration.ZERO);
    }

    Answer delete(String path, Map<String, Object> words) {
        return call("DELETE", path, words, null, Duration.ZERO);
    }

    Answer post(String path, Map<String, Object> words, String body) {
        return call("POST", path, words, body, Duration.ZERO);
    }

    private Answer call(String method, String path, Map<String, Object> words, String body, Duration more) {
        var query = words.entrySet().stream()
                .map(word -> word.getKey() + "=" + URLEncoder.encode(String.valueOf(word.getValue()), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&", words.isEmpty() ? "" : "?", ""));
        try {
            var connection = (HttpURLConnection) address.resolve(path + query).toURL().openConnection(Proxy.NO_PROXY);
            connection.setRequestMethod(method);
            connection.setRequestProperty("Connection", "close");
            connection.setConnectTimeout((int) PATIENCE.toMillis());
            connection.setReadTimeout((int) PATIENCE.plus(more).toMillis());
            if (body != null) {
                var bytes = body.getBytes(StandardCharsets.UTF_8);
                connection.setDoOutput(true);
                connection.setRequestProperty("Content-Type", "application/json");
                // What is streamed is not sent once more where the broker closes the connection without an answer.
                connection.setFixedLengthStreamingMode(bytes.length);
                try (var out = connection.getOutputStream()) {
                    out.write(bytes);
                }
            }
            var status = connection.getResponseCode();
            try (var in = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                var text = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
                return new Answer(method + " " + path, status, text);
            }
        } catch (IOException error) {
            throw new KlammException(method + " " + path + ": the broker does not answer: " + error.getMessage(), error);
        }
    }
}
