//! A GET beside a server of a few lines.

use std::net::TcpListener;
use std::thread;

use super::*;

/// A server that reads one request and says this.
fn serving(answer: &'static [u8]) -> (Url, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/keys?x=1", listener.local_addr().unwrap())).unwrap();
    let serve = move || {
        let (mut client, _) = listener.accept().unwrap();
        let (mut request, mut piece) = (Vec::new(), [0; 1024]);
        while !request.ends_with(b"\r\n\r\n") {
            let count = client.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..count]);
        }
        client.write_all(answer).unwrap();
        String::from_utf8(request).unwrap()
    };
    (url, thread::spawn(serve))
}

#[test]
fn a_get_is_answered() {
    let (url, server) = serving(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(get(&url, None), Ok(b"{}".to_vec()));
    let request = server.join().unwrap();
    let host = format!("\r\nHost: 127.0.0.1:{}\r\n", url.port);
    assert!(request.starts_with("GET /keys?x=1 HTTP/1.1\r\n") && request.contains(&host), "{request}");
}

#[test]
fn what_goes_wrong_says_whether_it_may_be_tried_again() {
    let of = |answer| {
        let (url, server) = serving(answer);
        let failure = get_once(&url, None).unwrap_err();
        server.join().unwrap();
        (failure.reason, failure.is_final)
    };
    assert_eq!(of(b"HTTP/1.1 503 No\r\n\r\n"), ("Non 200 status code (503) returned".into(), false));
    assert_eq!(
        of(b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"),
        ("Non 200 status code (302) returned".into(), false)
    );
    assert_eq!(of(b"SSH-2.0\r\n\r\n"), ("the answer is not HTTP".into(), false));
    assert!(of(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n").1);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = get_once(&Url::parse(&format!("http://{free}")).unwrap(), None).unwrap_err();
    assert!(!refused.is_final, "{refused:?}");
    let no_tls = get(&Url::parse(&format!("https://{free}")).unwrap(), None);
    assert!(no_tls.is_err());
}

#[test]
fn what_may_come_to_more_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let serve = move || {
        for answer in [&b""[..], b"HTTP/1.1 500 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nyes"] {
            let (mut client, _) = listener.accept().unwrap();
            let count = client.read(&mut [0; 1024]).unwrap();
            assert!(count > 0);
            client.write_all(answer).unwrap();
        }
    };
    let server = thread::spawn(serve);
    // An answer that is cut off is one that may be tried again, too.
    assert_eq!(get(&url, None), Ok(b"yes".to_vec()));
    server.join().unwrap();
}
