//! The thread of the HTTP side, in a broker that has one. It listens before anything else is done, so that it can tell how far
//! the start has come, and ends with the broker.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use log::{error, info};

use super::{host_address, spawn};
use crate::config::Config;
use crate::http::{self, BrokerStage, Control, Restarts};
use crate::io::settable_clock::SettableClock;
use crate::io::web::{self, WebStop};
use crate::shard::context::Shared;

pub(super) struct HttpSide {
    control: Arc<Control>,
    /// `None`: it is lent, and goes on when its broker ends.
    own: Option<Own>,
    pub(super) addresses: Vec<SocketAddr>,
}

struct Own {
    /// Dropped, it ends the thread as well.
    stop: WebStop,
    thread: JoinHandle<()>,
}

impl HttpSide {
    /// `None` for a broker without one.
    pub(super) fn start(config: &Config) -> Result<Option<HttpSide>, String> {
        let (Some(settings), Some(control)) = (&config.http, Control::new(config)) else { return Ok(None) };
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for wanted in &settings.listeners {
            let name = format!("http://{}:{}", wanted.host, wanted.port);
            let refused = |error: std::io::Error| format!("cannot listen on {name}: {error}");
            let address = host_address(&wanted.host, wanted.port).map_err(|reason| format!("{name}: {reason}"))?;
            let listener = web::bind(address).map_err(refused)?;
            addresses.push(listener.local_addr().map_err(refused)?);
            listeners.push(listener);
        }
        for address in &addresses {
            info!("http=http://{address}");
        }
        let control = Arc::new(control);
        let (stop, stopped) = WebStop::new();
        let served = control.clone();
        let thread = spawn("klamm-http", move || {
            if let Err(error) = http::run(listeners, &served, stopped) {
                error!("the HTTP side has ended: {error}");
            }
        })?;
        Ok(Some(HttpSide { control, own: Some(Own { stop, thread }), addresses }))
    }

    /// The same for a broker that does not end it.
    pub(super) fn lent(&self) -> HttpSide {
        HttpSide { control: self.control.clone(), own: None, addresses: self.addresses.clone() }
    }

    /// A broker begins, with this clock where its clock can be set.
    pub(super) fn begin(&self, clock: Option<Arc<SettableClock>>) {
        self.control.begin(clock);
    }

    /// Who can restart the broker on other data.
    pub(super) fn set_restarts(&self, restarts: Weak<dyn Restarts>) {
        self.control.set_restarts(restarts);
    }

    pub(super) fn share(&self, shared: &Arc<Shared>) {
        self.control.share(shared);
    }

    pub(super) fn set_stage(&self, stage: BrokerStage) {
        self.control.set_stage(stage);
    }

    /// The start of its broker has come to nothing.
    pub(super) fn give_up(&self) {
        self.control.forget();
        self.control.set_stage(BrokerStage::Stops);
    }

    /// Its broker ends, and it with it unless it was lent; whether it has panicked.
    pub(super) fn stop(self) -> bool {
        self.control.forget();
        let Some(Own { stop, thread }) = self.own else { return false };
        stop.stop();
        thread.join().is_err()
    }
}
