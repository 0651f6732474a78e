//! The answer to a GET (RFC 9112), read anew with every piece that comes, until it is whole.

/// Keys of a provider that are larger are none (`org.jose4j.http.Get`).
const MAX_BODY_BYTES: usize = 512 * 1024;
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// A body in chunks has at most so many bytes around it: lengths of a byte each.
const MAX_CHUNKED_BYTES: usize = MAX_BODY_BYTES * 8;
/// The line with a chunk's size.
const MAX_CHUNK_HEAD_BYTES: usize = 1024;

pub(super) const TOO_LARGE: &str = "the answer is too large";
const CUT_OFF: &str = "the answer is cut off";
const BAD_CHUNKS: &str = "the chunks of the answer cannot be read";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// How a body ends.
enum Ends {
    WithTheConnection,
    After(usize),
    Chunked,
}

/// `None`: more must come. `is_all`: no more will.
pub(super) fn read(bytes: &[u8], is_all: bool) -> Result<Option<Response>, &'static str> {
    let Some(end) = bytes.windows(4).take(MAX_HEAD_BYTES).position(|window| window == b"\r\n\r\n") else {
        return match (bytes.len() >= MAX_HEAD_BYTES, is_all) {
            (true, _) => Err(TOO_LARGE),
            (_, true) => Err(CUT_OFF),
            _ => Ok(None),
        };
    };
    let (status, ends) = head(&bytes[..end])?;
    let body = &bytes[end + 4..];
    let whole = match ends {
        Ends::After(size) if size > MAX_BODY_BYTES => return Err(TOO_LARGE),
        Ends::After(size) => body.get(..size).map(<[u8]>::to_vec),
        Ends::WithTheConnection if body.len() > MAX_BODY_BYTES => return Err(TOO_LARGE),
        Ends::WithTheConnection => is_all.then(|| body.to_vec()),
        Ends::Chunked => chunks(body)?,
    };
    match whole {
        Some(body) => Ok(Some(Response { status, body })),
        None if is_all => Err(CUT_OFF),
        None => Ok(None),
    }
}

fn head(bytes: &[u8]) -> Result<(u16, Ends), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the head of the answer is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")).and_then(|rest| rest.get(2..5));
    let status = status.and_then(|digits| digits.parse().ok()).ok_or("the answer is not HTTP")?;
    let mut ends = Ends::WithTheConnection;
    for line in lines {
        let (name, value) = line.split_once(':').ok_or("the head of the answer cannot be read")?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => ends = Ends::Chunked,
            "transfer-encoding" => return Err("the answer is encoded"),
            "content-encoding" if !value.eq_ignore_ascii_case("identity") => return Err("the answer is encoded"),
            "content-length" if !matches!(ends, Ends::Chunked) => {
                let is_number = !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit());
                ends = Ends::After(value.parse().ok().filter(|_| is_number).ok_or("the answer has no length")?);
            }
            _ => {}
        }
    }
    Ok((status, ends))
}

/// `None`: more must come.
fn chunks(mut rest: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    if rest.len() > MAX_CHUNKED_BYTES {
        return Err(TOO_LARGE);
    }
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).take(MAX_CHUNK_HEAD_BYTES).position(|window| window == b"\r\n") else {
            return if rest.len() > MAX_CHUNK_HEAD_BYTES { Err(BAD_CHUNKS) } else { Ok(None) };
        };
        let line = std::str::from_utf8(&rest[..end]).map_err(|_| BAD_CHUNKS)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_hexdigit());
        let size = usize::from_str_radix(digits, 16).ok().filter(|_| is_number).ok_or(BAD_CHUNKS)?;
        if size == 0 {
            // What may come behind the last chunk is not looked at.
            return Ok(Some(body));
        }
        if size > MAX_BODY_BYTES - body.len() {
            return Err(TOO_LARGE);
        }
        let Some(behind) = rest[end + 2..].get(size..size + 2) else { return Ok(None) };
        if behind != b"\r\n" {
            return Err(BAD_CHUNKS);
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it byte by byte, and where the other side ends it.
    fn answered(text: &str) -> Result<(u16, String), &'static str> {
        let bytes = text.as_bytes();
        for length in 0..bytes.len() {
            if let Some(early) = read(&bytes[..length], false)? {
                assert_eq!(read(bytes, true)?, Some(early), "what is whole does not change");
                break;
            }
        }
        let whole = read(bytes, true)?.expect("there is no more");
        Ok((whole.status, String::from_utf8(whole.body).unwrap()))
    }

    #[test]
    fn bodies_end_as_their_heads_say() {
        let ok = |body: &str| Ok((200, body.to_string()));
        assert_eq!(answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc"), ok("ab"));
        assert_eq!(answered("HTTP/1.0 200 OK\r\n\r\nabc"), ok("abc"));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n00a;x=1\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(answered(chunked), ok("ab0123456789"));
        assert_eq!(answered("HTTP/1.1 404 No\r\ncontent-length:0\r\n\r\n"), Ok((404, String::new())));
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",
            "HTTP/1.1 200 OK\r\nA: b\r\n",
        ] {
            assert_eq!(answered(text), Err(CUT_OFF), "{text}");
        }
        for text in [
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 xyz\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nbad\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n",
        ] {
            assert!(answered(text).is_err_and(|why| why != CUT_OFF), "{text}");
        }
    }

    #[test]
    fn an_answer_of_any_size_is_given_up() {
        let head = "HTTP/1.1 200 OK\r\n";
        let of =
            |middle: &str, body: usize| read(&[head.as_bytes(), middle.as_bytes(), &vec![b'1'; body]].concat(), false);
        assert_eq!(of("\r\n", MAX_BODY_BYTES), Ok(None));
        assert_eq!(of("\r\n", MAX_BODY_BYTES + 1), Err(TOO_LARGE));
        assert_eq!(of("Content-Length: 524289\r\n\r\n", 0), Err(TOO_LARGE));
        assert_eq!(of("X: ", MAX_HEAD_BYTES), Err(TOO_LARGE));
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n80001\r\n", 0), Err(TOO_LARGE));
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n", MAX_CHUNKED_BYTES + 1), Err(TOO_LARGE));
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n", MAX_CHUNK_HEAD_BYTES), Ok(None));
        assert_eq!(of("Transfer-Encoding: chunked\r\n\r\n", MAX_CHUNK_HEAD_BYTES + 2), Err(BAD_CHUNKS));
    }
}
