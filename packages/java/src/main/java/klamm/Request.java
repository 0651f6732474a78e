package klamm;

import java.time.Instant;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A request that the broker was sent, with its answer.
 *
 * @param id what it is called in the journal
 * @param at when it came, by the broker's clock
 * @param api as in {@code "Produce"}
 * @param version of the API
 * @param clientId empty where the client has none
 * @param software name and version of the client's library, where it tells them
 * @param principal as ACLs write it
 * @param connection a number
 * @param errors how often each error code stands in the answer; without NONE
 * @param raw all that the broker tells of it, as JSON is: maps, lists, strings, longs, doubles, booleans and nulls
 */
public record Request(
        String id,
        Instant at,
        String api,
        int version,
        String clientId,
        String software,
        String principal,
        long connection,
        Map<String, Object> errors,
        Map<String, Object> raw) {

    static Request of(Map<String, Object> raw) {
        var software = objectOrNone(raw.get("software"));
        return new Request(
                (String) raw.get("id"),
                Instant.ofEpochMilli((Long) raw.get("at")),
                (String) raw.get("api"),
                ((Long) raw.get("version")).intValue(),
                raw.get("client_id") instanceof String id ? id : "",
                Stream.of("name", "version").map(software::get).filter(String.class::isInstance).map(String.class::cast)
                        .collect(Collectors.joining(" ")),
                (String) raw.get("principal"),
                (Long) raw.get("connection"),
                objectOrNone(raw.get("errors")),
                raw);
    }

    private static Map<String, Object> objectOrNone(Object value) {
        return value == null ? Map.of() : Json.object(value);
    }

    /**
     * A part of the request's body.
     *
     * @param path names and indexes, as in {@code request("topicData", 0, "name")}
     * @return what is there, as JSON is; null where nothing is
     */
    public Object request(Object... path) {
        return Json.at(raw.get("request"), path);
    }

    /**
     * A part of the answer's body.
     *
     * @param path names and indexes
     * @return what is there, as JSON is; null where nothing is
     */
    public Object answer(Object... path) {
        return Json.at(raw.get("answer"), path);
    }

    @Override
    public String toString() {
        var text = LocalTime.ofInstant(at, ZoneOffset.UTC) + " " + api + " v" + version + " " + (clientId.isEmpty() ? "-" : clientId);
        return errors.isEmpty() ? text : text + " " + String.join(", ", errors.keySet());
    }
}
