//! A persistent map of texts that finds every key with which a text begins, without allocating.
//!
//! A radix tree: a look-up costs the length of the text, whatever the number of keys. A clone shares everything, and a
//! change copies only the path to its key. Equal contents have equal trees: a node without a value has two branches at
//! least, but for the root. Nothing here recurses, so that keys which contain each other a thousand times over are no
//! danger to the stack.

use std::ops::ControlFlow;
use std::sync::Arc;

#[derive(Clone, PartialEq, Debug)]
pub struct PrefixMap<V> {
    /// `None`: no key.
    root: Option<Arc<Node<V>>>,
}

#[derive(Clone, PartialEq, Debug)]
struct Node<V> {
    /// What a key has between the node above and this one; empty at the root only.
    edge: Box<[u8]>,
    value: Option<V>,
    /// Sorted by the first byte of their edges, which differ.
    branches: Vec<Arc<Node<V>>>,
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        PrefixMap { root: None }
    }
}

impl<V> PrefixMap<V> {
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.along(key).find(|(rest, _)| *rest == 0).map(|(_, value)| value)
    }

    /// Every key with which the text begins, from the shortest to the longest: how many bytes of the text stand behind it,
    /// and its value.
    pub fn along<'m, 't>(&'m self, text: &'t [u8]) -> Along<'m, 't, V> {
        Along { node: self.root.as_deref(), rest: text }
    }

    /// Shows every key with its value, until the visitor breaks.
    pub fn walk<B>(&self, mut visit: impl FnMut(&[u8], &V) -> ControlFlow<B>) -> ControlFlow<B> {
        let mut key = Vec::new();
        let mut ahead: Vec<(&Node<V>, usize)> = self.root.iter().map(|root| (&**root, 0)).collect();
        while let Some((node, above)) = ahead.pop() {
            key.truncate(above);
            key.extend_from_slice(&node.edge);
            if let Some(value) = &node.value {
                visit(&key, value)?;
            }
            ahead.extend(node.branches.iter().rev().map(|branch| (&**branch, key.len())));
        }
        ControlFlow::Continue(())
    }
}

impl<V: Clone> PrefixMap<V> {
    /// Changes the value of a key, which is `None` before if the key is not there, and after if it shall not be.
    pub fn update(&mut self, key: &[u8], change: impl FnOnce(&mut Option<V>)) {
        let root = self.root.get_or_insert_with(|| Arc::new(Node::new(Box::default())));
        let value = Arc::make_mut(root).place(key);
        change(value);
        if value.is_none() {
            self.prune(key);
        }
    }

    /// Makes the tree what it would be without a key that has no value.
    fn prune(&mut self, key: &[u8]) {
        let Some(root) = &mut self.root else { return };
        let steps = root.steps(key);
        let root = Arc::make_mut(root);
        if steps > 0 {
            let (above, rest) = root.descend(key, steps - 1);
            above.prune_branch(rest[0]);
            if steps > 1 && above.value.is_none() && above.branches.len() == 1 {
                above.merge();
            }
        }
        if root.value.is_none() && root.branches.is_empty() {
            self.root = None;
        }
    }
}

impl<V> Node<V> {
    fn new(edge: Box<[u8]>) -> Node<V> {
        Node { edge, value: None, branches: Vec::new() }
    }

    fn position(&self, first: u8) -> Result<usize, usize> {
        self.branches.binary_search_by_key(&first, |branch| branch.edge[0])
    }

    /// The branch with which a text goes on, and what the text has behind it.
    fn branch<'t>(&self, rest: &'t [u8]) -> Option<(&Node<V>, &'t [u8])> {
        let branch: &Node<V> = &self.branches[self.position(*rest.first()?).ok()?];
        Some((branch, rest.strip_prefix(&*branch.edge)?))
    }

    /// How many nodes stand below this one on the way to a key that is there.
    fn steps(&self, key: &[u8]) -> usize {
        let mut below = self.branch(key);
        let mut steps = 0;
        while let Some((node, rest)) = below {
            steps += 1;
            below = node.branch(rest);
        }
        steps
    }
}

impl<V: Clone> Node<V> {
    /// The value of a key, for which nodes are made.
    fn place(&mut self, key: &[u8]) -> &mut Option<V> {
        let (mut node, mut rest) = (self, key);
        while let Some(first) = rest.first() {
            let at = node.position(*first).unwrap_or_else(|at| {
                node.branches.insert(at, Arc::new(Node::new(rest.into())));
                at
            });
            let branch = Arc::make_mut(&mut node.branches[at]);
            let common = branch.edge.iter().zip(rest).take_while(|(a, b)| a == b).count();
            assert!(common > 0, "a branch is found by its first byte");
            if common < branch.edge.len() {
                branch.split(common);
            }
            (node, rest) = (branch, &rest[common..]);
        }
        &mut node.value
    }

