//! Bugs put between the parts on purpose, to prove that the checkers see them.
//!
//! The product has no switches for this: a saboteur sits on the disk or on the wire and does what
//! a product with the bug would do.

use std::sync::Arc;

use anser_engine::tables;
use anser_proto::{client as wire, stored};
use anser_sdk::core::Event;
use anser_sdk::database as local;
use anser_sdk::model::Receipt;
use anser_store::{Expect, Key, Space, Store, Unit, Write};
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
    /// Devices are not told of the mention in a message now and then.
    LostMention,
    /// Devices are told that others have read one message more than they have.
    ReadTooFar,
    /// A device's database loses a write now and then.
    ForgottenWrite,
    /// Rows reach devices without what the user set.
    LostSettings,
    /// What is targeted is stored as if it were for all.
    ForgottenTargets,
    /// Nothing burns.
    NoBurning,
    /// Users come off block lists by themselves.
    ForgottenBlocks,
    /// Mutes of members are lifted by themselves.
    ForgottenMutes,
    /// Acknowledgements of messages are not kept.
    LostAcknowledgement,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::AckBeforeCommit,
        Self::LostKey,
        Self::SyncOffByOne,
        Self::SilentLoss,
        Self::Miscount,
        Self::LostMention,
        Self::ReadTooFar,
        Self::ForgottenWrite,
        Self::LostSettings,
        Self::ForgottenTargets,
        Self::NoBurning,
        Self::ForgottenBlocks,
        Self::ForgottenMutes,
        Self::LostAcknowledgement,
    ];

    /// The table that it falls upon, if that is what it does.
    fn table(self) -> Option<Space> {
        match self {
            Self::LostKey => Some(tables::SENT),
            Self::ForgottenTargets => Some(tables::MESSAGE),
            Self::NoBurning => Some(tables::BURN),
            Self::ForgottenBlocks => Some(tables::BLOCK),
            Self::ForgottenMutes => Some(tables::MEMBER),
            Self::LostAcknowledgement => Some(tables::ACKNOWLEDGED),
            _ => None,
        }
    }

    /// What it leaves of a row; `None`: nothing is changed. Without a value the row goes.
    fn bend(self, value: &Bytes) -> Option<Option<Bytes>> {
        match self {
            Self::ForgottenTargets => {
                let row = stored::Message::decode(value.clone()).expect("the product wrote it");
                let row = stored::Message {
                    targets: Vec::new(),
                    ..row
                };
                let bent = Bytes::from(row.encode_to_vec());
                (bent != *value).then_some(Some(bent))
            }
            Self::ForgottenMutes => {
                let row = stored::Member::decode(value.clone()).expect("the product wrote it");
                let row = stored::Member {
                    muted_until: 0,
                    ..row
                };
                let bent = Bytes::from(row.encode_to_vec());
                (bent != *value).then_some(Some(bent))
            }
            _ => Some(None),
        }
    }
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
        if let Some(table) = self.what.and_then(Sabotage::table) {
            self.state.lock().keys.extend(writes(table).cloned());
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

    /// Falls upon rows soon after they were written.
    pub(crate) async fn haunt(self, executor: Executor, disk: Store) {
        let Some(what) = self.what.filter(|what| what.table().is_some()) else {
            return;
        };
        loop {
            executor.sleep(5_000).await;
            let keys = std::mem::take(&mut self.state.lock().keys);
            let mut kept = Vec::new();
            for key in keys {
                match disk.get(&key).await {
                    Ok(Some(value)) => {
                        let unit = Unit::new().expect_equals(key.clone(), value.clone());
                        let unit = match what.bend(&value) {
                            None => continue,
                            Some(None) => unit.delete(key),
                            Some(Some(bent)) => unit.put(key, bent),
                        };
                        drop(disk.commit(vec![unit]).await);
                    }
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
        let bends = [
            Sabotage::SilentLoss,
            Sabotage::Miscount,
            Sabotage::LostMention,
            Sabotage::LostSettings,
        ];
        if !bends.iter().any(|what| self.is(*what)) {
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
            self.bend(item, &mut state.random);
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

    /// Bends what is pushed.
    fn bend(&self, item: &mut wire::ServerItem, random: &mut Random) {
        match &mut item.item {
            Some(Item::Message(push)) if self.is(Sabotage::LostMention) && random.chance(RATE) => {
                if let Some(message) = &mut push.message {
                    message.mention = None;
                }
            }
            Some(Item::Conversation(push)) if self.is(Sabotage::LostSettings) => {
                if let Some(row) = &mut push.conversation {
                    row.pinned = false;
                    row.marks.clear();
                }
            }
            _ => {}
        }
    }

    /// Where others stand, as the device will take it.
    pub(crate) fn receipts(&self, mut receipts: Vec<Receipt>) -> Vec<Receipt> {
        if self.is(Sabotage::ReadTooFar) {
            receipts.iter_mut().for_each(|it| it.read_seq += 1);
        }
        receipts
    }

    /// Does the device's database lose writes?
    pub(crate) fn forgets(&self) -> bool {
        self.is(Sabotage::ForgottenWrite)
    }

    /// Does it lose this one?
    pub(crate) fn forgets_write(&self, write: &local::Write) -> bool {
        let is_change = matches!(write, local::Write::Event(Event::Changed(_)));
        self.forgets() && is_change && self.state.lock().random.chance(RATE)
    }
}
