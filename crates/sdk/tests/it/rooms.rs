//! Chat rooms: in, out, and in again by itself; what was missed is said, attributes are read anew.

use anser_proto::client as wire;
use anser_sdk::core::{Event, Reply, Request, RoomAsk, RoomRequest};
use anser_sdk::model::{RoomLeft, RoomNews};
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, empty_sync};

const EPOCH: u64 = 7;

fn item(seq: u64) -> wire::RoomItem {
    wire::RoomItem {
        seq,
        item: Some(wire::room_item::Item::Message(wire::RoomMessage {
            message_id: seq.to_string(),
            ..wire::RoomMessage::default()
        })),
    }
}

fn push(epoch: u64, prev: u64, seqs: &[u64]) -> Item {
    Item::Room(wire::RoomPush {
        room: "hall".to_owned(),
        epoch,
        prev,
        items: seqs.iter().map(|seq| item(*seq)).collect(),
        member_count: None,
        attributes_version: 0,
    })
}

fn joined(epoch: u64, seq: u64, items: &[u64], lost: bool) -> Answer {
    Answer::RoomJoined(wire::RoomJoined {
        room: Some(wire::Room {
            id: "hall".to_owned(),
            member_count: 3,
            ..wire::Room::default()
        }),
        epoch,
        seq,
        items: items.iter().map(|seq| item(*seq)).collect(),
        lost,
    })
}

fn ask(script: &mut Script, ask: RoomAsk) -> u64 {
    script.ask(Request::Room(RoomRequest {
        room: "hall".to_owned(),
        ask,
    }))
}

fn join_request(script: &mut Script) -> (u32, wire::JoinRoom) {
    match script.only_request() {
        (id, Command::JoinRoom(join)) => (id, join),
        other => panic!("no join: {other:?}"),
    }
}

