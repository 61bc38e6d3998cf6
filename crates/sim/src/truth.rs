//! What stands on the disk, read without the product's help.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::MessageId;
use anser_engine::tables;
use anser_proto::stored;
use anser_store::{Scan, Shard, Space, Store};
use bytes::Bytes;

use crate::ledger::{Shown, Where, Who};

/// A message as it is stored.
#[derive(Clone, Debug)]
pub struct Kept {
    /// What a reader sees.
    pub shown: Shown,
    /// See the stored format.
    pub ordinal: u64,
    /// The sender's key.
    pub client_message_id: String,
    /// Its type.
    pub content_type: String,
    /// What happened to it.
    pub state: Option<stored::MessageState>,
}

impl Kept {
    /// Was it taken back?
    #[must_use]
    pub fn is_recalled(&self) -> bool {
        let state = self.state.as_ref();
        state.is_some_and(|state| state.recall.is_some())
    }
}

/// A conversation.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// The head row.
    pub head: stored::Head,
    /// By sequence.
    pub messages: BTreeMap<u64, Kept>,
    /// By user.
    pub members: BTreeMap<String, stored::Member>,
    /// By user.
    pub positions: BTreeMap<String, stored::Position>,
    /// The feed of changes: sequences by `rev`.
    pub changes: BTreeMap<u64, u64>,
    /// Former contents by sequence, the oldest first.
    pub edits: BTreeMap<u64, Vec<Vec<u8>>>,
    /// What users deleted for themselves.
    pub hidden: BTreeSet<(String, u64)>,
}

/// A user's side.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    /// The feed's version.
    pub version: u64,
    /// By conversation.
    pub rows: BTreeMap<String, stored::InboxRow>,
    /// By version.
    pub feed: BTreeMap<u64, String>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// All conversations that have a row.
    pub chats: BTreeMap<Where, Chat>,
    /// All users with an inbox.
    pub inboxes: BTreeMap<Who, Inbox>,
    /// Effects not carried out yet.
    pub outbox: usize,
}

/// A key's app, text and rest.
fn parse(apps: &[u32], key: &[u8]) -> (usize, String, Vec<u8>) {
    let (app, rest) = key
        .split_first_chunk::<4>()
        .expect("keys begin with the app");
    let app = u32::from_be_bytes(*app);
    let app = apps
        .iter()
        .position(|known| *known == app)
        .expect("an app of the run");
    let end = rest
        .iter()
        .position(|byte| *byte == 0)
        .expect("texts end with zero");
    let text = String::from_utf8(rest[..end].to_vec()).expect("names are text");
    (app, text, rest[end + 1..].to_vec())
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("names are text")
}

fn decode<T: prost::Message + Default>(value: &Bytes) -> T {
    T::decode(value.clone()).expect("what is stored decodes")
}

impl Truth {
    /// Reads everything in these shards. `apps`: their numbers in keys.
    pub async fn read(disk: &Store, shards: &[u16], apps: &[u32]) -> Self {
        let mut truth = Self::default();
        for shard in shards {
            for space in [
                tables::HEAD,
                tables::MESSAGE,
                tables::MEMBER,
                tables::POSITION,
                tables::CHANGE,
                tables::EDIT,
                tables::HIDDEN,
                tables::INBOX_HEAD,
                tables::INBOX,
                tables::INBOX_FEED,
                tables::OUTBOX,
            ] {
                let page = disk.scan(Scan::all(space, Shard(*shard))).await;
                let page = page.expect("the disk itself does not fail");
                assert!(!page.more, "runs are small");
                for (key, value) in page.rows {
                    truth.take(space, apps, &key, &value);
                }
            }
        }
        truth
    }

    fn take(&mut self, space: Space, apps: &[u32], key: &[u8], value: &Bytes) {
        if space == tables::OUTBOX {
            self.outbox += 1;
            return;
        }
        let (app, name, rest) = parse(apps, key);
        if [tables::INBOX_HEAD, tables::INBOX, tables::INBOX_FEED].contains(&space) {
            let inbox = self.inboxes.entry(Who { app, user: name }).or_default();
            if space == tables::INBOX_HEAD {
                inbox.version = decode::<stored::InboxHead>(value).feed_version;
            } else if space == tables::INBOX {
                inbox.rows.insert(text(rest), decode(value));
            } else {
                inbox.feed.insert(number(&rest), text(value.to_vec()));
            }
            return;
        }
        let place = Where {
            app,
            conversation: name,
        };
        let chat = self.chats.entry(place).or_default();
        if space == tables::HEAD {
            chat.head = decode(value);
        } else if space == tables::MEMBER {
            chat.members.insert(text(rest), decode(value));
        } else if space == tables::POSITION {
            chat.positions.insert(text(rest), decode(value));
        } else if space == tables::CHANGE {
            chat.changes.insert(number(&rest), number(value));
        } else if space == tables::EDIT {
            let former: stored::EditRow = decode(value);
            let edits = chat.edits.entry(number(&rest[..8])).or_default();
            edits.push(former.content_body.to_vec());
        } else if space == tables::HIDDEN {
            let (user, seq) = rest.split_at(rest.len() - 8);
            let user = user.strip_suffix(&[0]).expect("texts end with zero");
            chat.hidden.insert((text(user.to_vec()), number(seq)));
        } else {
            let seq = number(&rest);
            chat.messages.insert(seq, kept(seq, &decode(value)));
        }
    }
}

fn kept(seq: u64, row: &stored::Message) -> Kept {
    let id = row.message_id[..]
        .try_into()
        .expect("ids have sixteen bytes");
    Kept {
        shown: Shown {
            seq,
            message_id: MessageId(id).to_string(),
            sender: row.sender.clone(),
            time: row.time,
            body: row.content_body.to_vec(),
            counted: row.counted,
        },
        ordinal: row.ordinal,
        client_message_id: row.client_message_id.clone(),
        content_type: row.content_type.clone(),
        state: row.state.clone(),
    }
}

/// Users of a private conversation's name; none of a group's.
#[must_use]
pub fn pair(conversation: &str) -> Vec<&str> {
    match conversation.strip_prefix("p/") {
        // Names in runs need no escapes.
        Some(pair) => pair.split('/').collect(),
        None => Vec::new(),
    }
}

impl Chat {
    /// Is the user in it, and from which sequence and ordinal on?
    #[must_use]
    pub fn joined(&self, place: &Where, user: &str) -> Option<(u64, u64)> {
        let pair = pair(&place.conversation);
        if pair.is_empty() {
            let row = self.members.get(user)?;
            return Some((row.joined_seq, row.joined_ordinal));
        }
        (pair.contains(&user) && self.head.seq > 0).then_some((0, 0))
    }

    /// Has the user deleted the message for themself?
    #[must_use]
    pub fn is_hidden(&self, user: &str, seq: u64) -> bool {
        self.hidden.contains(&(user.to_owned(), seq))
    }

    /// What the user has not read, counted one by one.
    #[must_use]
    pub fn unread(&self, user: &str, joined_seq: u64) -> u64 {
        let read = self
            .positions
            .get(user)
            .map_or(0, |position| position.read_seq);
        let unread = self.messages.values().filter(|message| {
            let shown = &message.shown;
            shown.counted
                && shown.sender != user
                && shown.seq > read.max(joined_seq)
                && !message.is_recalled()
                && !self.is_hidden(user, shown.seq)
        });
        unread.count() as u64
    }
}
