//! Whatever bytes arrive, the core does not panic, does not spin, and stays within its bounds.

use anser_proto::client as wire;
use anser_sdk::core::{Input, Output};
use anser_sdk::limits::FOLLOWED_MAX;
use proptest::prelude::*;
use prost::Message as _;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{Script, error, message, page, response, row, sent};

/// Items that are well-formed and mean anything at all, to requests that exist as often as not.
fn item() -> impl Strategy<Value = Item> {
    let seq = prop_oneof![0u64..8, Just(u64::MAX), Just(u64::MAX - 1)];
    let name = prop_oneof![Just("g/a"), Just("g/b"), Just("nonsense"), Just("")];
    (
        name,
        seq.clone(),
        seq.clone(),
        seq,
        0u32..40,
        any::<bool>(),
        0..13,
    )
        .prop_map(|(name, a, b, c, id, flag, kind)| match kind {
            0 => crate::script::push(name, a, b),
            1 => Item::Message(wire::MessagePush {
                message: flag.then(|| message(name, a)),
                prev: b,
            }),
            2 => Item::Read(wire::ReadPush {
                conversation: name.to_owned(),
                read_seq: a,
                unread: b,
                ..Default::default()
            }),
            3 => Item::Conversation(wire::ConversationPush {
                conversation: Some(wire::Conversation {
                    member: flag,
                    ..row(name, c)
                }),
                feed_version: a,
                feed_previous: b,
            }),
            4 => Item::Check(wire::CheckPush {}),
            5 => Item::Close(wire::ClosePush {
                error: flag.then(|| error(1_000)),
            }),
            6 => response(id, sent(name, a, b)),
            7 => response(
                id,
                Answer::Pong(wire::Pong {
                    server_time: a,
                    feed_version: b,
                }),
            ),
            8 => response(id, Answer::Error(error(1_000 + 1_000 * u32::from(flag)))),
            9 => response(
                id,
                Answer::Messages(wire::MessagePage {
                    first_seq: c,
                    ..page(name, [a, b], flag, c)
                }),
            ),
            10 => response(
                id,
                Answer::Sync(wire::SyncResult {
                    epoch: a % 3,
                    reset: flag,
                    conversations: vec![row(name, c)],
                    pages: vec![page(name, [a], !flag, b)],
                    feed_version: b,
                    synced_time: c,
                    cursor: if flag { "c" } else { "" }.to_owned(),
                }),
            ),
            11 => response(
                id,
                Answer::Welcome(wire::Welcome {
                    epoch: a,
                    server_time: b,
                    heartbeat_seconds: id,
                    ..crate::script::welcome()
                }),
            ),
            _ => Item::Response(wire::Response { id, result: None }),
        })
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let encode = |items: Vec<Item>| {
        let items = items
            .into_iter()
            .map(|item| wire::ServerItem { item: Some(item) });
        wire::ServerFrame {
            items: items.collect(),
        }
        .encode_to_vec()
    };
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..200),
        4 => prop::collection::vec(item(), 0..6).prop_map(encode),
        1 => (prop::collection::vec(item(), 1..4), any::<prop::sample::Index>(), any::<u8>())
            .prop_map(move |(items, at, byte)| {
                let mut bytes = encode(items);
                if !bytes.is_empty() {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                bytes
            }),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Frame(Vec<u8>),
    Pass(u64),
    Send,
    Open,
    Hold,
    Release,
    Reconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => frame().prop_map(Step::Frame),
        2 => prop_oneof![0u64..50, 0u64..40_000].prop_map(Step::Pass),
        2 => Just(Step::Send),
        1 => Just(Step::Open),
        1 => Just(Step::Hold),
        1 => Just(Step::Release),
        2 => Just(Step::Reconnect),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_frames_never_panic_the_core(steps in prop::collection::vec(step(), 1..60)) {
        let mut script = Script::online();
        for step in steps {
            match step {
                Step::Frame(bytes) => script.frame(bytes.into()),
                Step::Pass(ms) => script.pass(ms),
                Step::Send => {
                    script.send("g/a", "x");
                }
                Step::Open => script.input(Input::OpenConversation {
                    conversation: "g/b".to_owned(),
                    have: None,
                }),
                Step::Hold => script.input(Input::Hold),
                Step::Release => script.input(Input::Release),
                Step::Reconnect => {
                    script.input(Input::Connect);
                    if std::mem::take(&mut script.tokens_wanted) > 0 {
                        script.input(Input::Token("t".to_owned()));
                    }
                    let connection = script.connection();
                    script.input(Input::Connected(connection));
                }
            }
            script.frames.clear();
            prop_assert!(script.core.saved().followed.len() <= FOLLOWED_MAX);
            let now = anser_domain::Timestamp(script.now);
            prop_assert!(script.core.deadline().is_none_or(|at| at > now));
        }
        script.input(Input::Disconnect);
        let mut tickets: Vec<u64> = script.done.iter().map(|(ticket, _)| *ticket).collect();
        tickets.sort_unstable();
        let count = tickets.len() as u64;
        prop_assert_eq!(tickets, (1..=count).collect::<Vec<_>>(), "each is answered once");
        prop_assert!(!matches!(script.core.poll_output(), Some(Output::Done(..))));
    }
}
