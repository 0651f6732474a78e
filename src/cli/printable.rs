//! What others have written and a command shows: sentences of a broker, names that clients have given themselves. It steers no
//! terminal, and begins no line that looks like one of the command's own.
//!
//! The records that a console consumer writes are not shown but handed on, as Kafka's tool does.

/// Whether a terminal does more with it than to show it: control characters, ends of lines, and what changes the direction of
/// writing.
fn is_steering(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text as a part of one line.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| if is_steering(c) { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

/// JSON of one line that says the same. Only within its strings can there be anything to escape.
pub(super) fn printable_json(json: &str) -> String {
    let shown = |c: char| if is_steering(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_steers_a_terminal() {
        assert_eq!(printable("a\u{1b}[2J\r\n\t\u{9b}\u{202e}é–日"), "a\\u{1b}[2J\\r\\n\\t\\u{9b}\\u{202e}é–日");
        let told = serde_json::json!({ "client_id": "a\u{1b}\u{9b}\u{7f}\u{2028}é" });
        let shown = printable_json(&told.to_string());
        assert_eq!(shown, r#"{"client_id":"a\u001b\u009b\u007f\u2028é"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), told);
    }
}
