//! The connections of a shard by their keys: a table, as the keys are places of one. Each request asks it several times.

use crate::io::driver::ConnectionKey;
use crate::server::connection::Connection;

/// The connections of one shard.
#[derive(Default)]
pub(super) struct Connections {
    places: Vec<Option<(ConnectionKey, Connection)>>,
    count: usize,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The place is free: the driver gives it to a new connection only when the one before was closed.
    pub(super) fn insert(&mut self, key: ConnectionKey, connection: Connection) {
        let at = key.0.index as usize;
        if at >= self.places.len() {
            self.places.resize_with(at + 1, || None);
        }
        assert!(self.places[at].is_none(), "a connection that was closed is still here");
        self.places[at] = Some((key, connection));
        self.count += 1;
    }

    pub(super) fn get(&self, key: ConnectionKey) -> Option<&Connection> {
        let (found, connection) = self.places.get(key.0.index as usize)?.as_ref()?;
        (*found == key).then_some(connection)
    }

    pub(super) fn get_mut(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        let (found, connection) = self.places.get_mut(key.0.index as usize)?.as_mut()?;
        (*found == key).then_some(connection)
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) -> Option<Connection> {
        self.get(key)?;
        self.count -= 1;
        self.places[key.0.index as usize].take().map(|(_, connection)| connection)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionKey, &Connection)> {
        self.places.iter().flatten().map(|(key, connection)| (*key, connection))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Instant;
    use crate::server::transport::Transport;
    use crate::shard::session::Session;
    use crate::stdx::slab::Key;

    #[test]
    fn a_later_tenant_is_not_mistaken_for_an_earlier_one() {
        let key = |index, generation| ConnectionKey(Key { index, generation });
        let connection =
            || Connection::new(Session::anonymous(0, ([127, 0, 0, 1], 1).into()), Transport::Plain, Instant(0));
        let mut connections = Connections::default();
        connections.insert(key(3, 0), connection());
        assert!(connections.get(key(3, 0)).is_some() && connections.get_mut(key(3, 1)).is_none());
        assert!(connections.get(key(2, 0)).is_none() && connections.get(key(9, 0)).is_none());
        assert!(connections.remove(key(3, 1)).is_none() && connections.remove(key(3, 0)).is_some());
        connections.insert(key(3, 1), connection());
        connections.insert(key(0, 5), connection());
        assert_eq!(connections.iter().map(|(key, _)| key).collect::<Vec<_>>(), [key(0, 5), key(3, 1)]);
        assert_eq!((connections.len(), connections.is_empty()), (2, false));
    }
}
