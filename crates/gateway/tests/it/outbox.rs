//! The outbox against a wire that takes everything, little, or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use anser_domain::{Code, Reject};
use anser_engine::{Event, EventBody, SessionSink as _};
use anser_gateway::metrics::Metrics;
use anser_gateway::native::Framing;
use anser_gateway::session::{Drain, Outbox};
use anser_proto::client::server_item::Item;
use anser_proto::client::{Response, ServerFrame, ServerItem, response};
use bytes::{Bytes, BytesMut};

use crate::pipe::Pipe;
use crate::random::{Random, for_seeds};

const BYTES_MAX: usize = 2_000;

fn outbox(pipe: &Pipe) -> Arc<Outbox<Pipe>> {
    outbox_of(pipe, BYTES_MAX)
}

pub(crate) fn outbox_of(pipe: &Pipe, bytes_max: usize) -> Arc<Outbox<Pipe>> {
    let dialect = Framing::Length.dialect();
    Outbox::new(
        pipe.clone(),
        dialect,
        bytes_max,
        Arc::new(Metrics::default()),
    )
}

/// An event that says a number.
pub(crate) fn event(n: u64) -> Arc<Event> {
    Event::new(EventBody::Read {
        conversation: "g/some-conversation".into(),
        read_seq: n,
        unread: 0,
        unread_mentions: 0,
    })
}

/// A reply that says a number.
fn reply(n: u32) -> Bytes {
    Framing::Length.encode(&ServerFrame {
        items: vec![ServerItem {
            item: Some(Item::Response(Response {
                id: n,
                result: Some(response::Result::Done(anser_proto::client::Done {})),
            })),
        }],
    })
}

#[derive(Clone, Eq, PartialEq, Debug)]
pub(crate) enum Got {
    Event(u64),
    Reply(u32),
    Check,
    Close(u32),
    /// Sequences of what happened in a chat room.
    Room(Vec<u64>),
}

/// What a client reads from the bytes; the rest stays.
fn read(bytes: &mut BytesMut) -> Vec<Got> {
    let mut got = Vec::new();
    while let Some(frame) = anser_proto::frame::decode(bytes, 100_000).unwrap() {
        let frame: ServerFrame = prost::Message::decode(frame).unwrap();
        for item in frame.items {
            got.push(match item.item.unwrap() {
                Item::Read(read) => Got::Event(read.read_seq),
                Item::Response(response) => Got::Reply(response.id),
                Item::Check(_) => Got::Check,
                Item::Close(close) => Got::Close(close.error.unwrap().code),
                Item::Room(push) => Got::Room(push.items.iter().map(|item| item.seq).collect()),
                other => panic!("{other:?}"),
            });
        }
    }
    got
}

pub(crate) fn all(pipe: &Pipe) -> Vec<Got> {
    let mut bytes = BytesMut::from(&pipe.take()[..]);
    let got = read(&mut bytes);
    assert!(bytes.is_empty(), "half a frame is left");
    got
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (count.clone(), Waker::from(count))
}

#[test]
fn a_burst_is_one_write_and_wakes_nobody() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    outbox.register(&waker);
    (1..=20).for_each(|n| outbox.push(&event(n)));
    assert_eq!(pipe.writes(), 0);
    outbox.flush();
    assert_eq!(pipe.writes(), 1);
    assert_eq!(all(&pipe), (1..=20).map(Got::Event).collect::<Vec<_>>());
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    outbox.flush();
    assert_eq!(pipe.writes(), 1, "nothing to write, nothing written");
}

#[test]
fn an_event_is_encoded_once_for_all() {
    let event = event(1);
    let pipes = [Pipe::endless(), Pipe::endless()];
    let before = outbox(&pipes[0]);
    before.push(&event);
    let encoded = event.encoded(1, |_| unreachable!("it is encoded")).as_ptr();
    outbox(&pipes[1]).push(&event);
    let again = event.encoded(1, |_| unreachable!("it is encoded")).as_ptr();
    assert_eq!(encoded, again);
}

