//! What is spoken on the WebSocket, in the ways in which SDKs differ.

use anser_compat::leancloud::wire::{
    AckCommand, BlacklistCommand, CommandType, ConvCommand, ConvMemberInfo, DirectCommand,
    GenericCommand, LogsCommand, OpType, PatchCommand, PatchItem, ReadCommand, ReadTuple,
    SessionCommand,
};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;

use crate::world::{APP_ID, Client, Server, command, json as field, text};

const EVERYTHING: &[&str] = &[
    "lc.protobuf2.3",
    "lc.protobuf2.1",
    "lc.proto2base64.3",
    "lc.proto2base64.1",
];

#[tokio::test]
async fn every_sub_protocol_is_spoken_and_an_echo_without_a_number_has_none() {
    let server = Server::relaxed().await;
    for protocol in EVERYTHING {
        let mut client = server.connect(protocol).await;
        let echo = client.ask(command(CommandType::Echo, None)).await;
        assert_eq!(echo.cmd(), CommandType::Echo);
        client.say(command(CommandType::Echo, None)).await;
        assert_eq!(client.next().await.i, None);
        client.open("alice", SessionCommand::default()).await;
    }
}

#[tokio::test]
async fn a_client_that_sets_no_header_names_the_sub_protocol_in_the_address() {
    let server = Server::relaxed().await;
    let address = format!("ws://{}/x?subprotocol=lc.protobuf2.3", server.address());
    let (stream, response) = connect_async(address).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-protocol"));
    let mut client = Client::new(stream, false);
    client.open("alice", SessionCommand::default()).await;
}

