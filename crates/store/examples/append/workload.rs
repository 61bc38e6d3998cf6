//! Message-like units: the rows that one chat message writes, over conversations of very
//! different activity.

use anser_store::{GET_MANY_MAX, Key, Shard, Space, SpaceClass, Store, Unit};
use bytes::{BufMut, Bytes, BytesMut};

const HEAD: Space = Space(0);
const MESSAGE: Space = Space(1);
const SENT: Space = Space(2);
const MSGID: Space = Space(3);
const POSITION: Space = Space(4);

pub(crate) fn spaces() -> [(Space, SpaceClass); 5] {
    [
        (HEAD, SpaceClass::Small),
        (MESSAGE, SpaceClass::Log),
        (SENT, SpaceClass::Small),
        (MSGID, SpaceClass::Small),
        (POSITION, SpaceClass::Small),
    ]
}

/// Exponent of the Zipf law of activity.
const SKEW: f64 = 0.9;

const WORDS: [&str; 16] = [
    "hello ",
    "tomorrow ",
    "see ",
    "you ",
    "at ",
    "the ",
    "station ",
    "please ",
    "bring ",
    "photos ",
    "lunch ",
    "maybe ",
    "eight ",
    "o'clock ",
    "thanks ",
    "and ",
];

pub(crate) struct Workload {
    random: u64,
    /// Cumulative weights of the conversations.
    weights: Vec<f64>,
    /// Sequence of each conversation, as its actor would know it.
    heads: Vec<u64>,
    /// Bytes of keys and values written so far.
    pub(crate) bytes: u64,
}

impl Workload {
    pub(crate) fn new(seed: u64, conversations: usize) -> Workload {
        let mut sum = 0.0;
        let weights = (1..=conversations)
            .map(|rank| {
                sum += 1.0 / (rank as f64).powf(SKEW);
                sum
            })
            .collect();
        Workload {
            random: seed,
            weights,
            heads: vec![0; conversations],
            bytes: 0,
        }
    }

    /// Reads the heads that an earlier run left in the store.
    pub(crate) async fn learn_heads(&mut self, store: &Store) -> Result<(), String> {
        let keys: Vec<Key> = (0..self.heads.len())
            .map(|index| head_key(scramble(index)))
            .collect();
        for (chunk, heads) in keys
            .chunks(GET_MANY_MAX)
            .zip(self.heads.chunks_mut(GET_MANY_MAX))
        {
            let values = store
                .get_many(chunk)
                .await
                .map_err(|error| error.to_string())?;
            for (head, value) in heads.iter_mut().zip(values) {
                *head = value.map_or(0, |value| sequence_in(&value));
            }
            self.random = next(self.random ^ heads.iter().sum::<u64>());
        }
        Ok(())
    }

    /// The next message of some conversation, expecting its predecessor's head.
    pub(crate) fn next_unit(&mut self) -> Unit {
        let index = self.pick();
        let conversation = scramble(index);
        let before = self.heads[index];
        self.heads[index] = before + 1;
        let key = head_key(conversation);
        let shard = key.shard;
        let sender = self.draw() % 300_000;
        let client_id = self.draw();
        let message_id = self.draw();
        let unit = match before {
            0 => Unit::new().expect_absent(key.clone()),
            _ => Unit::new().expect_equals(key.clone(), head_value(before)),
        };
        let sequence = Bytes::copy_from_slice(&(before + 1).to_be_bytes());
        let unit = unit
            .put(
                Key::new(MESSAGE, shard, join(conversation, before + 1)),
                self.body(),
            )
            .put(key, head_value(before + 1))
            .put(
                Key::new(
                    SENT,
                    shard,
                    [&join(conversation, sender)[..], &client_id.to_be_bytes()].concat(),
                ),
                sequence.clone(),
            )
            .put(
                Key::new(MSGID, shard, join(conversation, message_id)),
                sequence.clone(),
            )
            .put(
                Key::new(POSITION, shard, join(conversation, sender)),
                sequence,
            );
        self.bytes += unit.bytes() as u64;
        unit
    }

    fn body(&mut self) -> Bytes {
        let len = 200 + usize::try_from(self.draw() % 200).expect("below 200");
        let mut body = BytesMut::with_capacity(len + 16);
        while body.len() < len {
            let mut draw = self.draw();
            for _ in 0..16 {
                body.put_slice(WORDS[usize::try_from(draw % 16).expect("below 16")].as_bytes());
                draw >>= 4;
            }
        }
        body.truncate(len);
        body.freeze()
    }

    fn pick(&mut self) -> usize {
        let total = self.weights.last().copied().unwrap_or(0.0);
        let point = (self.draw() >> 11) as f64 / (1u64 << 53) as f64 * total;
        self.weights
            .partition_point(|&sum| sum < point)
            .min(self.weights.len() - 1)
    }

    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        next(self.random)
    }
}

/// The output step of SplitMix64.
fn next(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Spreads busy conversations over the key space.
fn scramble(index: usize) -> u64 {
    next(index as u64 + 1)
}

fn head_key(conversation: u64) -> Key {
    let shard = u16::try_from(conversation % u64::from(anser_store::SHARD_COUNT)).expect("below");
    Key::new(HEAD, Shard(shard), conversation.to_be_bytes().to_vec())
}

fn join(left: u64, right: u64) -> Vec<u8> {
    [left.to_be_bytes(), right.to_be_bytes()].concat()
}

fn head_value(sequence: u64) -> Bytes {
    // A head also holds times, versions and ordinals: about 48 bytes in all.
    let mut value = vec![0x5A; 48];
    value[..8].copy_from_slice(&sequence.to_be_bytes());
    value.into()
}

fn sequence_in(head: &[u8]) -> u64 {
    head.first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
