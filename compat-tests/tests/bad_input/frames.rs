//! Frames, lengths, headers: what is wrong before an API is even known.

use crate::guard::Guard;
use compat_tests::broker::{Broker, Peer};
use compat_tests::raw::{self, Answer, PATIENCE, Raw};
use compat_tests::records::Bytes;
use compat_tests::{Result, ensure};
use kafka_protocol::messages::{ApiVersionsResponse, MetadataRequest};
use kafka_protocol::protocol::Decodable;
use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

/// Random bytes as they come, and random bytes behind a true length.
pub fn random_bytes(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let mut random = Bytes::new(42);
    for i in 0..300 {
        let mut raw = Raw::connect(broker.port())?;
        let bytes = random.take(1 + i * 7 % 2000);
        if i % 2 == 0 {
            raw.send(&bytes)
        } else {
            raw.send_frame(&bytes)
        }
        // The first four bytes may name a length that is still to come: say that nothing follows.
        let _ = raw.stream().shutdown(Shutdown::Write);
        ensure!(raw.answer(PATIENCE)? != Answer::Silent, "connection {i} stays open");
    }
    guard.check(broker)
}

pub fn impossible_lengths(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    for length in [i32::MAX, i32::MIN, -1, -2, 104_857_601, 0x4745_5420] {
        for _ in 0..20 {
            let mut raw = Raw::connect(broker.port())?;
            raw.send(&length.to_be_bytes());
            raw.expect_closed()?;
        }
    }
    // The last one above is an HTTP client's "GET "; and here is the whole of it, and a frame of no bytes.
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0, 0, 0, 0], &[0, 0, 0, 1, 7], &[0, 0, 0, 4, 0, 18, 0, 3]]
    {
        let mut raw = Raw::connect(broker.port())?;
        raw.send(bytes);
        raw.expect_closed()?;
    }
    guard.check(broker)
}

/// Frames cut in the middle and left open: of the largest size that is allowed, and of a real request.
pub fn cut_frames(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    // Apache Kafka allocates what a frame announces; its heap bears only a few of these.
    let large = if broker.setup().peer == Peer::Kafka { 2 } else { 100 };
    let mut open = Vec::new();
    for _ in 0..large {
        let mut raw = Raw::connect(broker.port())?;
        raw.send(&104_857_600_i32.to_be_bytes());
        raw.send(&[0, 0, 0, 8, 0, 0]);
        open.push(raw);
    }
    let whole = raw::frame(3, 9, 1, 2, &raw::body(&MetadataRequest::default(), 9)?);
    let mut framed = (whole.len() as u32).to_be_bytes().to_vec();
    framed.extend_from_slice(&whole);
    for cut in 1..framed.len() {
        let mut raw = Raw::connect(broker.port())?;
        raw.send(&framed[..cut]);
        open.push(raw);
    }
    guard.check(broker)?;
    // A request that arrives byte by byte is whole in the end.
    let mut raw = Raw::connect(broker.port())?;
    for byte in &framed {
        raw.stream().write_all(&[*byte])?;
    }
    raw.frame()?;
    // The rest of the cut requests: they are answered as if nothing had been.
    for (cut, raw) in (1..framed.len()).zip(&mut open[large..]) {
        raw.send(&framed[cut..]);
        raw.frame()?;
    }
    drop(open);
    guard.check(broker)
}

/// Headers that name lengths and counts which are not there.
pub fn headers(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    let start = |key: u8, version: u8| vec![0, key, 0, version, 0, 0, 0, 1];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("client id longer than the frame", [start(3, 1), vec![0x7f, 0xff]].concat()),
        ("client id of a negative length", [start(3, 1), vec![0x80, 0x00]].concat()),
        ("no client id at all", start(3, 1)),
        ("tagged fields without end", [start(3, 9), vec![0xff, 0xff], vec![0xff, 0xff, 0xff, 0xff, 0x0f]].concat()),
        ("a tag of 2^31-1 bytes", [start(3, 9), vec![0xff, 0xff, 1, 0], vec![0xff, 0xff, 0xff, 0xff, 0x07]].concat()),
        ("a varint of ten bytes", [start(3, 9), vec![0xff, 0xff], vec![0xff; 10]].concat()),
    ];
    for (what, frame) in cases {
        let mut raw = Raw::connect(broker.port())?;
        raw.send_frame(&frame);
        ensure!(raw.answer(PATIENCE)? == Answer::Closed, "{what}: the connection is not closed");
    }
    guard.check(broker)
}

pub fn unknown_apis_and_versions(broker: &mut Broker) -> Result<()> {
    let mut guard = Guard::new(broker)?;
    for (key, version) in
        [(999, 0), (-1, 0), (i16::MAX, 3), (4, 0), (7, 3), (3, 99), (3, -1), (0, i16::MAX), (1, 3), (58, 0)]
    {
        for header in [1, 2] {
            let mut raw = Raw::connect(broker.port())?;
            raw.send_frame(&raw::frame(key, version, 1, header, &[0; 16]));
            let answer = raw.answer(PATIENCE)?;
            ensure!(answer == Answer::Closed, "key {key} version {version}: {answer:?}");
        }
    }
    for version in [6, 99, i16::MAX] {
        unknown_api_versions_version(broker, version)?;
    }
    old_produce(broker)?;
    guard.check(broker)
}

/// An unknown version of ApiVersions is answered in version 0, and the client asks again on the same connection.
fn unknown_api_versions_version(broker: &Broker, version: i16) -> Result<()> {
    let mut raw = Raw::connect(broker.port())?;
    raw.send_frame(&raw::frame(18, version, 77, 2, &[0; 8]));
    let frame = raw.frame()?;
    ensure!(frame[..4] == [0, 0, 0, 77], "correlation id {:?}", &frame[..4]);
    let mut body = bytes::Bytes::from(frame[4..].to_vec());
    let response = ApiVersionsResponse::decode(&mut body, 0)?;
    ensure!(response.error_code == 35, "error {} instead of 35", response.error_code);
    ensure!(body.is_empty(), "{} bytes after a body of version 0", body.len());
    let own = response.api_keys.iter().find(|api| api.api_key == 18);
    ensure!(own.is_some_and(|api| api.min_version == 0 && api.max_version >= 4), "ApiVersions itself: {own:?}");
    raw.api_versions().map(drop)
}

/// Produce is advertised from version 0 for librdkafka's sake; versions 0 to 2 are not served.
fn old_produce(broker: &Broker) -> Result<()> {
    let first = Raw::connect(broker.port())?.api_versions()?.api_keys.iter().find(|api| api.api_key == 0).cloned();
    ensure!(first.is_some_and(|api| api.min_version == 0), "Produce is not advertised from 0");
    for version in 0..3 {
        let mut raw = Raw::connect(broker.port())?;
        raw.send_frame(&raw::frame(0, version, 1, 1, &[0, 1, 0, 0, 0, 100, 0, 0, 0, 0]));
        let answer = raw.answer(Duration::from_secs(5))?;
        ensure!(answer == Answer::Closed, "Produce {version}: {answer:?}");
    }
    Ok(())
}
