//! Values in numbered places whose numbers are never mistaken for those of an earlier tenant.

/// Names one tenant of a [`Slab`] for ever: the place is used again, the generation is not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Key {
    pub index: u32,
    pub generation: u32,
}

impl Key {
    /// Bounds of all keys in their order.
    pub const FIRST: Key = Key { index: 0, generation: 0 };
    pub const LAST: Key = Key { index: u32::MAX, generation: u32::MAX };

    /// The key as one number, for interfaces that carry 64 bits of the caller's.
    pub const fn to_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    pub fn from_u64(bits: u64) -> Key {
        Key { index: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// Generations stay below this, so that a key and two bits of the driver's own fit into 64 bits.
pub const GENERATIONS: u32 = 1 << 30;
const _: () = assert!(GENERATIONS.is_power_of_two() && (GENERATIONS as u64 - 1) << 2 <= u32::MAX as u64);

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// A growing table of values, with constant-time insertion, look-up and removal.
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub fn len(&self) -> usize {
        debug_assert!(self.free.len() <= self.places.len(), "a place is free twice");
        self.places.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn insert(&mut self, value: T) -> Key {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            assert!(place.value.is_none(), "the place has a tenant");
            place.value = Some(value);
            return Key { index, generation: place.generation };
        }
        let index = u32::try_from(self.places.len()).expect("fewer than 2^32 tenants");
        self.places.push(Place { generation: 0, value: Some(value) });
        Key { index, generation: 0 }
    }

    /// The key that the next tenant will have.
    pub fn next_key(&self) -> Key {
        let new = || u32::try_from(self.places.len()).expect("fewer than 2^32 tenants");
        let index = self.free.last().copied().unwrap_or_else(new);
        Key { index, generation: self.places.get(index as usize).map_or(0, |place| place.generation) }
    }

    pub fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        place.value.as_ref().filter(|_| place.generation == key.generation)
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        place.value.as_mut().filter(|_| place.generation == key.generation)
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = (place.generation + 1) % GENERATIONS;
        self.free.push(key.index);
        Some(value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.places.iter().enumerate().filter_map(|(index, place)| {
            let key = Key { index: index as u32, generation: place.generation };
            place.value.as_ref().map(|value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_used_again_has_another_key() {
        let mut slab = Slab::default();
        let announced = slab.next_key();
        let first = slab.insert("a");
        assert_eq!(first, announced);
        assert_eq!(slab.remove(first), Some("a"));
        let announced = slab.next_key();
        let second = slab.insert("b");
        assert_eq!(second, announced);
        assert_eq!(first.index, second.index);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&"b")));
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(second, &"b")]);
        assert_eq!(Key::from_u64(second.to_u64()), second);
    }
}
