//! Timelines: what a screen shows of a conversation, step by step.

use std::sync::{Arc, Mutex};

use anser_domain::Timestamp;
use anser_proto::client as wire;
use anser_sdk::Client;
use anser_sdk::core::{Event, Outgoing};
use anser_sdk::database::{MemoryStorage, Place, Stored};
use anser_sdk::driver::{ConversationListStream, Timeline};
use anser_sdk::model::{Content, Conversation, Message, MessageState, Recall, Receipt};
use anser_sdk::view::{Delivery, TimelineItem, TimelineModel, TimelinePage};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::driver::model;
use crate::peer::{Door, Kind, Peer};
use crate::script::{push, response};
use crate::server::Server;

fn message(seq: u64, sender: &str) -> Message {
    Message {
        conversation: "g/a".to_owned(),
        seq,
        sender: sender.to_owned(),
        client_message_id: format!("c{seq}"),
        time: Timestamp(seq),
        content: Content::text(format!("text {seq}")),
        ..Message::default()
    }
}

fn page(seqs: impl IntoIterator<Item = u64>, next: Option<u64>) -> TimelinePage {
    let stored = |seq| Stored {
        place: Place::of(seq),
        message: message(seq, "you"),
    };
    TimelinePage {
        messages: seqs.into_iter().map(stored).collect(),
        next: next.map(Place::of),
    }
}

fn seqs(model: &TimelineModel) -> Vec<u64> {
    model.items().iter().map(|item| item.message.seq).collect()
}

fn recalled(seq: u64, rev: u64) -> Message {
    Message {
        state: Some(MessageState {
            rev,
            recall: Some(Recall::default()),
            ..MessageState::default()
        }),
        ..message(seq, "you")
    }
}

/// One that shows 3 to 5 of a conversation of 5.
fn at_five() -> TimelineModel {
    let mut model = TimelineModel::new("g/a", "me");
    model.show(page([5, 4, 3], Some(3)));
    model
}

#[test]
fn it_grows_at_both_ends_and_other_conversations_are_not_its_business() {
    let mut model = at_five();
    assert!(!model.event(&Event::Message(message(6, "you"))));
    model.put_older(page([1, 2], None));
    assert_eq!(seqs(&model), [1, 2, 3, 4, 5, 6]);
    assert_eq!(model.older(), None);
    let mut other = message(7, "you");
    other.conversation = "g/b".to_owned();
    model.event(&Event::Message(other));
    assert_eq!(seqs(&model).len(), 6);
}

#[test]
fn in_the_middle_of_history_news_wait_until_pages_reach_them() {
    let mut model = TimelineModel::new("g/a", "me");
    model.show_at(page([2, 3], Some(2)), 3);
    model.event(&Event::Message(message(6, "you")));
    model.event(&Event::Changed(recalled(6, 9)));
    assert_eq!(seqs(&model), [2, 3]);
    model.put_newer(page([4], Some(4)));
    assert_eq!(
        (seqs(&model), model.newer()),
        (vec![2, 3, 4], Some(Place::of(4)))
    );
    model.event(&Event::Message(message(7, "you")));
    // Read before 7 came.
    model.put_newer(page([5, 6], None));
    assert_eq!(seqs(&model), [2, 3, 4, 5, 6, 7]);
    assert_eq!(model.newer(), None);
}

#[test]
fn a_change_stays_whichever_page_comes_after_it() {
    let mut model = at_five();
    model.event(&Event::Changed(recalled(4, 8)));
    model.put_older(page([4, 2], None));
    let item = |model: &TimelineModel| model.items().into_iter().find(|i| i.message.seq == 4);
    assert!(item(&model).unwrap().message.is_recalled());
    // Of a message that is not shown it is nothing to be shown.
    model.event(&Event::Changed(recalled(1, 9)));
    model.event(&Event::Deleted {
        conversation: "g/a".to_owned(),
        seqs: vec![2, 3],
        version: 1,
    });
    assert_eq!(seqs(&model), [4, 5]);
}

#[test]
fn a_message_that_was_sent_is_one_item_all_along() {
    let mut model = at_five();
    let outgoing = Outgoing {
        client_message_id: Some("c6".to_owned()),
        ..Outgoing::new("g/a", Content::text("text 6"))
    };
    model.sending(outgoing.clone());
    let last = |model: &TimelineModel| model.items().last().cloned().unwrap();
    let id = last(&model).id.clone();
    assert_eq!(last(&model).delivery, Delivery::Sending);
    let error = anser_sdk::Error::from(crate::script::error(3_001));
    model.failed("c6", error.clone());
    assert_eq!(last(&model).delivery, Delivery::Failed(error));
    model.sending(model.failed_message("c6").unwrap());
    // Somebody else's with the same id is another message.
    let mut others = message(6, "you");
    others.client_message_id = "c6".to_owned();
    model.event(&Event::Message(others));
    assert_eq!(model.items().len(), 5);
    let mut own = message(7, "me");
    own.client_message_id = "c6".to_owned();
    model.event(&Event::Message(own));
    assert_eq!(model.items().len(), 5);
    assert_eq!((last(&model).id.clone(), last(&model).message.seq), (id, 7));
    assert_eq!(last(&model).delivery, Delivery::Stored);
}

