//! What the clients know to be true, and whether the server agrees.
//!
//! Pure data and pure checks: a journal per client of what it sent and what was acknowledged, of
//! what it was shown live and how far it read; then the histories and lists that the server gives
//! afterwards; then everything that does not fit, in words.

use std::collections::BTreeMap;

use anser_proto::client::{Conversation, Message};

/// A conversation by its number in the plan.
pub(crate) type Room = usize;

/// A message that a client sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) room: Room,
    pub(crate) client_message_id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) ack: Option<Ack>,
}

/// What the server said when it had it on disk.
#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) struct Ack {
    pub(crate) seq: u64,
    pub(crate) message_id: String,
}

/// Everything one client knows.
#[derive(Default, Debug)]
pub(crate) struct Journal {
    pub(crate) user: String,
    pub(crate) rooms: Vec<Room>,
    pub(crate) sent: Vec<Sent>,
    /// Messages shown live, by room and sequence: message id and client message id.
    pub(crate) shown: BTreeMap<(Room, u64), (String, String)>,
    /// Read positions that were acknowledged, by themselves or with a send.
    pub(crate) read: BTreeMap<Room, u64>,
    /// A retryable refusal: what was sent after it may stand before it.
    pub(crate) refused: bool,
    pub(crate) connections: u64,
    pub(crate) resent: u64,
    /// What the client itself found wrong.
    pub(crate) wrong: Vec<String>,
}

impl Journal {
    /// Takes an acknowledgement of the n-th message sent.
    pub(crate) fn acknowledge(&mut self, number: usize, ack: Ack) {
        let sent = &mut self.sent[number];
        match &sent.ack {
            None => sent.ack = Some(ack),
            Some(first) => {
                let what = if *first == ack {
                    "twice"
                } else {
                    "differently"
                };
                let id = &sent.client_message_id;
                self.wrong
                    .push(format!("{id} acked {what}: {first:?}, {ack:?}"));
            }
        }
    }

    /// Takes a live message. Two at the same place must be the same.
    pub(crate) fn show(&mut self, room: Room, message: &Message) {
        let new = (
            message.message_id.clone(),
            message.client_message_id.clone(),
        );
        let at = (room, message.seq);
        if let Some(old) = self.shown.insert(at, new.clone())
            && old != new
        {
            let user = &self.user;
            self.wrong.push(format!(
                "{user} was shown {old:?} and then {new:?} at {at:?}"
            ));
        }
    }
}

/// What the server says afterwards.
#[derive(Default)]
pub(crate) struct Aftermath {
    /// Name and whole history of each room, oldest first.
    pub(crate) rooms: Vec<(String, Vec<Message>)>,
    /// The conversation list of each client.
    pub(crate) lists: Vec<Vec<Conversation>>,
}

/// Everything that does not fit.
pub(crate) fn violations(journals: &[Journal], after: &Aftermath) -> Vec<String> {
    let mut wrong: Vec<String> = journals
        .iter()
        .flat_map(|journal| journal.wrong.clone())
        .collect();
    for (room, (name, history)) in after.rooms.iter().enumerate() {
        check_order(name, history, &mut wrong);
        check_messages(room, name, history, journals, &mut wrong);
    }
    for (journal, list) in journals.iter().zip(&after.lists) {
        check_list(journal, list, after, &mut wrong);
    }
    wrong
}

fn check_order(name: &str, history: &[Message], wrong: &mut Vec<String>) {
    let mut time = 0;
    for (message, seq) in history.iter().zip(1..) {
        if message.seq != seq {
            wrong.push(format!(
                "{name}: sequence {} where {seq} belongs",
                message.seq
            ));
            return;
        }
        if message.time < time {
            wrong.push(format!("{name}: time falls at {seq}"));
        }
        time = message.time;
    }
}

/// Each acknowledged message is there once, where the ack said, as it was sent; and nothing else.
fn check_messages(
    room: Room,
    name: &str,
    history: &[Message],
    journals: &[Journal],
    wrong: &mut Vec<String>,
) {
    let mut stored: BTreeMap<(&str, &str), &Message> = BTreeMap::new();
    let by_clients = history
        .iter()
        .filter(|message| !message.client_message_id.is_empty());
    for message in by_clients {
        let key = (message.sender.as_str(), message.client_message_id.as_str());
        if let Some(first) = stored.insert(key, message) {
            wrong.push(format!(
                "{name}: {key:?} is there twice, at {} and {}",
                first.seq, message.seq
            ));
        }
    }
    for journal in journals {
        let mut before = 0;
        for sent in journal.sent.iter().filter(|sent| sent.room == room) {
            let id = &sent.client_message_id;
            let key = (journal.user.as_str(), id.as_str());
            let (Some(ack), Some(message)) = (&sent.ack, stored.remove(&key)) else {
                wrong.push(format!(
                    "{name}: {key:?}, acked as {:?}, is not there",
                    sent.ack
                ));
                continue;
            };
            if (message.seq, &message.message_id) != (ack.seq, &ack.message_id) {
                wrong.push(format!(
                    "{name}: {key:?} is at {}, acked as {ack:?}",
                    message.seq
                ));
            }
            let body = message.content.as_ref().map(|content| &content.body[..]);
            if body != Some(&sent.body[..]) {
                wrong.push(format!("{name}: {key:?} has another content"));
            }
            if message.seq < before && !journal.refused {
                wrong.push(format!(
                    "{name}: {key:?} stands before what was sent earlier"
                ));
            }
            before = message.seq;
        }
        for ((_, seq), shown) in journal.shown.range((room, 0)..(room + 1, 0)) {
            let message = usize::try_from(*seq)
                .ok()
                .and_then(|seq| history.get(seq.wrapping_sub(1)));
            let there = message.map(|message| (&message.message_id, &message.client_message_id));
            if there != Some((&shown.0, &shown.1)) {
                wrong.push(format!(
                    "{name}: {} was shown {shown:?} at {seq}: {there:?}",
                    journal.user
                ));
            }
        }
    }
    for key in stored.keys() {
        wrong.push(format!("{name}: nobody sent {key:?}"));
    }
}