#[test]
fn a_full_wire_wakes_the_task_once_which_then_goes_on() {
    let pipe = Pipe::new(30);
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    outbox.register(&waker);
    for n in 1..=5 {
        outbox.push(&event(n));
        outbox.flush();
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    let mut bytes = BytesMut::from(&pipe.take()[..]);
    assert_eq!(bytes.len(), 30);
    assert_eq!(outbox.resume(), Drain::Blocked);
    pipe.make_room(7);
    assert_eq!(outbox.resume(), Drain::Blocked);
    pipe.make_room(usize::MAX);
    assert_eq!(outbox.resume(), Drain::Empty);
    bytes.extend_from_slice(&pipe.take());
    assert_eq!(
        read(&mut bytes),
        (1..=5).map(Got::Event).collect::<Vec<_>>()
    );
    outbox.push(&event(6));
    outbox.flush();
    assert_eq!(all(&pipe), [Got::Event(6)], "direct writes work again");
}

#[test]
fn a_slow_reader_loses_events_but_no_replies_and_hears_of_it_once() {
    let pipe = Pipe::new(10);
    let outbox = outbox(&pipe);
    outbox.push(&event(1));
    outbox.flush();
    for n in 2..200 {
        outbox.push(&event(n));
        if n % 50 == 0 {
            outbox.reply(reply(u32::try_from(n).unwrap()));
        }
        outbox.flush();
    }
    pipe.make_room(usize::MAX);
    assert_eq!(outbox.resume(), Drain::Empty);
    outbox.push(&event(200));
    outbox.flush();
    let got = all(&pipe);
    let expected = [
        // The first was partly on the wire when the rest was dropped.
        Got::Event(1),
        Got::Reply(50),
        Got::Reply(100),
        Got::Reply(150),
        Got::Check,
        Got::Event(200),
    ];
    assert_eq!(got, expected);
    let mut text = String::new();
    outbox.metrics().render(&mut text);
    assert!(
        text.contains("\nanser_gateway_slow_sessions_total 1\n"),
        "{text}"
    );
    assert!(
        text.contains("\nanser_gateway_events_dropped_total 198\n"),
        "{text}"
    );
}

#[test]
fn an_event_larger_than_the_queue_is_pulled() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    outbox.push(&Event::new(EventBody::Read {
        conversation: "x".repeat(BYTES_MAX).into(),
        read_seq: 1,
        unread: 0,
        unread_mentions: 0,
    }));
    outbox.flush();
    assert_eq!(all(&pipe), [Got::Check]);
}

#[test]
fn nothing_overtakes_the_welcome() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    outbox.hold();
    outbox.push(&event(1));
    outbox.flush();
    outbox.push(&event(2));
    outbox.flush();
    assert_eq!(pipe.writes(), 0);
    outbox.release(Some(reply(7)));
    outbox.flush();
    assert_eq!(all(&pipe), [Got::Reply(7), Got::Event(1), Got::Event(2)]);
}

#[test]
fn a_close_while_held_still_comes_after_the_welcome() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    outbox.hold();
    outbox.close(Code::Replaced.into());
    outbox.push(&event(1));
    assert!(!outbox.is_closing(), "the welcome is still to come");
    assert_eq!(pipe.writes(), 0);
    outbox.release(Some(reply(1)));
    assert!(outbox.is_closing());
    assert_eq!(outbox.resume(), Drain::Farewell);
    assert_eq!(all(&pipe), [Got::Reply(1), Got::Close(4000)]);
}

#[test]
fn nothing_follows_a_farewell() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    outbox.register(&waker);
    outbox.push(&event(1));
    outbox.close(Code::SignedOut.into());
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "the task has to end it");
    outbox.push(&event(2));
    outbox.reply(reply(3));
    outbox.reply_send(4, Err(Reject::from(Code::Internal)));
    outbox.close(Code::Internal.into());
    assert_eq!(outbox.resume(), Drain::Farewell);
    assert_eq!(all(&pipe), [Got::Event(1), Got::Close(4001)]);
}

#[test]
fn a_broken_wire_is_noticed_and_takes_nothing_more() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    outbox.register(&waker);
    pipe.break_it();
    outbox.push(&event(1));
    outbox.flush();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    outbox.push(&event(2));
    assert_eq!(outbox.resume(), Drain::Broken);
    assert!(outbox.is_closing());
}

#[test]
fn reading_stops_while_sends_are_unanswered_and_goes_on_with_the_answers() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    let cx = Context::from_waker(&waker);
    let mut sent = 0;
    while outbox.poll_ready(&cx).is_ready() {
        sent += 1;
        outbox.expect(sent).unwrap();
        assert!(sent < 1_000, "never full");
    }
    assert!(outbox.expect(sent).is_err(), "an id in use");
    let woken = wakes.0.load(Ordering::Relaxed);
    outbox.reply_send(1, Err(Reject::from(Code::NotAMember)));
    outbox.flush();
    assert_eq!(wakes.0.load(Ordering::Relaxed), woken + 1);
    assert_eq!(outbox.poll_ready(&cx), Poll::Ready(()));
    assert!(!outbox.is_expected(1));
}