    /// So many steps on the way to a key that is there; and what the key has behind them.
    fn descend<'t>(&mut self, key: &'t [u8], steps: usize) -> (&mut Node<V>, &'t [u8]) {
        let (mut node, mut rest) = (self, key);
        for _ in 0..steps {
            let at = node.position(rest[0]).expect("the key is there");
            node = Arc::make_mut(&mut node.branches[at]);
            rest = &rest[node.edge.len()..];
        }
        (node, rest)
    }

    /// Cuts the edge in two, with a node of its own for each part.
    fn split(&mut self, at: usize) {
        let mut below = Node::new(self.edge[at..].into());
        below.value = self.value.take();
        below.branches = std::mem::take(&mut self.branches);
        self.edge = self.edge[..at].into();
        self.branches.push(Arc::new(below));
    }

    /// Becomes one with its only branch.
    fn merge(&mut self) {
        let below = self.branches.pop().expect("a branch");
        assert!(self.value.is_none() && self.branches.is_empty(), "nothing is lost in a merge");
        let mut below = Arc::unwrap_or_clone(below);
        self.edge = [&*self.edge, &*below.edge].concat().into();
        self.value = below.value.take();
        self.branches = std::mem::take(&mut below.branches);
    }

    /// Takes a branch without a value out, or makes one of it and the only one below.
    fn prune_branch(&mut self, first: u8) {
        let at = self.position(first).expect("the branch is there");
        match self.branches[at].branches.len() {
            0 => drop(self.branches.remove(at)),
            1 => Arc::make_mut(&mut self.branches[at]).merge(),
            _ => {}
        }
    }
}

impl<V> Drop for Node<V> {
    fn drop(&mut self) {
        let mut gone = std::mem::take(&mut self.branches);
        while let Some(branch) = gone.pop() {
            if let Some(mut branch) = Arc::into_inner(branch) {
                gone.append(&mut branch.branches);
            }
        }
    }
}

/// The keys with which a text begins.
pub struct Along<'m, 't, V> {
    node: Option<&'m Node<V>>,
    rest: &'t [u8],
}

impl<'m, V> Iterator for Along<'m, '_, V> {
    type Item = (usize, &'m V);

    fn next(&mut self) -> Option<(usize, &'m V)> {
        while let Some(node) = self.node {
            let found = node.value.as_ref().map(|value| (self.rest.len(), value));
            match node.branch(self.rest) {
                Some((branch, rest)) => (self.node, self.rest) = (Some(branch), rest),
                None => self.node = None,
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, u32>;

    fn contents(map: &PrefixMap<u32>) -> Model {
        let mut all = Model::new();
        let walked = map.walk(|key, value| {
            assert!(all.last_key_value().is_none_or(|(last, _)| last.as_slice() < key), "in the order of the keys");
            all.insert(key.to_vec(), *value);
            ControlFlow::<()>::Continue(())
        });
        assert!(walked.is_continue());
        all
    }

    fn built(model: &Model) -> PrefixMap<u32> {
        let mut map = PrefixMap::default();
        model.iter().for_each(|(key, value)| map.update(key, |place| *place = Some(*value)));
        map
    }

    fn key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"ab\xc3".as_slice()), 0..6)
    }

    proptest! {
        #[test]
        fn it_is_a_map_that_finds_prefixes(
            steps in prop::collection::vec((key(), prop::option::weighted(0.6, any::<u32>())), 0..60),
            asked in prop::collection::vec(key(), 10),
        ) {
            let (mut map, mut model) = (PrefixMap::default(), Model::new());
            for (key, value) in steps {
                let (before, was) = (map.clone(), model.clone());
                map.update(&key, |place| {
                    assert_eq!(*place, model.get(&key).copied());
                    *place = value;
                });
                let _before = match value {
                    Some(value) => model.insert(key, value),
                    None => model.remove(&key),
                };
                prop_assert_eq!(contents(&before), was, "a clone does not change");
                prop_assert_eq!(&map, &built(&model), "the tree does not depend on its history");
            }
            prop_assert_eq!(contents(&map), model.clone());
            for text in asked {
                prop_assert_eq!(map.get(&text), model.get(&text));
                let found: Vec<_> = map.along(&text).map(|(rest, value)| (text.len() - rest, *value)).collect();
                let prefix = |end: usize| model.get(&text[..end]).map(|value| (end, *value));
                let expected: Vec<_> = (0..=text.len()).filter_map(prefix).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn keys_that_contain_each_other_do_not_use_up_the_stack() {
        let text = vec![b'a'; 6_000];
        let mut map = PrefixMap::default();
        for end in 1..=text.len() {
            map.update(&text[..end], |place| *place = Some(end));
        }
        assert_eq!(map.along(&text).count(), 6_000);
        map.update(&text[..3_001], |place| *place = None);
        assert_eq!(map.along(&text).count(), 5_999);
        drop(map);
    }
}
