//! The five codecs of a batch's records: whole payload in, whole payload out.
//!
//! Invariant: unpacking never yields more than the caller's limit, and what it reserves on the way is a small multiple
//! of what it has really produced or of what it was given. A size that the input announces is never believed.
//!
//! Framing follows the Java client, since every consumer can read what that one writes: gzip members, the framing of
//! snappy-java (magic, two versions, then length-prefixed blocks), lz4 frames of independent blocks, zstd frames.

use std::fmt;
use std::io::{self, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use zstd::zstd_safe::{self, zstd_sys::ZSTD_ErrorCode};

use crate::model::CompressionType;

/// First bytes of snappy-java's framing; two version numbers (current, lowest that can read it) follow.
const XERIAL_MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
const XERIAL_VERSION: i32 = 1;
const XERIAL_HEADER_SIZE: usize = 16;
const _: () = assert!(XERIAL_HEADER_SIZE == XERIAL_MAGIC.len() + 2 * size_of::<i32>());
/// Block size of snappy-java's output stream when it is not told another one, as Kafka does not.
const XERIAL_BLOCK_SIZE: usize = 32 * 1024;
/// No snappy element makes more of its bytes: a copy with a two-byte offset turns 3 bytes into at most 64.
const SNAPPY_MAX_EXPANSION: usize = 22;
const _: () = assert!(3 * SNAPPY_MAX_EXPANSION >= 64, "no sound block is refused");
const LZ4_MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
/// First reservation for zstd's output as a multiple of its input, and the step when that was too little.
const ZSTD_GUESS: usize = 4;
const ZSTD_MIN_OUTPUT: usize = 16 * 1024;
const _: () = assert!(ZSTD_GUESS > 1 && ZSTD_MIN_OUTPUT > 0, "each attempt has more room than the last");

/// Why a payload could not be unpacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The bytes are not what the codec writes, or end too early.
    Corrupt,
    /// The output would be longer than the limit.
    TooLarge,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Corrupt => "compressed bytes are corrupt",
            Error::TooLarge => "the decompressed size is over the limit",
        })
    }
}

impl std::error::Error for Error {}

/// Packs `bytes`. `level` is the codec's own scale and is moved into its range; `None` is the codec's default. Snappy
/// has no levels, and the lz4 library has only the fast one, which is also what Kafka's default level (9) selects.
pub fn compress(kind: CompressionType, level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    match kind {
        CompressionType::None => bytes.to_vec(),
        CompressionType::Gzip => compress_gzip(level, bytes),
        CompressionType::Snappy => compress_xerial(bytes),
        CompressionType::Lz4 => compress_lz4(bytes),
        CompressionType::Zstd => compress_zstd(level, bytes),
    }
}

/// Unpacks `bytes` into at most `limit_bytes`.
pub fn decompress(kind: CompressionType, bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Error> {
    let unpacked = match kind {
        CompressionType::None if bytes.len() > limit_bytes => Err(Error::TooLarge),
        CompressionType::None => Ok(bytes.to_vec()),
        CompressionType::Gzip => read_bounded(MultiGzDecoder::new(bytes), limit_bytes),
        CompressionType::Snappy => decompress_snappy(bytes, limit_bytes),
        CompressionType::Lz4 => decompress_lz4(bytes, limit_bytes),
        CompressionType::Zstd => decompress_zstd(bytes, limit_bytes),
    };
    assert!(unpacked.as_ref().map_or(0, Vec::len) <= limit_bytes, "{kind:?} unpacks beyond the limit");
    unpacked
}

fn compress_gzip(level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    let level = match level {
        Some(level @ 1..) => flate2::Compression::new(level.min(9) as u32),
        _ => flate2::Compression::default(),
    };
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes all bytes")
}

fn compress_xerial(bytes: &[u8]) -> Vec<u8> {
    let blocks = bytes.len().div_ceil(XERIAL_BLOCK_SIZE);
    let mut out = Vec::with_capacity(XERIAL_HEADER_SIZE + bytes.len() / 2 + 4 * blocks);
    out.extend_from_slice(XERIAL_MAGIC);
    out.extend_from_slice(&XERIAL_VERSION.to_be_bytes());
    out.extend_from_slice(&XERIAL_VERSION.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    let mut packed = [0; XERIAL_BLOCK_SIZE + XERIAL_BLOCK_SIZE / 4];
    for block in bytes.chunks(XERIAL_BLOCK_SIZE) {
        let length = encoder.compress(block, &mut packed).expect("the buffer holds the worst case of a block");
        out.extend_from_slice(&(length as i32).to_be_bytes());
        out.extend_from_slice(&packed[..length]);
    }
    out
}

fn compress_lz4(bytes: &[u8]) -> Vec<u8> {
    // The Java client refuses linked blocks and larger ones cost it memory: 64 KiB is what it writes itself.
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).expect("a vector takes all bytes");
    encoder.finish().expect("a vector takes all bytes")
}

fn compress_zstd(level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
    let level = level.clamp(zstd_safe::min_c_level(), zstd_safe::max_c_level());
    zstd::bulk::compress(bytes, level).expect("the buffer holds the worst case")
}

/// Reads all, stopping one byte past the limit; the vector grows with what has been read.
fn read_bounded(reader: impl Read, limit_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let one_more = (limit_bytes as u64).saturating_add(1);
    reader.take(one_more).read_to_end(&mut out).map_err(|_| Error::Corrupt)?;
    if out.len() > limit_bytes { Err(Error::TooLarge) } else { Ok(out) }
}

/// Reads both ways in which producers pack snappy: snappy-java's framing, or one bare block (librdkafka and others).
fn decompress_snappy(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    if !bytes.starts_with(XERIAL_MAGIC) {
        append_snappy_block(bytes, limit_bytes, &mut out)?;
        return Ok(out);
    }
    let mut rest = bytes.get(XERIAL_HEADER_SIZE..).ok_or(Error::Corrupt)?;
    while !rest.is_empty() {
        if rest.starts_with(XERIAL_MAGIC) {
            // Streams may be joined end to end: another header is no block.
            rest = rest.get(XERIAL_HEADER_SIZE..).ok_or(Error::Corrupt)?;
            continue;
        }
        let (length, after) = rest.split_first_chunk().ok_or(Error::Corrupt)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Error::Corrupt)?;
        let (block, after) = after.split_at_checked(length).ok_or(Error::Corrupt)?;
        append_snappy_block(block, limit_bytes, &mut out)?;
        rest = after;
    }
    Ok(out)
}

