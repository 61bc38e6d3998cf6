//! A Bloom filter of fixed size a block: "certainly not here" or "perhaps here".
//!
//! 16,384 bits and 7 hashes for at most 3,000 keys (1,000 messages with conversation, stream and
//! sender, most of which repeat) keep false answers in the per cent range for 2 KiB a block,
//! whatever the length of the ids; an exact list would be ten times as large. The two base hashes
//! are the first sixteen bytes of the key's SHA-256, big endian; hash *i* is `a + i·b` modulo the
//! number of bits (Kirsch and Mitzenmacher, 2006).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::sha256;

/// Bits of a filter.
pub(crate) const BITS: u32 = 16_384;
/// Hashes a key.
pub(crate) const HASHES: u32 = 7;

/// A filter being filled or asked.
pub(crate) struct Bloom {
    bits: Vec<u8>,
}

impl Default for Bloom {
    fn default() -> Self {
        Self {
            bits: vec![0; BITS as usize / 8],
        }
    }
}

impl Bloom {
    pub(crate) fn insert(&mut self, key: &str) {
        for bit in positions(key) {
            self.bits[bit / 8] |= 1 << (bit % 8);
        }
    }

    pub(crate) fn may_hold(&self, key: &str) -> bool {
        positions(key).all(|bit| self.bits[bit / 8] & (1 << (bit % 8)) != 0)
    }

    pub(crate) fn to_text(&self) -> String {
        STANDARD.encode(&self.bits)
    }

    /// `None` if the text is no filter of this size.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let bits = STANDARD.decode(text).ok()?;
        (bits.len() == BITS as usize / 8).then_some(Self { bits })
    }
}

fn positions(key: &str) -> impl Iterator<Item = usize> {
    let hash = sha256(key.as_bytes());
    let word = |at: usize| {
        hash[at..at + 8]
            .iter()
            .fold(0_u64, |n, &byte| n << 8 | u64::from(byte))
    };
    let (a, b) = (word(0), word(8));
    (0..u64::from(HASHES)).map(move |i| {
        let bit = a.wrapping_add(i.wrapping_mul(b)) % u64::from(BITS);
        usize::try_from(bit).expect("less than the number of bits")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_a_false_no_and_seldom_a_false_yes() {
        let mut bloom = Bloom::default();
        (0..1500).for_each(|i| bloom.insert(&format!("key {i}")));
        let bloom = Bloom::from_text(&bloom.to_text()).unwrap();
        assert!((0..1500).all(|i| bloom.may_hold(&format!("key {i}"))));
        let wrong = (0..10_000)
            .filter(|i| bloom.may_hold(&format!("other {i}")))
            .count();
        assert!(wrong < 200, "{wrong} of 10,000");
    }
}
