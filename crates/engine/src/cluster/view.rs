//! Which nodes are alive, and whom the hash picks among them.

use anser_bus::NodeId;
use anser_domain::AppId;
use anser_store::Shard;

use crate::tables;

/// The nodes one node believes alive, itself included.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) struct View {
    nodes: Vec<NodeId>,
}

impl View {
    pub(crate) fn new(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self { nodes }
    }

    /// Nobody else is there.
    pub(crate) fn is_alone(&self) -> bool {
        self.nodes.len() <= 1
    }

    /// All of them.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.iter().copied()
    }

    pub(crate) fn contains(&self, node: NodeId) -> bool {
        self.nodes.binary_search(&node).is_ok()
    }

    /// Who owns a shard: the node that draws the highest number for it. When a node comes or
    /// goes, only what it draws highest for moves.
    pub(crate) fn owner(&self, shard: Shard) -> NodeId {
        let draw = |node: &NodeId| mix(node.0 ^ mix(u64::from(shard.0)));
        *self
            .nodes
            .iter()
            .max_by_key(|node| (draw(node), **node))
            .expect("a view has its own node")
    }

    /// The home of a user.
    pub(crate) fn home(&self, app: AppId, user: &str) -> NodeId {
        self.owner(tables::user_shard(app, user))
    }
}

/// The finalizer of SplitMix64 (Steele et al., 2014): every bit of the input moves every bit of
/// the output.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use anser_store::SHARD_COUNT;

    #[test]
    fn a_node_that_goes_moves_only_what_it_owned() {
        let three = View::new([1, 2, 3].map(NodeId));
        let two = View::new([1, 3].map(NodeId));
        let mut owned = [0; 4];
        for shard in (0..SHARD_COUNT).map(Shard) {
            let before = three.owner(shard);
            owned[usize::try_from(before.0).unwrap()] += 1;
            if before != NodeId(2) {
                assert_eq!(two.owner(shard), before);
            }
        }
        assert!(owned[1..].iter().all(|n| *n > SHARD_COUNT / 4), "{owned:?}");
    }
}
