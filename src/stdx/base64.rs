//! Base64 as in MIME, with padding (RFC 4648, 4), read as Java's `Base64.getDecoder()` reads it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// `None`: a character that is none of base64, or the padding is not as it must be. Bits that the last digit has too many
/// are ignored.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|c| **c == b'=').count();
    if padding > 2 {
        return None;
    }
    decode_digits(&text[..text.len() - padding], digit)
}

/// The same with `-` and `_`, and without padding (RFC 4648, 5).
pub fn decode_url(text: &[u8]) -> Option<Vec<u8>> {
    let of_url = |c: u8| match c {
        b'-' => Some(62),
        b'_' => Some(63),
        b'+' | b'/' => None,
        c => digit(c),
    };
    decode_digits(text, of_url)
}

fn decode_digits(text: &[u8], digit: impl Fn(u8) -> Option<u32>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut bits = 0;
        for c in chunk {
            bits = bits << 6 | digit(*c)?;
        }
        let whole = match chunk.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        bits <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
}

fn digit(c: u8) -> Option<u32> {
    let digit = match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4648, 10.
    #[test]
    fn the_texts_of_the_standard() {
        let texts = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in texts.into_iter().enumerate() {
            let bytes = &b"foobar"[..length];
            assert_eq!((encode(bytes).as_str(), decode(text.as_bytes()).as_deref()), (text, Some(bytes)));
            assert_eq!(decode_url(text.trim_end_matches('=').as_bytes()).as_deref(), Some(bytes));
        }
        assert_eq!((decode(b"++//"), decode(b"--__")), (Some(vec![0xfb, 0xef, 0xff]), None));
        assert_eq!((decode_url(b"--__"), decode_url(b"++//")), (Some(vec![0xfb, 0xef, 0xff]), None));
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AAA\n", "AAAA=", "AA-A", "AAAé"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        assert_eq!((decode_url(b"A"), decode_url(b"AA==")), (None, None));
        // Java does not look at the bits behind the last byte either.
        assert_eq!(decode(b"Zh=="), Some(vec![b'f']));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn nothing_panics(text: Vec<u8>) {
            let _ = (decode(&text), decode_url(&text));
        }
    }
}
