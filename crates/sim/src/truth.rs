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
    /// Whom it mentions.
    pub mention: Option<stored::Mention>,
    /// Only these see it; empty: all.
    pub targets: Vec<String>,
    /// It burns so long after it was read; 0: never.
    pub burn_seconds: u32,
    /// Its sender wants to know who took note of it.
    pub receipt_wanted: bool,
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

    /// May the user see it, as far as it is up to the sender?
    #[must_use]
    pub fn is_for(&self, user: &str) -> bool {
        let named = || self.targets.iter().any(|target| target == user);
        self.targets.is_empty() || self.shown.sender == user || named()
    }

    /// Does it mention the user?
    #[must_use]
    pub fn mentions(&self, user: &str) -> bool {
        let named = |it: &stored::Mention| it.all || it.users.iter().any(|name| name == user);
        self.mention.as_ref().is_some_and(named)
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
    /// Who acknowledged which message.
    pub acknowledged: BTreeSet<(u64, String)>,
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
                tables::ACKNOWLEDGED,
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
        } else if space == tables::ACKNOWLEDGED {
            let (seq, user) = rest.split_at(8);
            let user = user.strip_suffix(&[0]).unwrap_or(user);
            chat.acknowledged.insert((number(seq), text(user.to_vec())));
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
        mention: row.mention.clone(),
        targets: row.targets.clone(),
        burn_seconds: row.burn_after_seconds,
        receipt_wanted: row.receipt_wanted,
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
}

/// What a user may see of a conversation, and what of it is not unread in any case.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Sight {
    /// The lowest sequence that the user may read.
    pub first_seq: u64,
    /// Nothing up to here is unread.
    pub unread_after: u64,
}

impl Truth {
    /// The user's row of the conversation.
    #[must_use]
    pub fn row(&self, place: &Where, user: &str) -> Option<&stored::InboxRow> {
        let who = Who {
            app: place.app,
            user: user.to_owned(),
        };
        self.inboxes.get(&who)?.rows.get(&place.conversation)
    }

    /// What the user may see; `None`: the user is not in it.
    #[must_use]
    pub fn sight(&self, place: &Where, chat: &Chat, user: &str) -> Option<Sight> {
        let (joined, _) = chat.joined(place, user)?;
        let cleared = self.row(place, user).map_or(0, |row| row.cleared_seq);
        let first = match chat.members.get(user).map_or(0, |row| row.first_seq) {
            0 => joined + 1,
            first => first,
        };
        Some(Sight {
            first_seq: first.max(cleared + 1),
            unread_after: joined.max(cleared),
        })
    }

    /// Is the user in it?
    #[must_use]
    pub fn is_in(&self, who: &Who, conversation: &str) -> bool {
        let place = Where {
            app: who.app,
            conversation: conversation.to_owned(),
        };
        let chat = self.chats.get(&place);
        chat.is_some_and(|chat| chat.joined(&place, &who.user).is_some())
    }

    /// The last messages that the user sent there.
    #[must_use]
    pub fn own_messages(&self, who: &Who, conversation: &str, most: usize) -> Vec<u64> {
        let place = Where {
            app: who.app,
            conversation: conversation.to_owned(),
        };
        let messages = self
            .chats
            .get(&place)
            .into_iter()
            .flat_map(|chat| &chat.messages);
        let own = messages.filter(|(_, kept)| kept.shown.sender == who.user);
        let own: Vec<u64> = own.map(|(seq, _)| *seq).collect();
        own[own.len().saturating_sub(most)..].to_vec()
    }

    /// Is the message there for this user?
    #[must_use]
    pub fn sees(&self, place: &Where, chat: &Chat, user: &str, seq: u64) -> bool {
        let kept = chat.messages.get(&seq);
        let sight = self.sight(place, chat, user);
        sight.is_some_and(|sight| seq >= sight.first_seq)
            && kept.is_some_and(|kept| kept.is_for(user))
            && !chat.is_hidden(user, seq)
    }

    /// Messages of others that the user has not read, is to see, and that were not taken back.
    fn beyond<'a>(
        &'a self,
        place: &'a Where,
        chat: &'a Chat,
        user: &'a str,
    ) -> impl Iterator<Item = &'a Kept> {
        let after = self.sight(place, chat, user).map(|sight| {
            let read = chat.positions.get(user).map_or(0, |row| row.read_seq);
            sight.unread_after.max(read)
        });
        let from = after.map_or(u64::MAX, |after| after + 1);
        let beyond = chat.messages.range(from..).map(|(_, kept)| kept);
        beyond.filter(move |kept| {
            kept.shown.sender != user
                && !kept.is_recalled()
                && self.sees(place, chat, user, kept.shown.seq)
        })
    }

    /// What the user has not read, counted one by one.
    #[must_use]
    pub fn unread(&self, place: &Where, chat: &Chat, user: &str) -> u64 {
        let beyond = self.beyond(place, chat, user);
        beyond.filter(|kept| kept.shown.counted).count() as u64
    }

    /// The unread messages that mention the user.
    #[must_use]
    pub fn unread_mentions(&self, place: &Where, chat: &Chat, user: &str) -> Vec<u64> {
        let beyond = self.beyond(place, chat, user);
        // A command is not for the user.
        let shown = beyond.filter(|kept| kept.content_type != "command");
        let mentions = shown.filter(|kept| kept.mentions(user));
        mentions.map(|kept| kept.shown.seq).collect()
    }

    /// The last message that the user is to see in the list: no command.
    #[must_use]
    pub fn newest<'a>(&'a self, place: &'a Where, chat: &'a Chat, user: &str) -> Option<&'a Kept> {
        let sees = |seq: u64| self.sees(place, chat, user, seq);
        let mut all = chat.messages.iter().rev();
        let newest = all.find(|(seq, kept)| kept.content_type != "command" && sees(**seq));
        newest.map(|(_, kept)| kept)
    }

    /// Is the conversation left out of the user's list? `None`: it was hidden, and since then came
    /// only what is for others. The server lists it then, devices that know it don't.
    #[must_use]
    pub fn is_hidden(&self, place: &Where, chat: &Chat, user: &str) -> Option<bool> {
        let row = self.row(place, user).filter(|row| row.hidden);
        let Some(since) = row.map(|row| row.hidden_seq) else {
            return Some(false);
        };
        let mut later = chat.messages.range(since.saturating_add(1)..);
        if later.clone().next().is_none() {
            return Some(true);
        }
        let shows = |kept: &Kept| kept.is_for(user) && kept.content_type != "command";
        later.any(|(_, kept)| shows(kept)).then_some(false)
    }
}