#[test]
fn ticks_follow_the_others_and_never_go_back() {
    let mut model = TimelineModel::new("g/a", "me");
    model.event(&Event::Message(message(1, "me")));
    model.event(&Event::Message(message(2, "me")));
    let receipt = |user: &str, delivered_seq, read_seq| Event::Receipts {
        conversation: "g/a".to_owned(),
        receipts: vec![Receipt {
            user: user.to_owned(),
            delivered_seq,
            read_seq,
        }],
        acknowledgements: Vec::new(),
    };
    model.event(&receipt("bob", 2, 1));
    model.event(&receipt("bob", 1, 1));
    model.event(&receipt("eve", 0, 2));
    model.event(&receipt("me", 2, 2));
    let ticks = |model: &TimelineModel| -> Vec<(u32, u32)> {
        let items = model.items().into_iter();
        items
            .map(|item| (item.delivered_to, item.read_by))
            .collect()
    };
    assert_eq!(ticks(&model), [(2, 2), (2, 1)]);
    model.event(&Event::Message(message(3, "you")));
    assert_eq!(ticks(&model)[2], (0, 0), "only on one's own");
}

#[test]
fn what_was_cleared_goes_and_a_hole_begins_anew() {
    let mut model = at_five();
    let row = Conversation {
        id: "g/a".to_owned(),
        first_seq: 5,
        member: true,
        ..Conversation::default()
    };
    model.event(&Event::Conversation {
        row,
        feed_version: None,
    });
    assert_eq!((seqs(&model), model.older()), (vec![5], None));
    let followed = |seq| Event::Followed {
        conversation: "g/a".to_owned(),
        seq,
        continued: true,
    };
    assert!(!model.event(&followed(5)));
    assert!(model.event(&followed(6)), "6 is missing");
    assert!(model.event(&Event::Outdated {
        conversation: "g/a".to_owned(),
    }));
}

fn deleted(seqs: Vec<u64>) -> Event {
    Event::Deleted {
        conversation: "g/a".to_owned(),
        seqs,
        version: 1,
    }
}

#[test]
fn what_happens_while_a_page_is_on_its_way_holds_for_the_page_too() {
    let mut model = TimelineModel::new("g/a", "me");
    model.page_asked();
    model.event(&Event::Message(message(6, "you")));
    model.event(&Event::Changed(recalled(4, 9)));
    model.event(&deleted(vec![5]));
    // Read before all that.
    model.show(page([5, 4, 3], Some(3)));
    assert!(!model.page_came());
    assert_eq!(seqs(&model), [3, 4, 6]);
    assert!(model.items()[1].message.is_recalled());
    model.page_asked();
    model.event(&deleted(vec![2]));
    model.put_older(page([2, 1], None));
    assert!(!model.page_came());
    assert_eq!(seqs(&model), [1, 3, 4, 6]);
}

#[test]
fn a_page_is_loaded_again_when_too_much_happened_meanwhile() {
    let mut model = TimelineModel::new("g/a", "me");
    model.page_asked();
    for seq in 4..=260 {
        model.event(&Event::Message(message(seq, "you")));
    }
    model.show(page([3, 2], Some(2)));
    assert!(model.page_came());
    // The next page may know all of it.
    model.page_asked();
    model.show(page([260, 259], Some(259)));
    assert!(!model.page_came());
    assert_eq!(seqs(&model), [259, 260]);
}

/// Answers like the model, and what it does not know with nothing. Gives sends up when told.
async fn serve(mut peer: Peer, server: Arc<Mutex<Server>>, refuse: &'static [u8]) -> Peer {
    while let Some(requests) = peer.receive().await {
        let mut answers = Vec::new();
        let mut over = false;
        for request in requests {
            let answer = match request.command.unwrap() {
                Command::GetReceipts(_) => Answer::Receipts(wire::ReceiptPage::default()),
                Command::Ping(_) => continue,
                Command::SendMessage(send) if send.content.as_ref().unwrap().body == refuse => {
                    Answer::Error(crate::script::error(3_001))
                }
                Command::MarkRead(_) => {
                    over = true;
                    Answer::MarkRead(wire::MarkReadResult::default())
                }
                command => server.lock().unwrap().answer("me", command, 1),
            };
            answers.push(response(request.id, answer));
        }
        peer.tell(answers).await;
        if over {
            return peer;
        }
    }
    peer
}

struct Screen {
    timeline: Timeline,
    list: Vec<Arc<TimelineItem>>,
}