/// The list has each of the client's rooms with its head and the unread of the model.
fn check_list(
    journal: &Journal,
    list: &[Conversation],
    after: &Aftermath,
    wrong: &mut Vec<String>,
) {
    let user = &journal.user;
    for &room in &journal.rooms {
        let (name, history) = &after.rooms[room];
        let mut rows = list.iter().filter(|row| row.id == *name);
        let (Some(row), None) = (rows.next(), rows.next()) else {
            if !history.is_empty() {
                wrong.push(format!("{user}: {name} is not in the list exactly once"));
            }
            continue;
        };
        let read = journal.read.get(&room).copied().unwrap_or(0);
        let counts =
            |message: &&Message| message.seq > read && message.counted && message.sender != *user;
        let unread = history.iter().filter(counts).count() as u64;
        if row.unread != unread {
            wrong.push(format!(
                "{user}: {name} has {} unread, read up to {} of {}; should be {unread}, {read}",
                row.unread, row.read_seq, row.head_seq
            ));
        }
        if row.head_seq != history.len() as u64 {
            wrong.push(format!(
                "{user}: {name} ends at {}, the list says {}",
                history.len(),
                row.head_seq
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use anser_proto::client::Content;

    use super::*;

    /// Ann sends two messages to Bob, who reads the first.
    fn good() -> (Vec<Journal>, Aftermath) {
        let message = |seq: u64| Message {
            seq,
            message_id: format!("m{seq}"),
            sender: "ann".into(),
            client_message_id: format!("c{seq}"),
            time: seq,
            content: Some(Content {
                r#type: "text".into(),
                body: format!("hello {seq}").into(),
            }),
            counted: true,
            ..Message::default()
        };
        let mut ann = Journal {
            user: "ann".into(),
            rooms: vec![0],
            ..Journal::default()
        };
        for seq in 1..=2 {
            ann.sent.push(Sent {
                room: 0,
                client_message_id: format!("c{seq}"),
                body: format!("hello {seq}").into(),
                ack: None,
            });
            let number = ann.sent.len() - 1;
            ann.acknowledge(
                number,
                Ack {
                    seq,
                    message_id: format!("m{seq}"),
                },
            );
        }
        let mut bob = Journal {
            user: "bob".into(),
            rooms: vec![0],
            ..Journal::default()
        };
        bob.show(0, &message(1));
        bob.read.insert(0, 1);
        let row = |unread| Conversation {
            id: "p/ann/bob".into(),
            head_seq: 2,
            unread,
            ..Conversation::default()
        };
        let after = Aftermath {
            rooms: vec![("p/ann/bob".into(), vec![message(1), message(2)])],
            lists: vec![vec![row(0)], vec![row(1)]],
        };
        (vec![ann, bob], after)
    }

    fn check(change: impl FnOnce(&mut Vec<Journal>, &mut Aftermath)) -> Vec<String> {
        let (mut journals, mut after) = good();
        change(&mut journals, &mut after);
        violations(&journals, &after)
    }

    #[test]
    fn what_fits_is_not_reported() {
        assert_eq!(check(|_, _| {}), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_fault_is_reported() {
        type Change = fn(&mut Vec<Journal>, &mut Aftermath);
        let faults: [(&str, Change); 12] = [
            ("is not there", |_, after| drop(after.rooms[0].1.pop())),
            ("there twice", |_, after| {
                let mut again = after.rooms[0].1[1].clone();
                again.seq = 3;
                after.rooms[0].1.push(again);
            }),
            ("sequence 7 where 2", |_, after| after.rooms[0].1[1].seq = 7),
            ("time falls", |_, after| after.rooms[0].1[1].time = 0),
            ("another content", |journals, _| {
                journals[0].sent[0].body = b"x".to_vec()
            }),
            ("acked as", |_, after| {
                after.rooms[0].1[0].message_id = "other".into()
            }),
            ("nobody sent", |journals, _| drop(journals[0].sent.pop())),
            ("1 unread", |journals, _| journals[1].read.extend([(0, 2)])),
            ("exactly once", |_, after| after.lists[1].clear()),
            ("the list says 9", |_, after| after.lists[0][0].head_seq = 9),
            ("was shown", |_, after| {
                after.rooms[0].1[0].message_id = "other".into()
            }),
            ("stands before", |journals, _| journals[0].sent.swap(0, 1)),
        ];
        for (words, change) in faults {
            let wrong = check(change);
            assert!(
                wrong.iter().any(|line| line.contains(words)),
                "{words}: {wrong:?}"
            );
        }
    }

    #[test]
    fn a_second_ack_and_a_changed_message_are_reported() {
        let wrong = check(|journals, after| {
            journals[0].acknowledge(
                0,
                Ack {
                    seq: 5,
                    message_id: "m5".into(),
                },
            );
            let mut changed = after.rooms[0].1[0].clone();
            changed.client_message_id = "z".into();
            journals[1].show(0, &changed);
        });
        assert!(
            wrong.iter().any(|line| line.contains("acked differently")),
            "{wrong:?}"
        );
        assert!(
            wrong.iter().any(|line| line.contains("and then")),
            "{wrong:?}"
        );
    }
}