#[test]
fn reading_stops_while_too_many_replies_wait() {
    let pipe = Pipe::new(0);
    let outbox = outbox(&pipe);
    let (wakes, waker) = counting();
    let cx = Context::from_waker(&waker);
    let mut n = 0;
    while outbox.poll_ready(&cx).is_ready() {
        n += 1;
        outbox.reply(reply(n));
        outbox.flush();
        assert!(n < 1_000, "never full");
    }
    pipe.make_room(usize::MAX);
    assert_eq!(outbox.resume(), Drain::Empty);
    assert_eq!(outbox.poll_ready(&cx), Poll::Ready(()));
    assert_eq!(all(&pipe).len(), n as usize);
    assert!(wakes.0.load(Ordering::Relaxed) >= 1);
}

/// Whatever the wire does: replies arrive all and in order, events in order, and if one is
/// missing there is a check after the hole and before the next event.
#[test]
fn no_hole_goes_unsaid() {
    for_seeds(300, |seed| {
        let mut random = Random::new(seed);
        let pipe = Pipe::new(random.below(300));
        let outbox = outbox(&pipe);
        let (mut events, mut replies) = (0, 0);
        for _ in 0..random.below(400) {
            match random.below(8) {
                0..=3 => {
                    events += 1;
                    outbox.push(&event(events));
                }
                4 => {
                    replies += 1;
                    outbox.reply(reply(replies));
                }
                5 | 6 => outbox.flush(),
                _ => {
                    pipe.make_room(random.below(200));
                    outbox.resume();
                }
            }
        }
        pipe.make_room(usize::MAX);
        assert_eq!(outbox.resume(), Drain::Empty);
        let (mut seen, mut answered, mut told) = (0, 0, false);
        for got in all(&pipe) {
            match got {
                Got::Event(n) => {
                    assert!(
                        n == seen + 1 || (n > seen && told),
                        "{seen} then {n} unsaid"
                    );
                    (seen, told) = (n, false);
                }
                Got::Reply(n) => {
                    assert_eq!(n, answered + 1);
                    answered = n;
                }
                Got::Check => told = true,
                Got::Close(_) | Got::Room(_) => unreachable!(),
            }
        }
        assert_eq!(answered, replies);
        assert!(seen == events || told, "the last ones are missing unsaid");
    });
}

#[test]
fn what_is_delivered_past_an_empty_queue_is_one_write_and_leaves_nothing_behind() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    let events: Vec<_> = (1..=5).map(event).collect();
    outbox.deliver(&events);
    assert_eq!(pipe.writes(), 1);
    assert_eq!(all(&pipe), (1..=5).map(Got::Event).collect::<Vec<_>>());
    outbox.flush();
    assert_eq!(pipe.writes(), 1);
}

#[test]
fn however_much_the_wire_takes_deliveries_and_pushes_arrive_in_their_order() {
    for_seeds(300, |seed| {
        let random = &mut Random::new(seed);
        let pipe = Pipe::new(random.below(60));
        let outbox = outbox(&pipe);
        let (mut bytes, mut sent) = (BytesMut::new(), 0);
        for _ in 0..8 {
            let last = sent + random.below(4) as u64 + 1;
            let events: Vec<_> = (sent + 1..=last).map(event).collect();
            sent = last;
            if random.below(2) == 0 {
                outbox.deliver(&events);
            } else {
                events.iter().for_each(|event| outbox.push(event));
            }
            pipe.make_room(random.below(120));
            if random.below(2) == 0 {
                outbox.resume();
            }
        }
        pipe.make_room(usize::MAX);
        outbox.resume();
        bytes.extend_from_slice(&pipe.take());
        let expected: Vec<_> = (1..=sent).map(Got::Event).collect();
        assert_eq!(read(&mut bytes), expected);
    });
}

/// A message that nobody can pull, of some size.
fn transient(bytes: usize) -> Arc<Event> {
    let message = anser_engine::message::Message {
        conversation: "g/some-conversation".into(),
        seq: 0,
        id: anser_domain::MessageId([0; 16]),
        sender: "alice".into(),
        client_message_id: "".into(),
        time: anser_domain::Timestamp(0),
        ordinal: 0,
        counted: false,
        content_type: "text".into(),
        body: vec![b'x'; bytes].into(),
        mention: None,
        targets: Vec::new(),
        burn_after_seconds: 0,
        receipt_wanted: false,
        state: None,
    };
    Event::new(EventBody::Message {
        message: Arc::new(message),
        prev: 0,
    })
}

#[test]
fn transient_messages_go_first_and_nobody_is_told() {
    let pipe = Pipe::endless();
    let outbox = outbox(&pipe);
    outbox.hold();
    outbox.push(&event(1));
    outbox.push(&transient(1_800));
    // No room: the transient one that is queued makes way.
    (2..=9).for_each(|n| outbox.push(&event(n)));
    // No room for another transient one: it is dropped, and nothing else.
    outbox.push(&transient(1_800));
    outbox.release(None);
    outbox.flush();
    assert_eq!(all(&pipe), (1..=9).map(Got::Event).collect::<Vec<_>>());
}