impl Screen {
    /// Applies what comes until this holds.
    async fn until(&mut self, holds: impl Fn(&[Arc<TimelineItem>]) -> bool) {
        while !holds(&self.list) {
            let update = self.timeline.next().await.unwrap();
            for diff in update.diffs {
                diff.apply(&mut self.list);
            }
        }
    }

    fn texts(&self) -> Vec<&str> {
        let items = self.list.iter();
        items
            .map(|item| item.message.content.as_text().unwrap_or("gone"))
            .collect()
    }
}

async fn a_conversation_on_a_screen(database: bool) {
    let door = Door::open(Kind::WebSocket, None).await;
    let server = model();
    for n in 1..=3 {
        let content = wire::Content {
            r#type: "text".to_owned(),
            body: format!("old {n}").into_bytes().into(),
        };
        let id = format!("o{n}");
        server.lock().unwrap().append("g/a", "you", &id, content, 1);
    }
    let mut builder = Client::builder(door.url(), "token".to_owned());
    if database {
        builder = builder.database(MemoryStorage::new());
    }
    let (client, _events) = builder.connect().unwrap();
    let mut screen = Screen {
        timeline: client.timeline("g/a").await,
        list: Vec::new(),
    };
    let refused = screen
        .timeline
        .send(Outgoing::new("g/a", Content::text("refused")))
        .await;
    screen
        .timeline
        .send(Outgoing::new("g/a", Content::text("hello")))
        .await;
    screen.until(|list| list.len() >= 2).await;
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move { serve(door.accept().await.unwrap(), server, b"refused").await }
    });
    let stored = |list: &[Arc<TimelineItem>]| {
        let of = |item: &&Arc<TimelineItem>| item.delivery == Delivery::Stored;
        list.iter().filter(of).count()
    };
    let failed = |list: &[Arc<TimelineItem>]| {
        let of = |item: &Arc<TimelineItem>| matches!(item.delivery, Delivery::Failed(_));
        list.iter().any(of)
    };
    screen.until(|list| stored(list) == 4 && failed(list)).await;
    assert_eq!(
        screen.texts(),
        ["old 1", "old 2", "old 3", "hello", "refused"]
    );
    screen.timeline.discard(refused).await;
    screen.until(|list| list.len() == 4).await;
    client.mark_read("g/a", 4).await.unwrap();
    let mut peer = serving.await.unwrap();
    let mut gone = crate::script::message("g/a", 4);
    gone.sender = "me".to_owned();
    gone.content = None;
    gone.state = Some(wire::MessageState {
        rev: 1,
        recall: Some(wire::Recall::default()),
        ..Default::default()
    });
    peer.tell(vec![
        push("g/a", 4, 5),
        Item::Change(wire::ChangePush {
            message: Some(gone),
            previous_rev: 0,
        }),
    ])
    .await;
    screen
        .until(|list| list.len() == 5 && list[3].message.is_recalled())
        .await;
    assert_eq!(screen.texts()[4], "text 5");
}

#[tokio::test]
async fn a_timeline_shows_what_is_sent_what_comes_and_what_changes() {
    a_conversation_on_a_screen(false).await;
}

#[tokio::test]
async fn and_the_same_with_a_database() {
    a_conversation_on_a_screen(true).await;
}

async fn the_list_on_a_screen(database: bool) {
    let door = Door::open(Kind::WebSocket, None).await;
    let server = model();
    for (name, time) in [("g/a", 1), ("g/b", 2)] {
        let content = wire::Content::default();
        let _ = server
            .lock()
            .unwrap()
            .append(name, "you", "x", content, time);
    }
    let mut builder = Client::builder(door.url(), "token".to_owned());
    if database {
        builder = builder.database(MemoryStorage::new());
    }
    let (client, _events) = builder.connect().unwrap();
    let mut stream: ConversationListStream = client.conversation_list();
    let serving = tokio::spawn({
        let server = Arc::clone(&server);
        async move { serve(door.accept().await.unwrap(), server, b"refused").await }
    });
    let mut list: Vec<Arc<Conversation>> = Vec::new();
    let mut show = async |count: usize, first: &str| {
        while list.len() != count || list[0].id != first {
            for diff in stream.next().await.unwrap().diffs {
                diff.apply(&mut list);
            }
        }
        list.clone()
    };
    show(2, "g/b").await;
    client.mark_read("g/a", 1).await.unwrap();
    let mut peer = serving.await.unwrap();
    let mut newest = crate::script::message("g/a", 2);
    newest.time = 9;
    peer.tell(vec![Item::Message(wire::MessagePush {
        message: Some(newest),
        prev: 1,
    })])
    .await;
    let list = show(2, "g/a").await;
    assert_eq!((list[0].head_seq, list[0].unread), (2, 1));
}

#[tokio::test]
async fn the_list_moves_with_what_happens() {
    the_list_on_a_screen(false).await;
}

#[tokio::test]
async fn and_the_list_of_a_database_too() {
    the_list_on_a_screen(true).await;
}
