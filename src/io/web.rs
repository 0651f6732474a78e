//! The HTTP side's sockets, clock and executor: listens, speaks HTTP/1.1, and hands each request to a router.
//!
//! One thread serves all of it (tokio's current_thread runtime, begun by [`serve`] and gone with it). What a client may hold
//! is bounded: connections, bytes of a head, the time for a head, which is the time between two requests as well, and the
//! time that unread bytes of an answer may stay unread. A body's bounds are the router's. Knows no paths.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use log::{debug, warn};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time;

/// How long answers under way have when the side stops.
const FAREWELL: Duration = Duration::from_millis(10);
/// What a listener rests when it has no descriptors left.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What clients may hold.
#[derive(Clone, Copy, Debug)]
pub struct WebLimits {
    pub connections: usize,
    pub head_bytes: usize,
    /// The time for a head, counted from the end of the answer before it.
    pub head: Duration,
    /// The time for which a client may leave unread what it was sent.
    pub unread: Duration,
}

/// Where a request came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    pub local: SocketAddr,
    pub peer: SocketAddr,
}

/// Ends what [`serve`] does.
pub struct WebStop(watch::Sender<bool>);

/// The other end of a [`WebStop`].
#[derive(Clone)]
pub struct WebStopped(watch::Receiver<bool>);

impl WebStop {
    pub fn new() -> (WebStop, WebStopped) {
        let (sender, receiver) = watch::channel(false);
        (WebStop(sender), WebStopped(receiver))
    }

    pub fn stop(&self) {
        let _ = self.0.send(true);
    }
}

impl WebStopped {
    async fn wait(&mut self) {
        // An error says that the other end is gone, which is a stop as well.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}

pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until it is told to stop. Blocks.
pub fn serve(
    listeners: Vec<TcpListener>,
    router: &Router,
    limits: WebLimits,
    mut stopped: WebStopped,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let served = runtime.block_on(async move {
        let places = Arc::new(Semaphore::new(limits.connections));
        for listener in listeners {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, router.clone(), limits, places.clone(), stopped.clone()));
        }
        stopped.wait().await;
        let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
        let _ = time::timeout(FAREWELL, places.acquire_many(all)).await;
        Ok(())
    });
    // What blocks, blocks a thread that is not waited for.
    runtime.shutdown_background();
    served
}

/// Runs what blocks on a thread of its own, so that other requests are answered meanwhile.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("what blocks neither panics nor is given up")
}

/// Takes a listener's connections for as long as there are places.
async fn accept(
    listener: tokio::net::TcpListener,
    router: Router,
    limits: WebLimits,
    places: Arc<Semaphore>,
    mut stopped: WebStopped,
) {
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stopped.wait() => return,
            next = next => next,
        };
        let Ok(place) = place else { return };
        match accepted {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, router.clone(), limits, place, stopped.clone()))),
            Err(error) => {
                warn!("cannot accept an HTTP connection: {error}");
                time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    router: Router,
    limits: WebLimits,
    _place: OwnedSemaphorePermit,
    mut stopped: WebStopped,
) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(limits.unread));
    let service = hyper::service::service_fn(|mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Way { local, peer });
        let router = router.clone();
        async move { Ok::<_, Infallible>(call(router, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped.wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!("HTTP connection closed: peer={peer}: {error}");
    }
}

async fn call(router: Router, request: Request<Body>) -> Response<Body> {
    match TowerToHyperService::new(router).call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread::{self, JoinHandle};

    use axum::routing::get;

    use super::*;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    struct Served {
        address: SocketAddr,
        stop: WebStop,
        thread: JoinHandle<io::Result<()>>,
    }

    impl Served {
        fn start(head: Duration) -> Served {
            let listener = bind(([127, 0, 0, 1], 0).into()).unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = WebStop::new();
            let limits = WebLimits { connections: 2, head_bytes: 8 << 10, head, unread: Duration::from_secs(5) };
            let router = Router::new().route("/", get(|| async { "here" }));
            let thread = thread::spawn(move || serve(vec![listener], &router, limits, stopped));
            Served { address, stop, thread }
        }

        fn connect(&self) -> TcpStream {
            let stream = TcpStream::connect(self.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        }
    }

    fn is_answered(stream: &mut TcpStream) -> bool {
        stream.write_all(GET).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).is_ok() && &head == b"HTTP/1.1 200"
    }

    fn is_closed(stream: &mut TcpStream) -> bool {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    #[test]
    fn a_head_that_does_not_come_and_one_that_is_too_large_end_a_connection() {
        // Time enough for a head that comes at once, on a slow machine too.
        let served = Served::start(Duration::from_secs(1));
        let mut silent = served.connect();
        let mut slow = served.connect();
        slow.write_all(b"GET / HT").unwrap();
        assert!(is_closed(&mut silent) && is_closed(&mut slow));
        let mut idle = served.connect();
        assert!(is_answered(&mut idle) && is_closed(&mut idle), "nothing is asked behind an answer");
        let mut large = served.connect();
        large.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
        let _ = large.write_all(&[b'x'; 64 << 10]);
        assert!(is_closed(&mut large));
    }

    #[test]
    fn connections_beyond_the_limit_wait_for_a_place() {
        let served = Served::start(Duration::from_secs(20));
        let (mut first, mut second) = (served.connect(), served.connect());
        assert!(is_answered(&mut first) && is_answered(&mut second));
        let mut third = served.connect();
        third.write_all(GET).unwrap();
        third.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(third.read(&mut [0; 12]).is_err(), "there is no place for it");
        drop(first);
        third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut head = [0; 12];
        third.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
    }

    #[test]
    fn it_stops_while_clients_are_connected() {
        let served = Served::start(Duration::from_secs(20));
        let mut idle = served.connect();
        assert!(is_answered(&mut idle));
        let began = std::time::Instant::now();
        served.stop.stop();
        served.thread.join().unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        assert!(is_closed(&mut idle));
        assert!(TcpStream::connect(served.address).is_err());
    }
}
