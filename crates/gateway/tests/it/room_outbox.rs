//! What happens in chat rooms, in the outbox of a client that reads too slowly.

use std::sync::Arc;

use anser_domain::room::Class;
use anser_domain::{MessageId, RoomId, Timestamp};
use anser_engine::room::{Happening, RoomItem, RoomMessage, RoomPush};
use anser_engine::{Event, EventBody, SessionSink as _};
use anser_gateway::session::{Drain, Outbox};

use crate::outbox::{Got, all, event, outbox_of};
use crate::pipe::Pipe;
use crate::random::{Random, for_seeds};

/// A message of a class, of about so many bytes on the wire.
fn item(seq: u64, class: Class, bytes: usize) -> RoomItem {
    let message = RoomMessage {
        message_id: MessageId([0; 16]),
        sender: None,
        client_message_id: "".into(),
        time: Timestamp(1),
        content_type: "x".into(),
        body: vec![b'x'; bytes].into(),
        low: class == Class::Low,
        recalled: false,
    };
    RoomItem {
        seq,
        class,
        what: Happening::Message(Arc::new(message)),
    }
}

fn push(items: Vec<RoomItem>) -> Arc<Event> {
    let prev = items.first().map_or(0, |item| item.seq - 1);
    let room = RoomId::new("hall").unwrap();
    let push = RoomPush::new(room, (1, prev), items, Some(3), 0);
    Event::new(EventBody::Room(Box::new(push)))
}

fn figure(outbox: &Outbox<Pipe>, name: &str) -> u64 {
    let mut text = String::new();
    outbox.metrics().render(&mut text);
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap().split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_reader_who_keeps_up_gets_everything() {
    let pipe = Pipe::endless();
    let outbox = outbox_of(&pipe, 2_000);
    for seq in 1..=100 {
        outbox.deliver(&[push(vec![item(seq, Class::Low, 300)])]);
    }
    let expected: Vec<_> = (1..=100).map(|seq| Got::Room(vec![seq])).collect();
    assert_eq!(all(&pipe), expected);
    assert_eq!(
        figure(&outbox, "anser_gateway_room_frames_thinned_total"),
        0
    );
    assert_eq!(
        figure(&outbox, "anser_gateway_room_frames_dropped_total"),
        0
    );
}

#[test]
fn behind_a_quarter_the_low_go_and_behind_a_half_all_but_the_protected() {
    let pipe = Pipe::endless();
    let outbox = outbox_of(&pipe, 8_000);
    outbox.hold();
    let three = |first| {
        let classes = [Class::Low, Class::High, Class::Protected];
        let items = (first..).zip(classes);
        push(items.map(|(seq, class)| item(seq, class, 200)).collect())
    };
    // About 800 bytes each, then 530, then 270.
    (0..12).for_each(|n| outbox.push(&three(3 * n + 1)));
    outbox.push(&push(vec![item(37, Class::High, 10)]));
    outbox.release(None);
    outbox.flush();
    let got = all(&pipe);
    let of = |n: u64, count: usize| {
        let whole: Vec<u64> = (3 * n + 1..=3 * n + 3).collect();
        Got::Room(whole[3 - count..].to_vec())
    };
    let counts = [3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1];
    let expected: Vec<_> = (0..).zip(counts).map(|(n, count)| of(n, count)).collect();
    assert_eq!(got, expected);
    assert_eq!(
        figure(&outbox, "anser_gateway_room_frames_thinned_total"),
        9
    );
    assert_eq!(
        figure(&outbox, "anser_gateway_room_frames_dropped_total"),
        1
    );
}

#[test]
fn rooms_make_way_for_everything_else_and_nobody_is_told() {
    let pipe = Pipe::endless();
    let outbox = outbox_of(&pipe, 2_000);
    outbox.hold();
    outbox.push(&push(vec![item(1, Class::High, 900)]));
    outbox.push(&push(vec![item(2, Class::Protected, 900)]));
    (1..=9).for_each(|n| outbox.push(&event(n)));
    outbox.release(None);
    outbox.flush();
    let mut expected = vec![Got::Room(vec![2])];
    expected.extend((1..=9).map(Got::Event));
    assert_eq!(all(&pipe), expected);
    assert_eq!(
        figure(&outbox, "anser_gateway_room_frames_dropped_total"),
        1
    );
    assert_eq!(figure(&outbox, "anser_gateway_slow_sessions_total"), 0);
}

/// The client comes back into its rooms then, and gets what it missed.
#[test]
fn what_is_protected_is_not_lost_in_silence() {
    let pipe = Pipe::endless();
    let outbox = outbox_of(&pipe, 2_000);
    outbox.hold();
    (1..=3).for_each(|seq| outbox.push(&push(vec![item(seq, Class::Protected, 900)])));
    outbox.release(None);
    outbox.flush();
    assert_eq!(all(&pipe), [Got::Check]);
}

#[test]
fn a_moderators_message_does_not_wait_behind_all_the_likes() {
    const BYTES_MAX: usize = 256 << 10;
    let pipe = Pipe::new(0);
    let outbox = outbox_of(&pipe, BYTES_MAX);
    for seq in 1..=1_000 {
        outbox.deliver(&[push(vec![item(seq, Class::Low, 1_000)])]);
    }
    outbox.deliver(&[push(vec![item(1_001, Class::Protected, 100)])]);
    // As much as a quarter of the bound, and the frame that went beyond it.
    pipe.make_room(BYTES_MAX / 4 + 1_500);
    assert_eq!(outbox.resume(), Drain::Empty);
    let got = all(&pipe);
    assert_eq!(got.last(), Some(&Got::Room(vec![1_001])));
    assert_eq!(got[0], Got::Room(vec![1]));
    let dropped = figure(&outbox, "anser_gateway_room_frames_dropped_total");
    assert_eq!(dropped + got.len() as u64, 1_001);
}

/// However slowly the client reads: what it gets is in order, the messages that matter are all
/// there as long as there is room for them, and of those that are protected none is missing
/// without a word.
#[test]
fn what_arrives_is_in_order_and_the_protected_are_all_there() {
    for_seeds(300, |seed| {
        let random = &mut Random::new(seed);
        let pipe = Pipe::new(random.below(2_000));
        let outbox = outbox_of(&pipe, 20_000);
        let (mut seq, mut protected) = (0, Vec::new());
        for _ in 0..random.below(200) {
            let count = 1 + random.below(4);
            let items = (0..count).map(|_| {
                seq += 1;
                let class = match random.below(20) {
                    0 => Class::Protected,
                    1..=6 => Class::High,
                    _ => Class::Low,
                };
                if class == Class::Protected {
                    protected.push(seq);
                }
                item(seq, class, random.below(400))
            });
            outbox.deliver(&[push(items.collect())]);
            if random.below(3) == 0 {
                pipe.make_room(random.below(3_000));
                outbox.resume();
            }
        }
        pipe.make_room(usize::MAX);
        assert_eq!(outbox.resume(), Drain::Empty);
        let got = all(&pipe);
        let told = got.contains(&Got::Check);
        let rooms = got.into_iter().filter_map(|got| match got {
            Got::Room(seqs) => Some(seqs),
            _ => None,
        });
        let seqs: Vec<u64> = rooms.flatten().collect();
        assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
        let all_there = protected.iter().all(|seq| seqs.contains(seq));
        assert!(told || all_there, "{protected:?} of {seqs:?}");
    });
}
