//! The brokers that one process plays (`klamm test --brokers`). They share everything but their ids, their racks and their
//! listeners: what one of them is asked for, it answers if the metadata say that it is its to answer.

use std::ops::Range;

use super::{Config, Listener};

/// Which broker is met where. The listeners of a process stand in the order of its brokers, and each of these has the same ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cast {
    first: i32,
    count: usize,
    /// How many listeners each broker has.
    listeners: usize,
}

impl Cast {
    /// The broker that a listener leads to.
    pub fn broker_of(self, listener: usize) -> i32 {
        let at = listener / self.listeners;
        assert!(at < self.count, "each listener is some broker's");
        self.first + at as i32
    }

    /// The listener of a broker that is as another; `None`: no such broker is played.
    pub fn listener_of(self, broker: i32, like: usize) -> Option<usize> {
        self.plays(broker).then(|| (broker - self.first) as usize * self.listeners + like % self.listeners)
    }

    /// All listeners of a broker.
    pub fn listeners_of(self, broker: i32) -> Range<usize> {
        self.listener_of(broker, 0).map_or(0..0, |first| first..first + self.listeners)
    }

    pub fn ids(self) -> Range<i32> {
        self.first..self.first + self.count as i32
    }

    pub fn plays(self, broker: i32) -> bool {
        self.ids().contains(&broker)
    }

    /// One broker, as in production.
    pub fn is_one(self) -> bool {
        self.count == 1
    }
}

impl Config {
    pub fn cast(&self) -> Cast {
        Cast { first: self.node_id, count: self.brokers, listeners: self.listeners.len() / self.brokers }
    }

    /// Plays so many brokers, whose ids follow `node.id`, and whose ports follow those of the configuration unless the kernel
    /// chooses them.
    pub fn play(&mut self, brokers: usize) {
        assert!(self.brokers == 1 && brokers >= 1, "a cast is chosen once");
        let of_one = std::mem::take(&mut self.listeners);
        for number in 0..brokers as u16 {
            let port = |port: u16| if port == 0 { 0 } else { port.saturating_add(number * of_one.len() as u16) };
            self.listeners.extend(of_one.iter().map(|like| Listener { port: port(like.port), ..like.clone() }));
        }
        self.brokers = brokers;
    }

    /// The rack of a broker: that of the configuration, or one of its own where there are several.
    pub fn rack_of(&self, broker: i32) -> Option<String> {
        let own = || (!self.cast().is_one()).then(|| format!("rack-{broker}"));
        self.broker_rack.clone().or_else(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_broker_has_the_same_listeners() {
        let cast = Cast { first: 1, count: 3, listeners: 2 };
        assert_eq!((0..6).map(|listener| cast.broker_of(listener)).collect::<Vec<_>>(), [1, 1, 2, 2, 3, 3]);
        assert_eq!((cast.listener_of(3, 1), cast.listener_of(1, 5), cast.listener_of(4, 0)), (Some(5), Some(1), None));
        assert_eq!((cast.listeners_of(2), cast.listeners_of(9)), (2..4, 0..0));
        assert_eq!((cast.ids(), cast.plays(0), cast.is_one()), (1..4, false, false));
    }
}
