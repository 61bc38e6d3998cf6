//! Groups as clients manage them, over real sockets.

use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::server::{Client, Server, text};

fn id() -> String {
    "geese".into()
}

fn group(answer: Answer) -> wire::Group {
    match answer {
        Answer::Group(it) => *it,
        other => panic!("{other:?}"),
    }
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Error(error) => error.name,
        other => panic!("{other:?}"),
    }
}

fn done(answer: Answer) {
    assert!(matches!(answer, Answer::Done(_)), "{answer:?}");
}

async fn outside(client: &mut Client, command: Command) -> Vec<wire::GroupUser> {
    match client.call(command).await {
        Answer::GroupUsers(page) => page.users,
        other => panic!("{other:?}"),
    }
}

/// A group of alice and bob.
async fn geese() -> (Server, Client, Client) {
    let server = Server::plain().await;
    let mut alice = server.web("alice").await;
    let bob = server.native("bob").await;
    let create = Command::CreateGroup(wire::CreateGroup {
        group_id: id(),
        name: "Geese".into(),
        members: vec!["bob".into()],
    });
    assert_eq!(group(alice.call(create).await).member_count, 2);
    (server, alice, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_and_what_is_told_are_changed_and_shown() {
    let (_server, mut alice, mut bob) = geese().await;
    let update = |name: &str, muted| {
        Command::UpdateGroup(wire::UpdateGroup {
            group_id: id(),
            name: Some(name.into()),
            announcement: Some("fly south".into()),
            put_attributes: [("colour".to_owned(), "grey".to_owned())].into(),
            join: wire::JoinMode::Closed.into(),
            muted,
            ..Default::default()
        })
    };
    assert_eq!(
        refused(bob.call(update("Ducks", None)).await),
        "NOT_ALLOWED"
    );
    let set = |role: wire::GroupRole, name: &str| {
        Command::SetGroupRole(wire::SetGroupRole {
            group_id: id(),
            members: vec!["bob".into()],
            role: role.into(),
            role_name: name.into(),
        })
    };
    let admin = group(alice.call(set(wire::GroupRole::Admin, "")).await);
    assert_eq!(admin.admins, ["bob"]);
    let changed = group(bob.call(update("Ducks", Some(true))).await);
    let settings = changed.settings.unwrap();
    assert_eq!(
        (&*changed.name, &*changed.announcement),
        ("Ducks", "fly south")
    );
    assert!(settings.muted && settings.join() == wire::JoinMode::Closed);

    let define = Command::DefineGroupRole(wire::DefineGroupRole {
        group_id: id(),
        role: Some(wire::DefinedRole {
            name: "singer".into(),
            rights: vec!["speak".into()],
        }),
        remove: false,
    });
    let defined = group(alice.call(define).await);
    assert_eq!(defined.roles[0].rights, ["speak"]);
    group(alice.call(set(wire::GroupRole::Member, "singer")).await);
    let sent = bob.call(text("g/geese", "1", "honk")).await;
    assert!(matches!(sent, Answer::SendMessage(_)), "{sent:?}");
    group(alice.call(set(wire::GroupRole::Member, "")).await);
    assert_eq!(
        refused(bob.call(text("g/geese", "2", "honk")).await),
        "MUTED"
    );
    let exempt = Command::ExemptGroupMembers(wire::ExemptGroupMembers {
        group_id: id(),
        members: vec!["bob".into()],
        exempt: true,
    });
    done(alice.call(exempt).await);
    let nickname = Command::UpdateGroupMember(wire::UpdateGroupMember {
        group_id: id(),
        nickname: Some("Bobby".into()),
        ..Default::default()
    });
    done(bob.call(nickname).await);
    let mute = Command::MuteGroupMembers(wire::MuteGroupMembers {
        group_id: id(),
        members: vec!["bob".into()],
        seconds: 60,
    });
    done(alice.call(mute).await);
    let list = Command::ListGroupMembers(wire::ListGroupMembers {
        group_id: id(),
        ..Default::default()
    });
    let Answer::GroupMembers(page) = bob.call(list).await else {
        panic!("no page")
    };
    let shown = &page.members[1];
    assert!(shown.exempt && shown.muted_until > 0 && shown.nickname == "Bobby");

    let over = Command::TransferGroup(wire::TransferGroup {
        group_id: id(),
        owner: "bob".into(),
    });
    assert_eq!(group(alice.call(over).await).owner, "bob");
    let quit = wire::QuitGroup { group_id: id() };
    done(alice.call(Command::QuitGroup(quit)).await);
    let get = wire::GetGroup { group_id: id() };
    let shown = group(bob.call(Command::GetGroup(get)).await);
    assert_eq!((shown.member_count, &*shown.name), (1, "Ducks"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_asks_is_invited_and_is_banned() {
    let (server, mut alice, _bob) = geese().await;
    let mut carol = server.web("carol").await;
    let join = || {
        Command::JoinGroup(wire::JoinGroup {
            group_id: id(),
            message: "please".into(),
        })
    };
    let decide = |approve| {
        Command::DecideJoinRequests(wire::DecideJoinRequests {
            group_id: id(),
            users: vec!["carol".into()],
            approve,
        })
    };
    let is_request = |item: &Item| matches!(item, Item::JoinRequest(_));
    let Answer::GroupJoined(asked) = carol.call(join()).await else {
        panic!("no answer")
    };
    assert!(!asked.joined && asked.group.is_none());
    let Item::JoinRequest(request) = alice.find(is_request).await else {
        panic!("no request")
    };
    assert_eq!((&*request.user_id, &*request.message), ("carol", "please"));
    let list = Command::ListJoinRequests(wire::ListJoinRequests {
        group_id: id(),
        ..Default::default()
    });
    assert_eq!(outside(&mut alice, list.clone()).await[0].user_id, "carol");
    group(alice.call(decide(false)).await);
    let Item::JoinRequest(rejected) = carol.find(is_request).await else {
        panic!("no rejection")
    };
    assert_eq!(rejected.rejected_by.as_deref(), Some("alice"));
    carol.call(join()).await;
    assert_eq!(group(alice.call(decide(true)).await).member_count, 3);
    assert_eq!(refused(carol.call(list).await), "NOT_ALLOWED");

    let ban = |seconds| {
        Command::BanGroupUsers(wire::BanGroupUsers {
            group_id: id(),
            users: vec!["carol".into()],
            seconds,
        })
    };
    done(alice.call(ban(60)).await);
    assert_eq!(refused(carol.call(join()).await), "BANNED");
    let bans = Command::ListGroupBans(wire::ListGroupBans {
        group_id: id(),
        ..Default::default()
    });
    assert_eq!(outside(&mut alice, bans).await[0].operator, "alice");
    done(alice.call(ban(0)).await);

    let ask = Command::UpdateGroup(wire::UpdateGroup {
        group_id: id(),
        invitations_need_acceptance: Some(true),
        ..Default::default()
    });
    group(alice.call(ask).await);
    let add = Command::AddGroupMembers(wire::AddGroupMembers {
        group_id: id(),
        members: vec!["carol".into()],
    });
    assert_eq!(group(alice.call(add).await).member_count, 2);
    let invited = |item: &Item| match item {
        Item::Conversation(push) => push
            .conversation
            .as_ref()
            .is_some_and(|row| !row.member && row.invitation.is_some()),
        _ => false,
    };
    carol.find(invited).await;
    let invitations = Command::ListGroupInvitations(wire::ListGroupInvitations {
        group_id: id(),
        ..Default::default()
    });
    assert_eq!(outside(&mut alice, invitations).await.len(), 1);
    let accept = Command::AnswerGroupInvitation(wire::AnswerGroupInvitation {
        group_id: id(),
        accept: true,
    });
    assert_eq!(group(carol.call(accept.clone()).await).member_count, 3);
    assert_eq!(refused(carol.call(accept).await), "ALREADY_EXISTS");
}