#[tokio::test]
async fn a_door_is_shut_until_it_is_opened_and_asks_for_signatures_until_it_is_relaxed() {
    let server = Server::shut().await;
    let mut client = server.connect("lc.protobuf2.3").await;
    let code = async |client: &mut Client| {
        let answer = client.try_open("alice", SessionCommand::default()).await;
        assert_eq!(answer.peer_id.as_deref(), Some("alice"));
        answer.error_message.map(|error| error.code)
    };
    assert_eq!(code(&mut client).await, Some(4100));
    server.set_up(r#""enabled":true"#).await;
    assert_eq!(code(&mut client).await, Some(4102));
    server.set_up(r#""enabled":true,"sign_login":false"#).await;
    assert_eq!(code(&mut client).await, None);
    let wrong = client
        .ask(command(CommandType::Conv, Some(OpType::Query)))
        .await;
    assert_eq!(wrong.op(), OpType::Results);
}

#[tokio::test]
async fn a_command_before_the_login_is_refused() {
    let server = Server::relaxed().await;
    let mut client = server.connect("lc.protobuf2.3").await;
    let refused = client
        .ask(command(CommandType::Conv, Some(OpType::Query)))
        .await;
    let error = refused.error_message.unwrap();
    assert_eq!((error.code, &*error.reason), (4105, "SESSION_REQUIRED"));
}

#[tokio::test]
async fn a_client_comes_back_with_its_token_with_or_without_a_number() {
    let server = Server::shut().await;
    server.set_up(r#""enabled":true,"sign_login":false"#).await;
    let mut client = server.connect("lc.protobuf2.3").await;
    let first = SessionCommand {
        tag: Some("Web".into()),
        device_id: Some("one".into()),
        ..SessionCommand::default()
    };
    let opened = client.open("alice", first).await;
    assert!(opened.server_ts.unwrap() > 0);
    let st = opened.session_message.unwrap().st;
    // Signatures are asked for now; the token is good without.
    server.set_up(r#""enabled":true"#).await;
    let again = SessionCommand {
        r: Some(true),
        st: st.clone(),
        ..SessionCommand::default()
    };
    let mut other = server.connect("lc.protobuf2.3").await;
    other.open("alice", again.clone()).await;
    let mut third = server.connect("lc.protobuf2.3").await;
    third
        .say(GenericCommand {
            app_id: Some(APP_ID.to_owned()),
            peer_id: Some("alice".into()),
            session_message: Some(again),
            ..command(CommandType::Session, Some(OpType::Open))
        })
        .await;
    let opened = third.next().await;
    assert_eq!((opened.op(), opened.i), (OpType::Opened, None));
    let fake = SessionCommand {
        r: Some(true),
        st: Some("fake".into()),
        ..SessionCommand::default()
    };
    let mut stranger = server.connect("lc.protobuf2.3").await;
    let refused = stranger.try_open("alice", fake).await;
    assert_eq!(refused.error_message.unwrap().code, 4112);
}

#[tokio::test]
async fn a_login_with_the_same_tag_puts_the_other_device_out_and_it_stays_out() {
    let server = Server::relaxed().await;
    let of = |device: &str| SessionCommand {
        tag: Some("Mobile".into()),
        device_id: Some(device.into()),
        ..SessionCommand::default()
    };
    let mut one = server.connect("lc.protobuf2.3").await;
    let st = one
        .open("alice", of("one"))
        .await
        .session_message
        .unwrap()
        .st;
    let mut two = server.connect("lc.protobuf2.3").await;
    two.open("alice", of("two")).await;
    let closed = one.push(CommandType::Session, Some(OpType::Closed)).await;
    assert_eq!(closed.peer_id.as_deref(), Some("alice"));
    assert_eq!(closed.session_message.unwrap().code, Some(4111));
    // The socket lives on.
    one.ask(command(CommandType::Echo, None)).await;
    let back = SessionCommand {
        r: Some(true),
        st,
        ..SessionCommand::default()
    };
    let refused = one.try_open("alice", back).await;
    assert_eq!(refused.op(), OpType::Closed);
    assert_eq!(refused.session_message.unwrap().code, Some(4111));
}

#[tokio::test]
async fn several_clients_share_a_connection_and_each_push_names_its_own() {
    let server = Server::relaxed().await;
    let mut both = server.log_in("alice").await;
    both.open("bob", SessionCommand::default()).await;
    let cid = both.start(&["alice", "bob"]).await;
    let mut joined = Vec::new();
    for _ in 0..2 {
        let push = both.push(CommandType::Conv, Some(OpType::Joined)).await;
        assert_eq!(push.service, Some(2));
        joined.push(push.peer_id.unwrap());
    }
    joined.sort();
    assert_eq!(joined, ["alice", "bob"]);
    // Without a name it is the first.
    let ack = both.send(text(&cid, "hi")).await;
    assert_eq!(ack.peer_id.as_deref(), Some("alice"));
    assert_eq!(ack.ack_message.as_ref().unwrap().code, None, "{ack:?}");
    let push = both.push(CommandType::Direct, None).await;
    assert_eq!(push.peer_id.as_deref(), Some("bob"));
    assert_eq!(push.service, Some(2));
    let direct = push.direct_message.unwrap();
    assert_eq!(direct.from_peer_id.as_deref(), Some("alice"));
    assert_eq!(direct.id, ack.ack_message.unwrap().uid);
    let words: Value = serde_json::from_str(&direct.msg.unwrap()).unwrap();
    assert_eq!(words, json!({"_lctype": -1, "_lctext": "hi"}));
}

#[tokio::test]
async fn the_online_are_told_from_others() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let _bob = server.log_in("bob").await;
    let asked = SessionCommand {
        session_peer_ids: vec!["bob".into(), "carol".into()],
        ..SessionCommand::default()
    };
    let answer = alice
        .ask(GenericCommand {
            session_message: Some(asked),
            ..command(CommandType::Session, Some(OpType::Query))
        })
        .await;
    let online = answer.session_message.unwrap().online_session_peer_ids;
    assert_eq!(online, ["bob"]);
}

#[tokio::test]
async fn receipts_come_for_acks_of_a_message_and_of_a_range() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let cid = alice.start(&["alice", "bob"]).await;
    for by_id in [true, false] {
        let wanted = DirectCommand {
            r: Some(true),
            ..text(&cid, "did you get it?")
        };
        let sent = alice.send(wanted).await.ack_message.unwrap();
        let got = bob.push(CommandType::Direct, None).await;
        let got = got.direct_message.unwrap();
        let ack = match by_id {
            true => AckCommand {
                cid: Some(cid.clone()),
                mid: got.id,
                ..AckCommand::default()
            },
            false => AckCommand {
                cid: Some(cid.clone()),
                fromts: got.timestamp,
                tots: got.timestamp,
                ..AckCommand::default()
            },
        };
        bob.say(GenericCommand {
            ack_message: Some(ack),
            ..command(CommandType::Ack, None)
        })
        .await;
        let told = alice.push(CommandType::Rcp, None).await;
        let told = told.rcp_message.unwrap();
        assert_eq!((told.id, told.read), (sent.uid.clone(), None));
        assert_eq!(told.from.as_deref(), Some("bob"));
        let read = ReadTuple {
            cid: cid.clone(),
            timestamp: got.timestamp,
            mid: None,
        };
        bob.say(GenericCommand {
            read_message: Some(ReadCommand {
                convs: vec![read],
                ..ReadCommand::default()
            }),
            ..command(CommandType::Read, None)
        })
        .await;
        let told = alice
            .push(CommandType::Rcp, None)
            .await
            .rcp_message
            .unwrap();
        assert_eq!((told.id, told.read), (sent.uid, Some(true)));
    }
}

#[tokio::test]
async fn history_is_limited_by_either_field_and_goes_both_ways() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let cid = alice.start(&["alice", "bob"]).await;
    let mut sent = Vec::new();
    for n in 0..5 {
        let ack = alice.send(text(&cid, &format!("m{n}"))).await;
        sent.push(ack.ack_message.unwrap());
    }
    let logs = async |alice: &mut Client, logs: LogsCommand| {
        let answer = alice
            .ask(GenericCommand {
                logs_message: Some(LogsCommand {
                    cid: Some(cid.clone()),
                    ..logs
                }),
                ..command(CommandType::Logs, None)
            })
            .await;
        let logs = answer.logs_message.unwrap().logs;
        let ids: Vec<_> = logs.into_iter().map(|item| item.msg_id).collect();
        let at = |id: &Option<String>| sent.iter().position(|it| it.uid == *id).unwrap();
        ids.iter().map(at).collect::<Vec<usize>>()
    };
    let none = LogsCommand::default();
    assert_eq!(logs(&mut alice, none.clone()).await, [0, 1, 2, 3, 4]);
    let l = LogsCommand {
        l: Some(2),
        ..none.clone()
    };
    assert_eq!(logs(&mut alice, l).await, [3, 4]);
    let limit = LogsCommand {
        limit: Some(2),
        ..none.clone()
    };
    assert_eq!(logs(&mut alice, limit).await, [3, 4]);
    let nothing = LogsCommand {
        l: Some(0),
        ..none.clone()
    };
    assert!(logs(&mut alice, nothing).await.is_empty());
    let before = LogsCommand {
        t: sent[3].t,
        mid: sent[3].uid.clone(),
        ..none.clone()
    };
    assert_eq!(logs(&mut alice, before.clone()).await, [0, 1, 2]);
    let included = LogsCommand {
        t_included: Some(true),
        l: Some(2),
        ..before.clone()
    };
    assert_eq!(logs(&mut alice, included).await, [2, 3]);
    let between = LogsCommand {
        tt: sent[0].t,
        tmid: sent[0].uid.clone(),
        ..before.clone()
    };
    assert_eq!(logs(&mut alice, between).await, [1, 2]);
    let newer = LogsCommand {
        direction: Some(2),
        t: sent[1].t,
        mid: sent[1].uid.clone(),
        l: Some(2),
        ..none.clone()
    };
    assert_eq!(logs(&mut alice, newer).await, [2, 3]);
    let images = LogsCommand {
        lctype: Some(-2),
        ..none
    };
    assert!(logs(&mut alice, images).await.is_empty());
}

#[tokio::test]
async fn an_edit_and_a_recall_reach_the_others_and_whoever_was_away() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let cid = alice.start(&["alice", "bob"]).await;
    let sent = alice.send(text(&cid, "helo")).await.ack_message.unwrap();
    bob.push(CommandType::Direct, None).await;
    let patch = |recall: bool| GenericCommand {
        patch_message: Some(PatchCommand {
            patches: vec![PatchItem {
                cid: Some(cid.clone()),
                mid: sent.uid.clone(),
                timestamp: sent.t,
                recall: Some(recall),
                data: (!recall).then(|| r#"{"_lctype":-1,"_lctext":"hello"}"#.to_owned()),
                ..PatchItem::default()
            }],
            last_patch_time: None,
        }),
        ..command(CommandType::Patch, Some(OpType::Modify))
    };
    let edited = alice.ask(patch(false)).await;
    assert_eq!(edited.op(), OpType::Modified, "{edited:?}");
    let told = bob.push(CommandType::Patch, Some(OpType::Modify)).await;
    let told = told.patch_message.unwrap().patches.remove(0);
    assert_eq!(told.recall, Some(false));
    assert!(told.data.unwrap().contains("hello"));
    // Only its sender may.
    let refused = bob.ask(patch(true)).await;
    assert_eq!(refused.error_message.unwrap().code, 4403);
    let recalled = alice.ask(patch(true)).await;
    assert_eq!(recalled.op(), OpType::Modified);
    let told = bob.push(CommandType::Patch, Some(OpType::Modify)).await;
    let told = told.patch_message.unwrap().patches.remove(0);
    assert_eq!(told.recall, Some(true));
    assert_eq!(told.data.as_deref(), Some(r#"{"_lctype":-127}"#));
    let mut late = server.connect("lc.protobuf2.3").await;
    let since = SessionCommand {
        r: Some(true),
        last_patch_time: Some(1),
        ..SessionCommand::default()
    };
    late.open("bob", since).await;
    let told = late.push(CommandType::Patch, Some(OpType::Modify)).await;
    assert_eq!(told.patch_message.unwrap().patches.len(), 1);
}

#[tokio::test]
async fn what_is_unread_is_told_at_the_login_as_a_number_or_as_messages() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let cid = alice.start(&["alice", "bob"]).await;
    for n in 0..3 {
        let mention = DirectCommand {
            mention_pids: vec!["bob".into()],
            ..text(&cid, &format!("m{n}"))
        };
        alice.send(mention).await;
    }
    let mut counts = server.log_in("bob").await;
    let unread = counts.push(CommandType::Unread, None).await;
    let unread = unread.unread_message.unwrap();
    assert!(unread.notif_time.unwrap() > 0);
    let tuple = &unread.convs[0];
    assert_eq!((&*tuple.cid, tuple.unread), (&*cid, 3));
    assert_eq!(tuple.mentioned, Some(true));
    assert!(tuple.data.as_ref().unwrap().contains("m2"));
    let mut old = server.connect("lc.protobuf2.1").await;
    old.open("bob", SessionCommand::default()).await;
    for n in 0..3 {
        let direct = old.push(CommandType::Direct, None).await;
        let direct = direct.direct_message.unwrap();
        assert_eq!(direct.offline, Some(true));
        assert!(direct.msg.unwrap().contains(&format!("m{n}")));
    }
    // Reading on one device is told to the other.
    let read = ReadCommand {
        convs: vec![ReadTuple {
            cid: cid.clone(),
            ..ReadTuple::default()
        }],
        ..ReadCommand::default()
    };
    counts
        .say(GenericCommand {
            read_message: Some(read),
            ..command(CommandType::Read, None)
        })
        .await;
    let told = old.push(CommandType::Unread, None).await;
    assert_eq!(told.unread_message.unwrap().convs[0].unread, 0);
}

#[tokio::test]
async fn members_come_and_go_and_everybody_hears_their_part_of_it() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let mut carol = server.log_in("carol").await;
    let cid = alice.start(&["alice", "bob"]).await;
    alice
        .push(CommandType::Conv, Some(OpType::MembersJoined))
        .await;
    bob.push(CommandType::Conv, Some(OpType::MembersJoined))
        .await;
    let with = |who: &str| ConvCommand {
        cid: Some(cid.clone()),
        m: vec![who.to_owned()],
        ..ConvCommand::default()
    };
    let added = alice.conv(OpType::Add, with("carol")).await;
    assert_eq!(added.op(), OpType::Added, "{added:?}");
    assert_eq!(added.conv_message.unwrap().allowed_pids, ["carol"]);
    let joined = carol.push(CommandType::Conv, Some(OpType::Joined)).await;
    assert_eq!(joined.notification_type, Some(1));
    assert_eq!(
        joined.conv_message.unwrap().init_by.as_deref(),
        Some("alice")
    );
    let told = bob
        .push(CommandType::Conv, Some(OpType::MembersJoined))
        .await;
    let told = told.conv_message.unwrap();
    assert_eq!(told.m, ["carol"]);
    assert!(told.udate.is_some());
    let removed = alice.conv(OpType::Remove, with("carol")).await;
    assert_eq!(removed.op(), OpType::Removed);
    let left = carol.push(CommandType::Conv, Some(OpType::Left)).await;
    assert_eq!(left.conv_message.unwrap().init_by.as_deref(), Some("alice"));
    bob.push(CommandType::Conv, Some(OpType::MembersLeft)).await;
    // Whoever is out can't speak.
    let refused = carol.send(text(&cid, "hello?")).await;
    assert_eq!(refused.ack_message.unwrap().code, Some(4401));
    // And comes back by themself.
    let joined = carol.conv(OpType::Add, with("carol")).await;
    assert_eq!(joined.op(), OpType::Added, "{joined:?}");
}

#[tokio::test]
async fn an_update_answers_with_whole_columns_and_tells_the_others() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let conv = ConvCommand {
        m: vec!["alice".into(), "bob".into()],
        attr: field(r#"{"name":"Geese","attr":{"a":1},"tag":"x"}"#),
        ..ConvCommand::default()
    };
    let started = alice.conv(OpType::Start, conv).await.conv_message.unwrap();
    let change = ConvCommand {
        cid: started.cid.clone(),
        attr: field(r#"{"name":"Swans","attr.b":2,"tag":{"__op":"Delete"}}"#),
        ..ConvCommand::default()
    };
    let updated = alice.conv(OpType::Update, change).await;
    assert_eq!(updated.op(), OpType::Updated, "{updated:?}");
    let updated = updated.conv_message.unwrap();
    let modified: Value = serde_json::from_str(&updated.attr_modified.unwrap().data).unwrap();
    assert_eq!(modified, json!({"name": "Swans", "attr": {"a": 1, "b": 2}}));
    let told = bob.push(CommandType::Conv, Some(OpType::Updated)).await;
    let told = told.conv_message.unwrap();
    assert!(told.attr.is_some() && told.attr_modified.is_some());
    let by_id = format!(r#"{{"objectId":"{}"}}"#, started.cid.unwrap());
    let query = ConvCommand {
        r#where: field(&by_id),
        ..ConvCommand::default()
    };
    let found = bob.conv(OpType::Query, query).await.conv_message.unwrap();
    let rows: Value = serde_json::from_str(&found.results.unwrap().data).unwrap();
    assert_eq!(rows[0]["name"], "Swans");
    assert_eq!(rows[0]["m"].as_array().unwrap().len(), 2);
    alice.has_no(CommandType::Conv, Some(OpType::Updated)).await;
}

#[tokio::test]
async fn unique_and_temporary_conversations_are_found_again() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let unique = ConvCommand {
        m: vec!["bob".into(), "alice".into()],
        unique: Some(true),
        ..ConvCommand::default()
    };
    let first = alice
        .conv(OpType::Start, unique.clone())
        .await
        .conv_message
        .unwrap();
    assert_eq!(first.cid.as_ref().unwrap().len(), 24);
    // md5("alicebob")
    assert_eq!(first.unique_id.as_ref().unwrap().len(), 32);
    let second = alice
        .conv(OpType::Start, unique.clone())
        .await
        .conv_message
        .unwrap();
    assert_eq!((second.cid, second.unique_id), (first.cid, first.unique_id));
    let temporary = ConvCommand {
        temp_conv: Some(true),
        temp_conv_ttl: Some(60),
        ..unique
    };
    let first = alice
        .conv(OpType::Start, temporary.clone())
        .await
        .conv_message
        .unwrap();
    let cid = first.cid.unwrap();
    assert!(cid.starts_with("_tmp:"), "{cid}");
    assert!((1..=60).contains(&first.temp_conv_ttl.unwrap()));
    let second = alice
        .conv(OpType::Start, temporary)
        .await
        .conv_message
        .unwrap();
    assert_eq!(second.cid.as_deref(), Some(&*cid));
    let query = ConvCommand {
        temp_conv_ids: vec![cid.clone()],
        ..ConvCommand::default()
    };
    let found = alice.conv(OpType::Query, query).await.conv_message.unwrap();
    let rows: Value = serde_json::from_str(&found.results.unwrap().data).unwrap();
    assert_eq!(
        (&rows[0]["objectId"], &rows[0]["temp"]),
        (&json!(cid), &json!(true))
    );
    assert!(
        alice
            .send(text(&cid, "hi"))
            .await
            .ack_message
            .unwrap()
            .code
            .is_none()
    );
}

#[tokio::test]
async fn in_a_chat_room_everybody_hears_everybody_and_nothing_is_said_of_who_comes() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let room = ConvCommand {
        transient: Some(true),
        attr: field(r#"{"name":"Hall"}"#),
        ..ConvCommand::default()
    };
    let room = alice.conv(OpType::Start, room).await.conv_message.unwrap();
    let named = ConvCommand {
        cid: room.cid.clone(),
        ..ConvCommand::default()
    };
    let count = alice.conv(OpType::Count, named.clone()).await;
    assert_eq!(count.conv_message.unwrap().count, Some(1));
    let join = ConvCommand {
        m: vec!["bob".into()],
        ..named.clone()
    };
    let joined = bob.conv(OpType::Add, join).await;
    assert_eq!(joined.op(), OpType::Added, "{joined:?}");
    let count = alice.conv(OpType::Count, named).await;
    assert_eq!(count.conv_message.unwrap().count, Some(2));
    let ack = alice.send(text(&room.cid.unwrap(), "hi all")).await;
    assert_eq!(ack.ack_message.as_ref().unwrap().code, None, "{ack:?}");
    let heard = bob
        .push(CommandType::Direct, None)
        .await
        .direct_message
        .unwrap();
    assert_eq!(heard.conv_type, Some(2));
    alice
        .has_no(CommandType::Conv, Some(OpType::MembersJoined))
        .await;
    // Whoever goes is out at once.
    bob.ask(command(CommandType::Session, Some(OpType::Close)))
        .await;
    let again = ConvCommand {
        cid: heard.cid,
        ..ConvCommand::default()
    };
    loop {
        let count = alice.conv(OpType::Count, again.clone()).await;
        if count.conv_message.unwrap().count == Some(1) {
            break;
        }
    }
}

#[tokio::test]
async fn managers_silence_and_block_those_below_them() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let mut carol = server.log_in("carol").await;
    let cid = alice.start(&["alice", "bob", "carol"]).await;
    let about = |who: &str| ConvCommand {
        cid: Some(cid.clone()),
        m: vec![who.to_owned()],
        ..ConvCommand::default()
    };
    let promote = ConvCommand {
        target_client_id: Some("bob".into()),
        info: Some(ConvMemberInfo {
            pid: Some("bob".into()),
            role: Some("Manager".into()),
            info_id: None,
        }),
        ..about("bob")
    };
    let promoted = alice.conv(OpType::MemberInfoUpdate, promote).await;
    assert_eq!(promoted.op(), OpType::MemberInfoUpdated, "{promoted:?}");
    let told = carol
        .push(CommandType::Conv, Some(OpType::MemberInfoChanged))
        .await;
    let info = told.conv_message.unwrap().info.unwrap();
    assert_eq!(info.role.as_deref(), Some("Manager"));
    let muted = bob.conv(OpType::AddShutup, about("carol")).await;
    assert_eq!(muted.op(), OpType::ShutupAdded, "{muted:?}");
    carol.push(CommandType::Conv, Some(OpType::Shutuped)).await;
    let refused = carol.send(text(&cid, "but")).await.ack_message.unwrap();
    assert_eq!(refused.reason.as_deref(), Some("SILIENCED"));
    let silent = bob.conv(OpType::QueryShutup, about("")).await;
    assert_eq!(silent.conv_message.unwrap().m, ["carol"]);
    // A member may not.
    let refused = carol.conv(OpType::AddShutup, about("bob")).await;
    assert_eq!(refused.error_message.unwrap().code, 4320);
    let block = |op| GenericCommand {
        blacklist_message: Some(BlacklistCommand {
            src_cid: Some(cid.clone()),
            to_pids: vec!["carol".into()],
            ..BlacklistCommand::default()
        }),
        ..command(CommandType::Blacklist, Some(op))
    };
    let blocked = bob.ask(block(OpType::Block)).await;
    assert_eq!(blocked.op(), OpType::Blocked, "{blocked:?}");
    carol.push(CommandType::Conv, Some(OpType::Blocked)).await;
    carol.push(CommandType::Conv, Some(OpType::Left)).await;
    let added = bob
        .conv(OpType::Add, about("carol"))
        .await
        .conv_message
        .unwrap();
    assert_eq!(added.failed_pids[0].code, 4548);
    // Where roles were given, the owner can't go.
    let stays = alice.conv(OpType::Remove, about("alice")).await;
    assert_eq!(stays.conv_message.unwrap().failed_pids[0].code, 4324);
}

#[tokio::test]
async fn a_will_is_done_when_the_connection_is_lost() {
    let server = Server::relaxed().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let cid = alice.start(&["alice", "bob"]).await;
    let will = DirectCommand {
        will: Some(true),
        ..text(&cid, "I am gone")
    };
    let kept = alice.send(will).await.ack_message.unwrap();
    assert!(kept.uid.is_some() && kept.code.is_none());
    bob.has_no(CommandType::Direct, None).await;
    drop(alice);
    let told = bob
        .push(CommandType::Direct, None)
        .await
        .direct_message
        .unwrap();
    assert!(told.msg.unwrap().contains("I am gone"));
    assert_eq!(told.transient, None);
}