fn append_snappy_block(block: &[u8], limit_bytes: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    let announced = snap::raw::decompress_len(block).map_err(|_| Error::Corrupt)?;
    if announced > block.len().saturating_mul(SNAPPY_MAX_EXPANSION) {
        return Err(Error::Corrupt);
    }
    let start = out.len();
    assert!(start <= limit_bytes, "earlier blocks were let in beyond the limit");
    if announced > limit_bytes - start {
        return Err(Error::TooLarge);
    }
    out.resize(start + announced, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut out[start..]).map_err(|_| Error::Corrupt)?;
    if written == announced { Ok(()) } else { Err(Error::Corrupt) }
}

/// A slice that calls it an error to be read past its end. The lz4 decoder takes the end of its input for the end of
/// the frame; a frame without its end mark has lost something.
struct Whole<'a>(&'a [u8]);

impl Read for Whole<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf) {
            Ok(0) if !buf.is_empty() => Err(io::ErrorKind::InvalidData.into()),
            read => read,
        }
    }
}

fn decompress_lz4(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Error> {
    // The decoder would also take the legacy frame, which Kafka has never used and which has no end mark.
    if !bytes.starts_with(&LZ4_MAGIC) {
        return Err(Error::Corrupt);
    }
    read_bounded(FrameDecoder::new(Whole(bytes)), limit_bytes)
}

/// Unpacks in one step into a buffer that is its own window: the streaming decoder would reserve the window that the
/// frame announces, and refusing large windows would refuse producers with high levels, who announce 128 MiB for a few
/// bytes. When the buffer was too small it has been filled, so what it produced is evidence for a larger one.
fn decompress_zstd(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Error> {
    if bytes.is_empty() {
        return Err(Error::Corrupt);
    }
    let mut context = zstd_safe::DCtx::create();
    let mut capacity = bytes.len().saturating_mul(ZSTD_GUESS).max(ZSTD_MIN_OUTPUT).min(limit_bytes);
    loop {
        let mut out = Vec::with_capacity(capacity);
        match context.decompress(&mut out, bytes) {
            Ok(_) if out.len() > limit_bytes => return Err(Error::TooLarge),
            Ok(_) => return Ok(out),
            Err(code) if !zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
                return Err(Error::Corrupt);
            }
            Err(_) if capacity == limit_bytes => return Err(Error::TooLarge),
            Err(_) => capacity = capacity.saturating_mul(ZSTD_GUESS).min(limit_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [CompressionType; 5] = [
        CompressionType::None,
        CompressionType::Gzip,
        CompressionType::Snappy,
        CompressionType::Lz4,
        CompressionType::Zstd,
    ];
    const LIMIT: usize = 1 << 20;

    fn any_kind() -> impl Strategy<Value = CompressionType> {
        proptest::sample::select(ALL.to_vec())
    }

    /// Text-like bytes: neither random nor constant, longer than a block of any codec.
    fn text(size: usize) -> Vec<u8> {
        (0..size).map(|at| b"the castle hill was hidden "[(at * at / 7) % 27]).collect()
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(kind in any_kind(), level in proptest::option::of(-9..30), bytes: Vec<u8>) {
            let packed = compress(kind, level, &bytes);
            prop_assert_eq!(decompress(kind, &packed, bytes.len()), Ok(bytes.clone()));
            if let Some(less) = bytes.len().checked_sub(1) {
                prop_assert_eq!(decompress(kind, &packed, less), Err(Error::TooLarge));
            }
        }

        #[test]
        fn garbage_is_refused_or_bounded(kind in any_kind(), bytes: Vec<u8>, limit in 0..4096usize) {
            if let Ok(out) = decompress(kind, &bytes, limit) {
                prop_assert!(out.len() <= limit);
            }
        }

        #[test]
        fn changed_bytes_are_refused_or_bounded(kind in any_kind(), at: prop::sample::Index, with: u8) {
            let mut packed = compress(kind, None, &text(5000));
            let at = at.index(packed.len());
            packed[at] = with;
            if let Ok(out) = decompress(kind, &packed, 6000) {
                prop_assert!(out.len() <= 6000);
            }
        }

        #[test]
        fn cut_bytes_never_pass_for_the_whole(kind in any_kind(), at: prop::sample::Index) {
            let packed = compress(kind, None, &text(70_000));
            let cut = &packed[..at.index(packed.len())];
            let all = decompress(kind, cut, LIMIT).is_ok_and(|out| out.len() == 70_000);
            prop_assert!(!all);
            // Snappy's framing has no end of its own: a cut between two blocks is a shorter stream.
            if !matches!(kind, CompressionType::Snappy | CompressionType::None) {
                prop_assert_eq!(decompress(kind, cut, LIMIT), Err(Error::Corrupt));
            }
        }
    }

    #[test]
    fn payloads_longer_than_a_block_survive() {
        for kind in ALL {
            let bytes = text(700_000);
            let packed = compress(kind, None, &bytes);
            assert_eq!(decompress(kind, &packed, bytes.len()).as_ref(), Ok(&bytes), "{kind:?}");
            assert!(kind == CompressionType::None || packed.len() < bytes.len() / 2, "{kind:?}");
        }
    }

    #[test]
    fn bombs_stop_at_the_limit() {
        let zeros = vec![0; 8 << 20];
        for kind in ALL {
            let bomb = compress(kind, None, &zeros);
            assert_eq!(decompress(kind, &bomb, LIMIT), Err(Error::TooLarge), "{kind:?}");
        }
    }

    #[test]
    fn announced_sizes_are_not_believed() {
        // snappy: 4 GiB announced, nothing behind it, bare and framed.
        let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0];
        assert_eq!(decompress(CompressionType::Snappy, &lie, usize::MAX), Err(Error::Corrupt));
        let mut framed = compress(CompressionType::Snappy, None, b"");
        framed.extend_from_slice(&8i32.to_be_bytes());
        framed.extend_from_slice(&lie);
        assert_eq!(decompress(CompressionType::Snappy, &framed, usize::MAX), Err(Error::Corrupt));
        for length in [-1, i32::MIN, i32::MAX] {
            framed.truncate(XERIAL_HEADER_SIZE);
            framed.extend_from_slice(&i32::to_be_bytes(length));
            assert_eq!(decompress(CompressionType::Snappy, &framed, LIMIT), Err(Error::Corrupt));
        }
        // zstd: a single segment that announces a content of 2^62 bytes.
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        frame.extend_from_slice(&(1u64 << 62).to_le_bytes());
        frame.extend_from_slice(&[1, 0, 0]);
        assert_eq!(decompress(CompressionType::Zstd, &frame, LIMIT), Err(Error::Corrupt));
    }

    #[test]
    fn large_zstd_windows_with_little_in_them_are_read() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 22).unwrap();
        encoder.window_log(27).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"little").unwrap();
        let frame = encoder.finish().unwrap();
        assert_eq!(decompress(CompressionType::Zstd, &frame, 6).as_deref(), Ok(&b"little"[..]));
    }

    #[test]
    fn snappy_is_read_bare_framed_and_joined() {
        let bytes = text(50_000);
        let bare = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        assert_eq!(decompress(CompressionType::Snappy, &bare, LIMIT).as_ref(), Ok(&bytes));
        let framed = compress(CompressionType::Snappy, None, &bytes);
        assert_eq!(&framed[..16], b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
        let joined = [framed.clone(), framed].concat();
        assert_eq!(decompress(CompressionType::Snappy, &joined, LIMIT), Ok([bytes.clone(), bytes].concat()));
    }

    #[test]
    fn the_expansion_of_snappy_stays_under_its_bound() {
        let packed = snap::raw::Encoder::new().compress_vec(&vec![0; 1 << 20]).unwrap();
        assert!((1 << 20) < packed.len() * SNAPPY_MAX_EXPANSION);
    }

    #[test]
    fn empty_input_is_no_compressed_stream() {
        for kind in ALL.into_iter().skip(1) {
            assert_eq!(decompress(kind, b"", LIMIT), Err(Error::Corrupt), "{kind:?}");
        }
    }

    #[test]
    fn lz4_frames_are_those_of_the_java_client() {
        let packed = compress(CompressionType::Lz4, None, &text(1000));
        // Version 1, independent blocks, nothing else; 64 KiB blocks; the second byte of the descriptor's xxh32.
        assert_eq!(packed[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
    }
}
