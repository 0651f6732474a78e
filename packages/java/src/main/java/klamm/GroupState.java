package klamm;

import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A group.
 *
 * @param id its id
 * @param state as in {@code "Stable"}
 * @param memberIds the ids of its members
 * @param lag how many records it is behind; empty where nothing is committed
 * @param why sentences about what keeps its consumers from reading
 * @param raw all that the broker tells of it, as JSON is: members, partitions, committed offsets
 */
public record GroupState(
        String id, String state, List<String> memberIds, OptionalLong lag, List<String> why, Map<String, Object> raw) {
    static GroupState of(Map<String, Object> raw) {
        var members = Json.list(raw.get("members")).stream().map(Json::object).map(member -> (String) member.get("member_id"));
        return new GroupState(
                (String) raw.get("group"),
                (String) raw.get("state"),
                members.toList(),
                raw.get("lag") instanceof Long lag ? OptionalLong.of(lag) : OptionalLong.empty(),
                Json.list(raw.get("why")).stream().map(String.class::cast).toList(),
                raw);
    }
}
