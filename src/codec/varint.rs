//! Variable-length integers of the protocol: 7 bits a byte, least significant first; signed ones zigzag.

/// The most bytes that a 32-bit varint takes.
pub const MAX_U32_BYTES: usize = 5;
const _: () = assert!(7 * (MAX_U32_BYTES - 1) < 32 && 7 * MAX_U32_BYTES >= 32);
/// The most bytes that a 64-bit varint takes.
pub const MAX_U64_BYTES: usize = 10;
const _: () = assert!(7 * (MAX_U64_BYTES - 1) < 64 && 7 * MAX_U64_BYTES >= 64);

/// Reads an unsigned varint from the front: the value and the bytes it took; `None` if it is cut or over 64 bits.
#[inline]
pub fn read_u64(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().take(MAX_U64_BYTES).enumerate() {
        if at == MAX_U64_BYTES - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

/// As [`read_u64`], refusing more than 32 bits.
#[inline]
pub fn read_u32(bytes: &[u8]) -> Option<(u32, usize)> {
    let (value, length) = read_u64(&bytes[..bytes.len().min(MAX_U32_BYTES)])?;
    Some((u32::try_from(value).ok()?, length))
}

#[inline]
pub fn read_i64(bytes: &[u8]) -> Option<(i64, usize)> {
    let (value, length) = read_u64(bytes)?;
    Some((unzigzag(value), length))
}

#[inline]
pub fn read_i32(bytes: &[u8]) -> Option<(i32, usize)> {
    let (value, length) = read_u32(bytes)?;
    Some((unzigzag(u64::from(value)) as i32, length))
}

#[inline]
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, zigzag(value));
}

/// The bytes that [`write_u64`] writes.
#[inline]
pub fn size_u64(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// The bytes that [`write_i64`] writes.
#[inline]
pub fn size_i64(value: i64) -> usize {
    size_u64(zigzag(value))
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(value: u64) {
            let mut out = Vec::new();
            write_u64(&mut out, value);
            prop_assert_eq!(out.len(), size_u64(value));
            prop_assert_eq!(read_u64(&out), Some((value, out.len())));
            out.clear();
            write_i64(&mut out, value as i64);
            prop_assert_eq!(out.len(), size_i64(value as i64));
            prop_assert_eq!(read_i64(&out), Some((value as i64, out.len())));
        }

        #[test]
        fn any_bytes_are_refused_or_read(bytes: Vec<u8>) {
            if let Some((_, length)) = read_u64(&bytes) {
                prop_assert!(length <= bytes.len());
            }
            let _ = (read_i32(&bytes), read_i64(&bytes));
        }
    }

    #[test]
    fn cut_or_overlong_is_refused() {
        assert_eq!(read_u32(&[]), None);
        assert_eq!(read_u32(&[0x80]), None);
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some((u32::MAX, 5)));
        assert_eq!(read_u32(&[0xff, 0xff, 0xff, 0xff, 0x1f]), None);
        assert_eq!(read_u64(&[0xff; 11]), None);
    }
}
