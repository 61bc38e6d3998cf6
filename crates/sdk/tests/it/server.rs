//! A small model of the server: what it stores, and what it answers.

use std::collections::BTreeMap;

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

pub(crate) const CONVERSATIONS: [&str; 3] = ["g/a", "g/b", "p/me/you"];

/// What the server stores.
pub(crate) struct Server {
    pub(crate) logs: BTreeMap<String, Vec<wire::Message>>,
    /// Changes of messages, and when the last was.
    pub(crate) revs: BTreeMap<String, (u64, u64)>,
    pub(crate) feed: BTreeMap<String, u64>,
    pub(crate) feed_version: u64,
    /// Does the next sync begin with a reset?
    pub(crate) resets: bool,
    /// Messages of a page at most.
    page_max: usize,
}

impl Server {
    pub(crate) fn new(page_max: usize) -> Self {
        Self {
            logs: BTreeMap::new(),
            revs: BTreeMap::new(),
            feed: BTreeMap::new(),
            feed_version: 0,
            resets: false,
            page_max,
        }
    }

    pub(crate) fn head(&self, name: &str) -> u64 {
        self.logs.get(name).map_or(0, |log| log.len() as u64)
    }

    /// Appends, or finds what an earlier try appended.
    pub(crate) fn append(
        &mut self,
        name: &str,
        sender: &str,
        id: &str,
        content: wire::Content,
        now: u64,
    ) -> (wire::Message, bool) {
        let log = self.logs.entry(name.to_owned()).or_default();
        if let Some(old) = log
            .iter()
            .find(|m| m.sender == sender && m.client_message_id == id)
        {
            return (old.clone(), false);
        }
        let seq = log.len() as u64 + 1;
        let message = wire::Message {
            conversation: name.to_owned(),
            seq,
            message_id: format!("{name}-{seq}"),
            sender: sender.to_owned(),
            client_message_id: id.to_owned(),
            time: now,
            content: Some(content),
            counted: true,
            ..Default::default()
        };
        log.push(message.clone());
        (message, true)
    }

    fn rev(&self, name: &str) -> u64 {
        self.revs.get(name).map_or(0, |(rev, _)| *rev)
    }

    /// Takes a message back, once more if it was. Gives it, and the `rev` before.
    pub(crate) fn recall(&mut self, name: &str, seq: u64, now: u64) -> (wire::Message, u64) {
        let previous = self.rev(name);
        self.revs.insert(name.to_owned(), (previous + 1, now));
        let log = self.logs.get_mut(name).expect("it has messages");
        let message = &mut log[seq as usize - 1];
        message.state = Some(wire::MessageState {
            rev: previous + 1,
            recall: Some(wire::Recall::default()),
            ..wire::MessageState::default()
        });
        (message.clone(), previous)
    }

    fn changes(&self, pull: &wire::PullChanges) -> wire::ChangePage {
        let rev = |message: &wire::Message| message.state.as_ref().map_or(0, |state| state.rev);
        let log = self.logs.get(&pull.conversation).into_iter().flatten();
        let mut messages: Vec<wire::Message> =
            log.filter(|m| rev(m) > pull.from_rev).cloned().collect();
        messages.sort_by_key(rev);
        let more = messages.len() > self.page_max;
        messages.truncate(self.page_max);
        wire::ChangePage {
            conversation: pull.conversation.clone(),
            rev: match messages.last() {
                Some(last) if more => rev(last),
                _ => self.rev(&pull.conversation),
            },
            messages,
            more,
            reset: false,
        }
    }

    pub(crate) fn row(&self, name: &str) -> wire::Conversation {
        let log = self.logs.get(name);
        wire::Conversation {
            id: name.to_owned(),
            head_seq: self.head(name),
            last_time: log.and_then(|log| log.last()).map_or(0, |m| m.time),
            newest: log.and_then(|log| log.last()).cloned(),
            rev: self.rev(name),
            first_seq: 1,
            member: true,
            ..wire::Conversation::default()
        }
    }

