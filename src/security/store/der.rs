//! Values of DER: a tag, a length, the content.

pub(in crate::security) const INTEGER: u8 = 0x02;
pub(in crate::security) const BIT_STRING: u8 = 0x03;
pub(in crate::security) const OCTET_STRING: u8 = 0x04;
pub(in crate::security) const OID: u8 = 0x06;
pub(in crate::security) const SEQUENCE: u8 = 0x30;

/// Takes the next value with its tag; `None` where the bytes end too early.
pub(in crate::security) fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (head, mut rest) = bytes.split_at_checked(2)?;
    let length = match head[1] {
        short @ 0..0x80 => short.into(),
        long => {
            let (digits, behind) = rest.split_at_checked((long & 0x7f).into())?;
            rest = behind;
            if digits.len() > 4 {
                return None;
            }
            digits.iter().fold(0, |length, byte| length << 8 | *byte as usize)
        }
    };
    let (content, behind) = rest.split_at_checked(length)?;
    *bytes = behind;
    Some((head[0], content))
}

/// Takes the content of the next value, which has this tag.
pub(in crate::security) fn take<'a>(bytes: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    next(bytes).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// A value of these parts.
pub(in crate::security) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        _ => {
            let digits = length.to_be_bytes();
            let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
            out.push(0x80 | digits.len() as u8);
            out.extend_from_slice(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_not() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let mut bytes = value(OCTET_STRING, &[&content[..length / 2], &content[length / 2..]]);
            assert_eq!(take(&mut &bytes[..], OCTET_STRING), Some(&content[..]));
            assert_eq!(take(&mut &bytes[..], SEQUENCE), None);
            bytes.pop();
            assert_eq!(next(&mut &bytes[..]), None);
        }
        assert_eq!(next(&mut b"\x04\x89\xff\xff\xff\xff\xff\xff\xff\xff\xff".as_slice()), None);
    }
}
