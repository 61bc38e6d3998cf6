//! Every decoder that faces the network, fed with damaged and random input.
//!
//! A few hundred seeds each by default. `ANSER_FUZZ_SECONDS=600 cargo test -p anser-gateway fuzz`
//! goes on for so long in each target; a failure prints the seed that repeats it.

use std::sync::Arc;
use std::task::{Context, Waker};

use anser_domain::control::AppSettingsChange;
use anser_gateway::connection::{Decoder, Item};
use anser_gateway::limits::SessionSettings;
use anser_gateway::native::Framing;
use anser_gateway::session::{Frame, Handler as _, Outbox, Session};
use anser_gateway::websocket::handshake::{self, Decision};
use anser_proto::client as wire;
use prost::Message as _;
use wire::moderate_room::Action;
use wire::request::Command;

use crate::pipe::Pipe;
use crate::random::{Random, for_seeds, pieces};
use crate::server::{context, hello, requests, text, token};
use crate::wire::{close, decode, frame, masked};

/// Damages bytes a little: flips, cuts, doubles, inserts.
fn damage(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.byte(),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.byte()),
            4 => {
                let copy = bytes[at..].to_vec();
                bytes.extend(copy.iter().take(200));
            }
            _ => {
                let end = (at + random.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

#[test]
fn fuzz_handshake_heads() {
    let good = "GET /v1/connect?x=1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: \
        Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: a, anser.v1\r\n\r\n";
    for_seeds(3_000, |seed| {
        let mut random = Random::new(seed);
        let mut head = good.as_bytes().to_vec();
        damage(&mut random, &mut head);
        let decide = |bytes: &[u8]| handshake::decide(bytes, "/v1/connect", "anser.v1");
        match decide(&head) {
            Decision::Upgrade { response, head_len } => {
                assert!(head_len <= head.len());
                assert!(response.starts_with(b"HTTP/1.1 101 "));
                // The same with less is not decided otherwise: either incomplete or this.
                assert_eq!(decide(&head[..head_len - 1]), Decision::Incomplete);
            }
            Decision::Refuse(response) => {
                assert!(response.starts_with(b"HTTP/1.1 4"), "{response:?}");
                assert!(!response.windows(2).any(|two| two == b"\0\0"));
            }
            Decision::Incomplete => assert!(!head.ends_with(good.as_bytes())),
            Decision::Other => {}
        }
    });
}

#[test]
fn fuzz_websocket_frames() {
    const MAX: usize = 3_000;
    for_seeds(3_000, |seed| {
        let mut random = Random::new(seed);
        let mut stream = Vec::new();
        for _ in 0..random.below(6) {
            let len = random.below(400);
            let payload = random.bytes(len);
            stream.extend(match random.below(5) {
                0 => close(1000, "x"),
                1 => frame(0x01, &payload),
                2 => frame(0x80, &payload),
                _ => masked(random.byte(), &payload, [9, 8, 7, 6]),
            });
        }
        damage(&mut random, &mut stream);
        // However it is cut, the same comes out.
        let whole = decode(&[stream.clone()], MAX);
        let cut = decode(&pieces(&mut random, &stream), MAX);
        assert_eq!(whole, cut);
    });
}

#[test]
fn fuzz_tcp_frames() {
    const MAX: usize = 500;
    let run = |pieces: &[Vec<u8>]| {
        let mut decoder = Decoder::length();
        let mut frames = Vec::new();
        for piece in pieces {
            let mut piece = piece.clone();
            let mut at = 0;
            loop {
                match decoder.next(&mut piece[at..], MAX) {
                    Err(refusal) => return (frames, Some(refusal.reject)),
                    Ok((taken, item)) => {
                        at += taken;
                        match item {
                            None => break,
                            Some(Item::Frame(Frame::Binary(bytes))) => {
                                assert!(bytes.len() <= MAX);
                                frames.push(bytes.to_vec());
                            }
                            Some(other) => panic!("{other:?}"),
                        }
                    }
                }
            }
        }
        (frames, None)
    };
    for_seeds(3_000, |seed| {
        let mut random = Random::new(seed);
        let mut stream = Vec::new();
        for _ in 0..random.below(6) {
            let len = random.below(MAX + 2);
            stream.extend(anser_proto::frame::header(len));
            stream.extend(random.bytes(len));
        }
        damage(&mut random, &mut stream);
        assert_eq!(run(&[stream.clone()]), run(&pieces(&mut random, &stream)));
    });
}

/// Frames of requests, good ones and damaged ones, to a session that is signed in or not.
#[test]
fn fuzz_client_frames_and_the_session() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let settings = SessionSettings {
        send_rate: None,
        ..SessionSettings::default()
    };
    let (context, token) = runtime.block_on(async {
        let (context, app) = context(settings).await;
        let token = token(&context, app, "fuzz").await;
        let rooms = AppSettingsChange {
            room_created_by_joining: Some(Some(true)),
            ..AppSettingsChange::default()
        };
        let set = context.engine.change_app_settings(app, &rooms).await;
        set.unwrap();
        (Arc::new(context), token)
    });
    // A session that is dropped leaves its rooms, which is a task.
    let _guard = runtime.enter();
    for_seeds(300, |seed| {
        let mut random = Random::new(seed);
        let pipe = Pipe::endless();
        let (dialect, metrics) = (Framing::WebSocket.dialect(), context.metrics.clone());
        let outbox = Outbox::new(pipe.clone(), dialect, 10_000, metrics);
        let framing = Framing::WebSocket;
        let mut session = Session::new(context.clone(), outbox.clone(), framing, 0);
        runtime.block_on(async {
            if !random.one_in(4) {
                let hello = requests(vec![(1, hello(token.clone()))]);
                session.on_frame(&hello, 0).await;
            }
            for _ in 0..random.below(8) {
                let mut frame = any_frame(&mut random);
                if random.one_in(2) {
                    damage(&mut random, &mut frame);
                }
                session.on_frame(&frame, random.next() % 100_000).await;
                session.on_deadline(random.next() % 100_000);
            }
            let mut cx = Context::from_waker(Waker::noop());
            let _ = session.poll_idle(&mut cx, 0);
        });
        check_server_frames(&pipe, &outbox);
    });
    let _ = runtime.block_on(async { context.engine.ready().await });
}

fn any_frame(random: &mut Random) -> Vec<u8> {
    let commands = (0..random.below(5)).map(|_| {
        let name = random.pick(&["p/fuzz/x", "p/fuzz/fuzz", "g/g1", "g/", "p/b/a", "", "%"]);
        let member = random.pick(&["a", "fuzz", "", "\u{1}", "鸿雁"]).to_owned();
        let number = random.pick(&[0, 1, 50, 101, u64::MAX]);
        let command = match random.below(14) {
            0 => Command::Ping(wire::Ping {}),
            1 => text(name, &member, "x"),
            2 => Command::PullMessages(wire::PullMessages {
                conversation: name.into(),
                from_seq: number,
                descending: random.one_in(2),
                limit: u32::try_from(number).unwrap_or(u32::MAX),
            }),
            3 => Command::MarkRead(wire::MarkRead {
                conversation: name.into(),
                seq: number,
            }),
            4 => Command::ListConversations(wire::ListConversations {
                cursor: member,
                limit: 3,
            }),
            5 => Command::CreateGroup(wire::CreateGroup {
                group_id: name.into(),
                name: member.clone(),
                members: vec![member],
            }),
            6 => Command::AddGroupMembers(wire::AddGroupMembers {
                group_id: "g1".into(),
                members: vec![member],
            }),
            7 => Command::Sync(wire::Sync {
                epoch: number,
                feed_version: number,
                synced_time: number,
                open: vec![wire::OpenConversation {
                    conversation: name.into(),
                    seq: number,
                    rev: number,
                }],
                cursor: member,
            }),
            8 => Command::ListGroupMembers(wire::ListGroupMembers {
                group_id: "g1".into(),
                cursor: member,
                limit: u32::try_from(number).unwrap_or(9),
            }),
            9 => Command::Hello(wire::Hello::default()),
            10 => Command::QuitGroup(wire::QuitGroup { group_id: member }),
            _ => any_room_command(random, member, number),
        };
        (u32::try_from(random.below(9)).unwrap(), command)
    });
    requests(commands.collect())
}

fn any_room_command(random: &mut Random, text: String, number: u64) -> Command {
    let room = random.pick(&["hall", "stage", ""]).to_owned();
    let small = u32::try_from(number).unwrap_or(u32::MAX);
    let users = vec![text.clone(), "fuzz".into()];
    match random.below(10) {
        0 | 1 => Command::JoinRoom(wire::JoinRoom {
            room,
            newest: small,
            known_epoch: number,
            known_seq: number,
        }),
        2 => Command::LeaveRoom(wire::LeaveRoom { room }),
        3 => Command::SendRoomMessage(wire::SendRoomMessage {
            room,
            client_message_id: text.clone(),
            content: random.one_in(2).then(|| wire::Content {
                r#type: "x".into(),
                body: text.into(),
            }),
            priority: i32::try_from(random.below(4)).unwrap(),
            tell_dropped: true,
        }),
        4 => Command::RecallRoomMessage(wire::RecallRoomMessage {
            room,
            message_id: text,
        }),
        5 => Command::ListRoomMembers(wire::ListRoomMembers {
            room,
            newest_first: random.one_in(2),
            cursor: format!("{number}/{text}"),
            limit: small,
        }),
        6 => Command::SetRoomAttributes(wire::SetRoomAttributes {
            room,
            changes: vec![wire::RoomAttributeChange {
                key: text,
                value: random.one_in(2).then(|| "1".into()),
                leaves: true,
            }],
            force: random.one_in(2),
        }),
        7 => Command::GetRoomAttributes(wire::GetRoomAttributes {
            room,
            keys: users,
            after: text,
        }),
        8 => Command::ModerateRoom(wire::ModerateRoom {
            room,
            action: Some(match number {
                0 => Action::MuteAll(true),
                1 => Action::Unmute(wire::RoomUsers { users }),
                seconds => Action::Mute(wire::RoomSentence { users, seconds }),
            }),
            notify: true,
            extra: text,
        }),
        _ => Command::PullRoomMessages(wire::PullRoomMessages {
            room,
            from_message_id: text,
            forward: random.one_in(2),
            limit: small,
        }),
    }
}

/// Whatever went in, what comes out are whole frames of the protocol.
fn check_server_frames(pipe: &Pipe, outbox: &Outbox<Pipe>) {
    outbox.resume();
    let bytes = pipe.take();
    let mut rest = &bytes[..];
    while let [first, second, tail @ ..] = rest {
        let (len, tail) = match second {
            126 => (
                usize::from(u16::from_be_bytes([tail[0], tail[1]])),
                &tail[2..],
            ),
            127 => {
                let len = u64::from_be_bytes(*tail.first_chunk().unwrap());
                (usize::try_from(len).unwrap(), &tail[8..])
            }
            len => (usize::from(*len), tail),
        };
        match first {
            0x82 => drop(wire::ServerFrame::decode(&tail[..len]).unwrap()),
            0x88 => assert!(tail.len() == len, "nothing follows a close"),
            other => panic!("{other:#x}"),
        }
        rest = &tail[len..];
    }
    assert!(rest.is_empty());
}
