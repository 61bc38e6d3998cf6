//! What was asked of the product and what it answered: the evidence for the checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::alter::AlterRecord;
use crate::own::OwnRecord;
use crate::receipts::AcknowledgeRecord;
use crate::rules::{BlockRecord, RuleRecord};
use crate::workload::Manner;

/// A user of one of the apps, by the number of the app.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct Who {
    /// Which app.
    pub app: usize,
    /// The user's id.
    pub user: String,
}

/// A conversation of one of the apps.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub struct Where {
    /// Which app.
    pub app: usize,
    /// The conversation's name.
    pub conversation: String,
}

/// An acknowledgement of a send.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Ack {
    /// The place.
    pub seq: u64,
    /// The message's id, as text.
    pub message_id: String,
    /// The server's time.
    pub time: u64,
}

/// A send, however often it was tried. Its body is like no other's.
#[derive(Clone, Debug)]
pub struct SendRecord {
    /// Who sent it.
    pub who: Who,
    /// Where to.
    pub conversation: String,
    /// The idempotency key of all tries.
    pub client_message_id: String,
    /// The content.
    pub body: String,
    /// When it was first asked, in microseconds.
    pub asked: u64,
    /// The good answers and when they came.
    pub acks: Vec<(u64, Ack)>,
    /// The codes of the bad ones.
    pub refusals: Vec<u32>,
    /// Tries that were never answered: the device was restarted meanwhile.
    pub forgotten: u32,
    /// The sender's device, for order; a backend has none.
    pub device: Option<usize>,
    /// The read position that goes along, by its place in the ledger.
    pub read: Option<usize>,
    /// In which manner.
    pub manner: Manner,
}

/// An attempt to move a read position.
#[derive(Clone, Debug)]
pub struct ReadRecord {
    /// Whose.
    pub who: Who,
    /// Where.
    pub conversation: String,
    /// Up to where.
    pub seq: u64,
    /// When it was asked, in microseconds.
    pub asked: u64,
    /// Where the position stood then, and when that was said.
    pub acked: Option<(u64, u64)>,
    /// What the acknowledgement of a send says that it went along with.
    pub acked_at_least: Option<u64>,
}

/// A change of a group.
#[derive(Clone, Debug)]
pub struct GroupRecord {
    /// The group's conversation.
    pub place: Where,
    /// Who asked; `None`: the backend.
    pub by: Option<String>,
    /// 1 create, 2 add, 3 remove, 4 quit, 5 dismiss, as in notices.
    pub kind: u32,
    /// Who was named.
    pub users: Vec<String>,
    /// How it came out: the code if it was refused.
    pub outcome: Option<Result<(), u32>>,
}

/// A message that somebody was shown.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Shown {
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub message_id: String,
    /// Its sender.
    pub sender: String,
    /// Its time.
    pub time: u64,
    /// Its content.
    pub body: Vec<u8>,
    /// Does it count?
    pub counted: bool,
}

/// How often things happened that a simulation exists for.
#[derive(Clone, Debug, Default)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    /// Once more.
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// All evidence of a run.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// All sends.
    pub sends: Vec<SendRecord>,
    /// All moves of read positions.
    pub reads: Vec<ReadRecord>,
    /// All changes of groups.
    pub groups: Vec<GroupRecord>,
    /// All changes of messages.
    pub alters: Vec<AlterRecord>,
    /// All changes of what users set for themselves.
    pub owns: Vec<OwnRecord>,
    /// All changes of the rules of groups.
    pub rules: Vec<RuleRecord>,
    /// All changes of block lists.
    pub blocks: Vec<BlockRecord>,
    /// All acknowledgements of single messages.
    pub acknowledges: Vec<AcknowledgeRecord>,
    /// Which users were shown which messages.
    pub seen: BTreeMap<Where, BTreeSet<(String, u64)>>,
    /// Messages that a page of history left out between others.
    pub left_out: Vec<(Who, Where, u64)>,
    /// Everything shown to anybody.
    pub shown: BTreeMap<Where, Vec<Shown>>,
    /// What was found to be wrong while it happened.
    pub wrong: Vec<String>,
    /// What happened how often.
    pub tally: Tally,
}

impl Ledger {
    /// Something that must not be, at this time.
    pub fn wrong(&mut self, now: u64, what: String) {
        self.wrong
            .push(format!("at {:.6} s: {what}", now as f64 / 1e6));
    }
}

/// The ledger, shared.
pub type Shared = Arc<Mutex<Ledger>>;
