//! Which names a topic may have (`org.apache.kafka.common.internals.Topic`).

/// Directory names are a topic's name, a dash and a number; file systems allow 255 bytes.
pub const MAX_NAME_LENGTH: usize = 249;

/// Where the groups are kept (`Topic.GROUP_METADATA_TOPIC_NAME`).
pub const GROUPS_TOPIC: &str = "__consumer_offsets";

/// Where the transactions are kept (`Topic.TRANSACTION_STATE_TOPIC_NAME`).
pub const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// Topics that the broker itself writes.
pub const INTERNAL_TOPICS: &[&str] = &[GROUPS_TOPIC, TRANSACTIONS_TOPIC, "__share_group_state"];

/// The log of the metadata itself; not a topic that users may create.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

pub fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

/// The error is the message that goes with INVALID_TOPIC_EXCEPTION.
pub fn validate(name: &str) -> Result<(), String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let reason = if name.is_empty() {
        "the empty string is not allowed".to_string()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.encode_utf16().count() > MAX_NAME_LENGTH {
        format!("the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}")
    } else if !name.bytes().all(legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {reason}"))
}

/// What metrics make of a name, which write '.' as '_': two names of which they make one collide. `None`: the name has neither
/// of the two, and collides with none.
pub fn unified(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_judges_them() {
        for good in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert_eq!(validate(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "é", "a\0", &"x".repeat(250)] {
            assert!(validate(bad).is_err(), "{bad}");
        }
        let long = "x".repeat(250);
        let table = [
            ("", "the empty string is not allowed"),
            ("..", "'..' is not allowed"),
            (&long, &format!("the length of '{long}' is longer than the max allowed length 249")),
            ("a b", "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
            (
                &"é".repeat(249),
                &format!(
                    "'{}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
                    "é".repeat(249)
                ),
            ),
        ];
        for (name, reason) in table {
            assert_eq!(validate(name), Err(format!("Topic name is invalid: {reason}")));
        }
        assert_eq!(
            ["a.b", "a_b", "a-b", "_."].map(unified),
            [Some("a_b".into()), Some("a_b".into()), None, Some("__".into())]
        );
    }
}
