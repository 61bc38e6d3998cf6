//! Bugs put between the parts on purpose, to prove that the checkers see them.
//!
//! The product has no switches for this: a saboteur sits on the disk or on the wire and does what
//! a product with the bug would do.

use std::sync::Arc;

use anser_engine::tables;
use anser_proto::client as wire;
use anser_store::{Expect, Key, Store, Unit, Write};
use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message as _;
use wire::request::Command;
use wire::server_item::Item;

use crate::executor::Executor;
use crate::random::Random;

/// Which bug.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Sabotage {
    /// Appends are acknowledged before they are on disk: a crash takes the last one back.
    AckBeforeCommit,
    /// The idempotency key of a send is not kept.
    LostKey,
    /// A sync leaves out the first message that the device does not have.
    SyncOffByOne,
    /// Pushes are lost on the way to the device and nobody says so.
    SilentLoss,
    /// Unread counts are one too high now and then.
    Miscount,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AckBeforeCommit,
        Self::LostKey,
        Self::SyncOffByOne,
        Self::SilentLoss,
        Self::Miscount,
    ];
}

struct State {
    random: Random,
    /// The last append that a node believes committed.
    last_append: Option<Unit>,
    keys: Vec<Key>,
}

/// Puts a bug in, or none. Clones share it.
#[derive(Clone)]
pub(crate) struct Saboteur {
    what: Option<Sabotage>,
    state: Arc<Mutex<State>>,
}

/// Pushes lost, or counts bent, of a thousand.
const RATE: u32 = 100;

impl Saboteur {
    pub(crate) fn new(what: Option<Sabotage>, random: Random) -> Self {
        let state = State {
            random,
            last_append: None,
            keys: Vec::new(),
        };
        Self {
            what,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn is(&self, what: Sabotage) -> bool {
        self.what == Some(what)
    }

    /// A unit is on its way to the disk.
    pub(crate) fn saw(&self, unit: &Unit) {
        let writes = |space| {
            let keys = unit.writes.iter().map(Write::key);
            keys.filter(move |key| key.space == space)
        };
        if self.is(Sabotage::AckBeforeCommit) && writes(tables::MESSAGE).next().is_some() {
            self.state.lock().last_append = Some(unit.clone());
        }
        if self.is(Sabotage::LostKey) {
            self.state.lock().keys.extend(writes(tables::SENT).cloned());
        }
    }

    /// A node has crashed: what was not really on disk is gone, if nothing was built on it.
    pub(crate) async fn crashed(&self, disk: &Store) {
        let Some(unit) = self.state.lock().last_append.take() else {
            return;
        };
        let mut back = Unit::new();
        for write in unit.writes {
            back = match write {
                Write::Put(key, value) => back.expect_equals(key.clone(), value).delete(key),
                Write::Delete(key) => back.expect_absent(key),
            };
        }
        for expect in unit.expects {
            if let Expect::Equals(key, value) = expect {
                back = back.put(key, value);
            }
        }
        disk.commit(vec![back]).await;
    }

    /// Takes the keys away soon after they were written.
    pub(crate) async fn haunt(self, executor: Executor, disk: Store) {
        while self.is(Sabotage::LostKey) {
            executor.sleep(5_000).await;
            let keys = std::mem::take(&mut self.state.lock().keys);
            let mut kept = Vec::new();
            for key in keys {
                match disk.get(&key).await {
                    Ok(Some(_)) => drop(disk.commit(vec![Unit::new().delete(key)]).await),
                    _ => kept.push(key),
                }
            }
            // Those not written by now were lost on the way.
            kept.truncate(64);
            self.state.lock().keys.extend(kept);
        }
    }

    /// A frame of a device, as the server will see it.
    pub(crate) fn request(&self, frame: Bytes) -> Bytes {
        if !self.is(Sabotage::SyncOffByOne) {
            return frame;
        }
        let mut decoded = wire::ClientFrame::decode(frame).expect("the device made it");
        for request in &mut decoded.requests {
            if let Some(Command::Sync(sync)) = &mut request.command {
                sync.open.iter_mut().for_each(|open| open.seq += 1);
            }
        }
        decoded.encode_to_vec().into()
    }

    /// A frame of the server, as the device will see it.
    pub(crate) fn response(&self, frame: Bytes) -> Bytes {
        if !self.is(Sabotage::SilentLoss) && !self.is(Sabotage::Miscount) {
            return frame;
        }
        let mut state = self.state.lock();
        let mut decoded = wire::ServerFrame::decode(frame).expect("the server made it");
        if self.is(Sabotage::SilentLoss) {
            decoded.items.retain(|item| {
                !matches!(item.item, Some(Item::Message(_))) || !state.random.chance(RATE)
            });
        }
        for item in &mut decoded.items {
            if let Some(Item::Response(response)) = &mut item.item
                && let Some(wire::response::Result::Conversations(page)) = &mut response.result
                && self.is(Sabotage::Miscount)
                && state.random.chance(RATE)
            {
                page.conversations
                    .iter_mut()
                    .for_each(|row| row.unread += 1);
            }
        }
        decoded.encode_to_vec().into()
    }
}