/// A client that has heard everything up to 10.
fn in_the_hall() -> Script {
    let mut script = Script::online();
    ask(&mut script, RoomAsk::Join { newest: 2 });
    let (id, join) = join_request(&mut script);
    assert_eq!((join.newest, join.known_epoch, join.known_seq), (2, 0, 0));
    script.answer(id, joined(EPOCH, 10, &[9, 10], false));
    let (_, reply) = script.done.pop().unwrap();
    let Ok(Reply::RoomJoined(reply)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!((reply.room.member_count, reply.messages.len()), (3, 2));
    script.take_events();
    script
}

/// Sequences of messages, and how much was missed.
fn told(script: &mut Script) -> Vec<String> {
    let events = script.take_events().into_iter();
    let news = events.filter_map(|event| match event {
        Event::Room { room, news } => {
            assert_eq!(room, "hall");
            Some(news)
        }
        _ => None,
    });
    news.map(|news| match news {
        RoomNews::Message(message) => message.message_id,
        RoomNews::Missed(count) => format!("missed {count}"),
        RoomNews::MemberCount(count) => format!("{count} members"),
        RoomNews::AllAttributes(all) => format!("{} attributes", all.len()),
        RoomNews::Left(RoomLeft::Refused(error)) => error.name.into_owned(),
        other => format!("{other:?}"),
    })
    .collect()
}

#[test]
fn what_comes_before_the_answer_is_told_behind_it_and_once() {
    let mut script = Script::online();
    ask(&mut script, RoomAsk::Join { newest: 50 });
    let (id, _) = join_request(&mut script);
    script.item(push(EPOCH, 3, &[4]));
    script.item(push(EPOCH, 4, &[5]));
    assert_eq!(told(&mut script), Vec::<String>::new());
    script.answer(id, joined(EPOCH, 4, &[3, 4], false));
    assert_eq!(told(&mut script), ["5"]);
}

#[test]
fn a_hole_is_named_and_nothing_is_asked_for() {
    let mut script = in_the_hall();
    script.item(push(EPOCH, 10, &[11, 14]));
    script.item(push(EPOCH, 16, &[17]));
    script.item(push(EPOCH, 16, &[17]));
    script.item(push(EPOCH, 18, &[]));
    assert_eq!(
        told(&mut script),
        ["11", "missed 2", "14", "missed 2", "17", "missed 1"]
    );
    assert!(script.requests().is_empty());
}

#[test]
fn a_new_connection_goes_back_in_from_where_it_was() {
    let mut script = in_the_hall();
    script.break_off();
    let (sync, _) = script.come_back();
    let join = script
        .requests()
        .into_iter()
        .find_map(|(id, command)| match command {
            Command::JoinRoom(join) => Some((id, join)),
            _ => None,
        });
    script.answer(sync, Answer::Sync(empty_sync()));
    let (id, again) = join.unwrap();
    assert_eq!((again.known_epoch, again.known_seq), (EPOCH, 10));
    script.take_events();
    script.answer(id, joined(EPOCH, 15, &[13, 14, 15], true));
    assert_eq!(
        told(&mut script),
        ["missed 2", "13", "14", "15", "3 members"]
    );
}

#[test]
fn a_check_has_it_ask_again_and_another_owner_begins_anew() {
    let mut script = in_the_hall();
    script.item(push(9, 0, &[1]));
    assert_eq!(told(&mut script), ["missed 0", "1"]);
    script.item(Item::Check(wire::CheckPush {}));
    script.pass(2_000);
    let join = script
        .requests()
        .into_iter()
        .find_map(|(id, command)| match command {
            Command::JoinRoom(join) => Some((id, join)),
            _ => None,
        });
    let (id, join) = join.unwrap();
    assert_eq!((join.known_epoch, join.known_seq), (9, 1));
    script.answer(id, joined(9, 1, &[], false));
    assert_eq!(told(&mut script), ["3 members"]);
}

#[test]
fn attributes_are_read_when_a_change_of_them_may_have_been_missed() {
    let mut script = in_the_hall();
    let Item::Room(with_version) = push(EPOCH, 11, &[12]) else {
        unreachable!()
    };
    script.item(Item::Room(wire::RoomPush {
        attributes_version: 5,
        ..with_version
    }));
    let (id, get) = script.only_request();
    assert!(matches!(get, Command::GetRoomAttributes(_)), "{get:?}");
    let page = |after: &str, version| {
        Answer::RoomAttributes(wire::RoomAttributeList {
            attributes: vec![wire::RoomAttribute::default()],
            version,
            after: after.to_owned(),
        })
    };
    script.answer(id, page("k", 5));
    let (id, get) = script.only_request();
    assert!(matches!(get, Command::GetRoomAttributes(it) if it.after == "k"));
    script.answer(id, page("", 5));
    assert_eq!(told(&mut script), ["missed 1", "12", "2 attributes"]);
}

#[test]
fn who_is_put_out_or_refused_is_told_and_stays_out() {
    let mut script = in_the_hall();
    script.item(Item::RoomLeft(wire::RoomLeftPush {
        room: "hall".to_owned(),
        reason: wire::room_left_push::Reason::Destroyed.into(),
        ..wire::RoomLeftPush::default()
    }));
    assert_eq!(told(&mut script), ["Left(Destroyed)"]);
    script.item(push(EPOCH, 10, &[11]));
    assert_eq!(told(&mut script), Vec::<String>::new());

    let mut script = in_the_hall();
    script.item(Item::Check(wire::CheckPush {}));
    let requests = script.requests().into_iter();
    let mut joins = requests.filter(|(_, command)| matches!(command, Command::JoinRoom(_)));
    let (id, _) = joins.next().unwrap();
    script.answer(
        id,
        Answer::Error(wire::Error {
            code: 3_071,
            name: "ROOM_NOT_FOUND".to_owned(),
            ..wire::Error::default()
        }),
    );
    assert_eq!(told(&mut script), ["ROOM_NOT_FOUND"]);
}

#[test]
fn who_leaves_and_joins_again_is_in_behind_the_leaving_and_gets_the_newest() {
    let mut script = in_the_hall();
    script.item(Item::Check(wire::CheckPush {}));
    let requests = script.requests().into_iter();
    let mut joins = requests.filter(|(_, command)| matches!(command, Command::JoinRoom(_)));
    let (void, _) = joins.next().unwrap();
    ask(&mut script, RoomAsk::Leave);
    ask(&mut script, RoomAsk::Join { newest: 1 });
    let (leave, command) = script.only_request();
    assert!(matches!(command, Command::LeaveRoom(_)), "{command:?}");
    script.answer(void, joined(EPOCH, 10, &[], false));
    script.answer(leave, Answer::Done(wire::Done {}));
    let (id, join) = join_request(&mut script);
    assert_eq!((join.newest, join.known_seq), (1, 0));
    script.answer(id, joined(EPOCH, 12, &[12], false));
    let replies = script.done.iter().filter_map(|(_, reply)| match reply {
        Ok(Reply::RoomJoined(joined)) => Some(joined.messages.len()),
        _ => None,
    });
    assert_eq!(replies.collect::<Vec<_>>(), [1]);
}

#[test]
fn who_disconnects_and_connects_again_is_in_again() {
    let mut script = in_the_hall();
    script.input(anser_sdk::core::Input::Disconnect);
    script.requests();
    script.go_online_in_rooms();
    let (_, join) = join_request(&mut script);
    assert_eq!((join.known_epoch, join.known_seq), (EPOCH, 10));
}

#[test]
fn who_leaves_hears_nothing_more_and_who_never_got_in_is_told_in_time() {
    let mut script = in_the_hall();
    ask(&mut script, RoomAsk::Leave);
    let (_, leave) = script.only_request();
    assert!(matches!(leave, Command::LeaveRoom(_)));
    script.item(push(EPOCH, 10, &[11]));
    assert_eq!(told(&mut script), Vec::<String>::new());

    let mut script = Script::online();
    let ticket = ask(&mut script, RoomAsk::Join { newest: 0 });
    script.break_off();
    script.pass(60_000);
    let (done, result) = script.done.pop().unwrap();
    assert_eq!(done, ticket);
    assert_eq!(result.unwrap_err().name, "SERVER_NOT_REACHABLE");
}