    fn page(&self, name: &str, from: u64, descending: bool, limit: usize) -> wire::MessagePage {
        let log = self.logs.get(name).map_or(&[][..], |log| &log[..]);
        let wanted: Vec<&wire::Message> = if descending {
            let older = log.iter().rev().filter(|m| from == 0 || m.seq < from);
            older.collect()
        } else {
            log.iter().filter(|m| m.seq > from).collect()
        };
        wire::MessagePage {
            conversation: name.to_owned(),
            more: wanted.len() > limit,
            messages: wanted.into_iter().take(limit).cloned().collect(),
            head_seq: log.len() as u64,
            first_seq: 1,
            rev: self.rev(name),
            ..Default::default()
        }
    }

    /// One row a page. `reset`: the whole list instead of what changed.
    fn sync(&self, sync: &wire::Sync, reset: bool, now: u64) -> wire::SyncResult {
        // What happens after the first page was made, the next sync tells.
        let parts: Vec<&str> = sync.cursor.split('/').collect();
        let (at, reset, synced_time) = match parts[..] {
            [at, kind, time] => (at.parse().unwrap(), kind == "whole", time.parse().unwrap()),
            _ => (0, reset, now),
        };
        let changed = |name: &&&str| {
            let changed = self.revs.get(**name).map_or(0, |(_, time)| *time);
            let time = self.row(name).last_time.max(changed);
            let moved = self.head(name) > 0 && time >= sync.synced_time;
            reset
                || moved
                || self
                    .feed
                    .get(**name)
                    .is_some_and(|v| *v > sync.feed_version)
        };
        let names: Vec<&str> = CONVERSATIONS.iter().filter(changed).copied().collect();
        let open = sync.open.iter().filter(|_| at == 0);
        let open = open.filter(|open| self.head(&open.conversation) > open.seq);
        let last = at + 1 >= names.len();
        let kind = if reset { "whole" } else { "part" };
        wire::SyncResult {
            epoch: 1,
            reset,
            conversations: names.iter().skip(at).take(1).map(|n| self.row(n)).collect(),
            pages: open
                .map(|open| self.page(&open.conversation, open.seq, false, self.page_max))
                .collect(),
            feed_version: self.feed_version,
            synced_time,
            cursor: if last {
                String::new()
            } else {
                format!("{}/{kind}/{synced_time}", at + 1)
            },
        }
    }

    /// What a server without faults answers to this user.
    pub(crate) fn answer(&mut self, user: &str, command: Command, now: u64) -> Answer {
        match command {
            Command::Hello(_) => Answer::Welcome(wire::Welcome {
                user_id: user.to_owned(),
                epoch: 1,
                server_time: now,
                feed_version: self.feed_version,
                ..crate::script::welcome()
            }),
            Command::Ping(_) => Answer::Pong(wire::Pong {
                server_time: now,
                feed_version: self.feed_version,
            }),
            Command::Sync(sync) => Answer::Sync(self.sync(&sync, self.resets, now)),
            Command::SendMessage(send) => {
                let name = send.conversation;
                let id = &send.client_message_id;
                let content = send.content.unwrap_or_default();
                let (message, _) = self.append(&name, user, id, content, now);
                Answer::SendMessage(wire::SendMessageResult {
                    conversation: name,
                    seq: message.seq,
                    message_id: message.message_id,
                    time: message.time,
                    prev: message.seq - 1,
                })
            }
            Command::PullMessages(pull) => Answer::Messages(self.page(
                &pull.conversation,
                pull.from_seq,
                pull.descending,
                self.page_max.min(pull.limit as usize),
            )),
            Command::MarkRead(read) => Answer::MarkRead(wire::MarkReadResult {
                read_seq: read.seq,
                unread: 0,
                ..Default::default()
            }),
            Command::ListConversations(_) => Answer::Conversations(wire::ConversationPage {
                conversations: self.logs.keys().map(|name| self.row(name)).collect(),
                cursor: String::new(),
            }),
            Command::CreateGroup(create) => Answer::Group(Box::new(wire::Group {
                group_id: create.group_id,
                owner: user.to_owned(),
                ..wire::Group::default()
            })),
            Command::PullChanges(pull) => Answer::Changes(self.changes(&pull)),
            Command::RecallMessage(recall) => {
                let (message, _) = self.recall(&recall.conversation, recall.seq, now);
                Answer::MessageChanged(wire::MessageChanged {
                    conversation: recall.conversation,
                    seq: recall.seq,
                    state: message.state,
                })
            }
            Command::Logout(_) => Answer::Done(wire::Done {}),
            other => panic!("{other:?}"),
        }
    }
}
