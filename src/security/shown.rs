//! Texts of clients as a log line shows them.

use std::fmt::{self, Write};

/// Characters of such a text that are shown.
const MOST_SHOWN: usize = 256;

/// A text that may hold anything: it can neither begin a new line nor make one of any length.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, char) in self.0.chars().enumerate() {
            if count == MOST_SHOWN {
                return f.write_str("…");
            }
            if char.is_control() {
                write!(f, "{}", char.escape_default())?;
            } else {
                f.write_char(char)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_short_line() {
        assert_eq!(Shown("CN=é, O=\"x\"").to_string(), "CN=é, O=\"x\"");
        assert_eq!(Shown("a\nb\u{7f}\u{85}").to_string(), "a\\nb\\u{7f}\\u{85}");
        let long = "ü".repeat(MOST_SHOWN);
        assert_eq!(Shown(&long).to_string(), long);
        assert_eq!(Shown(&(long.clone() + "x")).to_string(), long + "…");
    }
}
