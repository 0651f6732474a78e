//! Kafka's 128-bit identifiers and their text form: URL-safe base64 without padding, 22 characters.

use std::fmt;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LENGTH: usize = 22;
const _: () = assert!(6 * TEXT_LENGTH >= 128 && 6 * (TEXT_LENGTH - 1) < 128, "the text holds all bits and no more");

/// A topic, directory, incarnation or cluster identifier (`org.apache.kafka.common.Uuid`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    pub const ZERO: Uuid = Uuid([0; 16]);
    /// Uuid 0…1: the topic id of `__cluster_metadata`, and as a directory id "unassigned".
    pub const ONE: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// A version 4 identifier from 16 random bytes. Kafka avoids identifiers whose text begins with a dash (command
    /// lines would take it for an option), so the first bits are changed where that would happen.
    pub fn from_random_bytes(mut bytes: [u8; 16]) -> Uuid {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        if ALPHABET[usize::from(bytes[0] >> 2)] == b'-' {
            bytes[0] &= 0x7f;
        }
        assert!(ALPHABET[usize::from(bytes[0] >> 2)] != b'-', "command lines would take the identifier for an option");
        Uuid(bytes)
    }

    pub fn is_zero(self) -> bool {
        self == Uuid::ZERO
    }

    /// Reads the 22-character form; `None` if it is not one.
    pub fn parse(text: &str) -> Option<Uuid> {
        let text = text.trim_end_matches('=').as_bytes();
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let mut value: u128 = 0;
        for (at, c) in text.iter().enumerate() {
            let six = ALPHABET.iter().position(|a| a == c)? as u128;
            // 22 characters hold 132 bits: the last one carries only two of the 128.
            value = if at == TEXT_LENGTH - 1 { (value << 2) | (six >> 4) } else { (value << 6) | six };
        }
        Some(Uuid(value.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0u8; TEXT_LENGTH];
        for (at, out) in text.iter_mut().enumerate() {
            let six = if at == TEXT_LENGTH - 1 { value << 4 } else { value >> (122 - 6 * at) };
            *out = ALPHABET[(six & 63) as usize];
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_kafkas() {
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAQ"), Some(Uuid::ONE));
        let id = Uuid::from_random_bytes(*b"0123456789abcdef");
        assert_eq!(Uuid::parse(&id.to_string()), Some(id));
        assert_eq!(Uuid::parse("too short"), None);
    }

    #[test]
    fn random_identifiers_never_begin_with_a_dash() {
        for first in 0..=255 {
            let mut bytes = [0xff; 16];
            bytes[0] = first;
            assert!(!Uuid::from_random_bytes(bytes).to_string().starts_with('-'));
        }
    }
}
