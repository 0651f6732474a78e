//! The text of a Java `.properties` file: key and value pairs in the order of the file.
//!
//! Follows the rules of `java.util.Properties.load`: comments (`#`, `!`), three separators (`=`, `:`, white space),
//! escapes, lines continued by a trailing backslash. Accepts every text: where Java would throw (a broken `\u` escape)
//! the characters stand for themselves. Does not know what any key means.

/// Reads all pairs. A key that occurs twice is returned twice; the later one is meant to win.
pub fn parse(text: &str) -> Vec<(String, String)> {
    logical_lines(text).iter().map(|line| split(line)).collect()
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

/// Natural lines joined where a line ends in an odd number of backslashes; comments and empty lines are left out.
/// A comment cannot be continued, and a line that continues another one is never a comment.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    let text = text.replace("\r\n", "\n");
    for natural in text.split(['\n', '\r']) {
        let natural = natural.trim_start_matches(is_blank);
        // Java takes a line of nothing but a backslash for no line at all: what follows may be empty or a comment.
        let fresh = open.as_ref().is_none_or(String::is_empty);
        if fresh && (natural.is_empty() || natural.starts_with(['#', '!'])) {
            open = None;
            continue;
        }
        let backslashes = natural.chars().rev().take_while(|c| *c == '\\').count();
        let continued = backslashes % 2 == 1;
        let mut line = open.take().unwrap_or_default();
        line.push_str(if continued { &natural[..natural.len() - 1] } else { natural });
        match continued {
            true => open = Some(line),
            false => lines.push(line),
        }
    }
    lines.extend(open.filter(|line| !line.is_empty()));
    lines
}

/// Cuts a logical line at the first separator that is not escaped.
fn split(line: &str) -> (String, String) {
    let mut escaped = false;
    let mut key_end = line.len();
    for (at, c) in line.char_indices() {
        if !escaped && (is_blank(c) || c == '=' || c == ':') {
            key_end = at;
            break;
        }
        escaped = c == '\\' && !escaped;
    }
    let (key, rest) = line.split_at(key_end);
    let rest = rest.trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start_matches(is_blank);
    (unescape(key), unescape(value))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    // `\u` escapes are UTF-16 units: a high surrogate waits for its low half.
    let mut units: Vec<u16> = Vec::new();
    while let Some(c) = chars.next() {
        let escape = if c == '\\' { chars.clone().next() } else { None };
        let unit = escape.filter(|e| *e == 'u').and_then(|_| unicode_unit(chars.as_str()));
        if let Some(unit) = unit {
            units.push(unit);
            chars = chars.as_str()[UNICODE_ESCAPE_LENGTH..].chars();
            continue;
        }
        flush_units(&mut units, &mut out);
        if escape.is_some() {
            chars.next();
        }
        match escape {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\x0c'),
            Some(other) => out.push(other),
            None if c == '\\' => {} // a backslash at the very end of the text: Java drops it as well
            None => out.push(c),
        }
    }
    flush_units(&mut units, &mut out);
    out
}

/// The letter u and four hexadecimal digits.
const UNICODE_ESCAPE_LENGTH: usize = 5;

fn unicode_unit(rest: &str) -> Option<u16> {
    let digits = rest.get(1..UNICODE_ESCAPE_LENGTH)?;
    let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if all_hex { u16::from_str_radix(digits, 16).ok() } else { None }
}

fn flush_units(units: &mut Vec<u16>, out: &mut String) {
    if !units.is_empty() {
        out.push_str(&String::from_utf16_lossy(units));
        units.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(text: &str) -> (String, String) {
        let mut pairs = parse(text);
        assert_eq!(pairs.len(), 1, "{text:?} gave {pairs:?}");
        pairs.remove(0)
    }

    /// As `java.util.Properties.store` writes it, but for characters beyond ASCII, which it escapes and we read as they are.
    fn escape(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\x0c' => out.push_str("\\f"),
                ' ' | '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
                other => out.push(other),
            }
        }
        out
    }

    #[test]
    fn separators_escapes_and_continuations_are_javas() {
        let table = [
            ("a=b", "a", "b"),
            ("a:b", "a", "b"),
            ("a b c", "a", "b c"),
            ("  a \t=  b ", "a", "b "),
            ("a", "a", ""),
            ("a==b", "a", "=b"),
            ("a\\=b=c", "a=b", "c"),
            ("a\\ b=c", "a b", "c"),
            ("a=b\\\n   c", "a", "bc"),
            ("a=b\\\r\n   #c", "a", "b#c"),
            ("a=b\\\\\nc=d\n#", "a", "b\\"),
            ("a=\\u0041\\u00e9", "a", "Aé"),
            ("a=\\ud83d\\ude00!", "a", "😀!"),
            ("a=\\u00", "a", "u00"),
            ("a=\\u00zz", "a", "u00zz"),
            ("a=\\t\\n\\r\\f\\x", "a", "\t\n\r\x0cx"),
            ("a=b\\", "a", "b"),
            ("! comment \\\na=b", "a", "b"),
            ("\n# comment\n\n a=b\n", "a", "b"),
            ("\\\n# comment\na=b", "a", "b"),
        ];
        for (text, key, value) in table {
            let (k, v) = parse(text).remove(0);
            assert_eq!((k.as_str(), v.as_str()), (key, value), "{text:?}");
        }
        assert_eq!(one("listeners = PLAINTEXT://:9092, SSL://:9093").1, "PLAINTEXT://:9092, SSL://:9093");
        assert!(parse("").is_empty() && parse("#\n!\n  \n").is_empty());
    }

    proptest! {
        /// Every text is read, at most one pair of each line, and what was read is read again from what Java would write.
        #[test]
        fn what_is_read_of_any_text_comes_back(text in "[a-z\\\\#!=: \n\r\t\u{e9}0-9]{0,60}|\\PC{0,60}") {
            let pairs = parse(&text);
            prop_assert!(pairs.len() <= text.split(['\n', '\r']).count());
            let again: String = pairs.iter().map(|(k, v)| format!("{}={}\n", escape(k), escape(v))).collect();
            prop_assert_eq!(parse(&again), pairs);
        }

        #[test]
        fn plain_pairs_come_back(pairs in prop::collection::vec(("[a-z.]{1,12}", "[a-zA-Z0-9/.,][a-zA-Z0-9/., =:#!]{0,20}"), 0..8)) {
            let text: String = pairs.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
            prop_assert_eq!(parse(&text), pairs);
        }
    }
}
