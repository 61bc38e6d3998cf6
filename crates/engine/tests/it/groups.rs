//! Groups: membership, who sees what, and lists that follow.

use anser_domain::{Code, ConversationId, GroupId, Platform};
use anser_engine::group::By;

use crate::world::{engine, send, sign_in, until, user};

fn id() -> GroupId {
    GroupId::new("g").unwrap()
}

fn group() -> ConversationId {
    ConversationId::Group(id())
}

#[tokio::test]
async fn members_come_and_go_and_each_sees_from_joining_on() {
    let (engine, app) = engine().await;
    let owner = By::User(user("alice"));
    let made = engine
        .create_group(
            app,
            owner.clone(),
            Some(id()),
            "Geese",
            &user("alice"),
            &[user("bob")],
        )
        .await
        .unwrap();
    assert_eq!((made.member_count, made.owner.as_str()), (2, "alice"));
    send(&engine, app, "alice", &group(), "before carol")
        .await
        .unwrap();
    engine
        .add_members(app, owner.clone(), &id(), &[user("carol"), user("bob")])
        .await
        .unwrap();
    send(&engine, app, "bob", &group(), "after").await.unwrap();
    let carol = sign_in(&engine, app, "carol", Platform::Web).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    // 1 created, 2 message, 3 added, 4 message
    assert_eq!(bob.history(&group()).await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(carol.history(&group()).await.unwrap(), [3, 4]);
    until("carol has it in her list", async || {
        engine
            .conversation(app, &carol.user, &group())
            .await
            .is_ok()
    })
    .await;
    assert_eq!(carol.unread(&group()).await, 1);
    assert_eq!(
        bob.unread(&group()).await,
        1,
        "notices and own messages do not count"
    );

    engine
        .remove_members(app, owner.clone(), &id(), &[user("bob")])
        .await
        .unwrap();
    assert_eq!(bob.history(&group()).await, Err(Code::NotAMember));
    assert_eq!(
        send(&engine, app, "bob", &group(), "x")
            .await
            .unwrap_err()
            .code,
        Code::NotAMember
    );
    until("bob's list says so", async || {
        !engine
            .conversation(app, &bob.user, &group())
            .await
            .unwrap()
            .member
    })
    .await;
    engine.quit_group(app, &carol.user, &id()).await.unwrap();
    engine.dismiss_group(app, owner, &id()).await.unwrap();
    assert_eq!(
        send(&engine, app, "alice", &group(), "y")
            .await
            .unwrap_err()
            .code,
        Code::GroupDismissed
    );
    let again = engine
        .create_group(app, By::Server, Some(id()), "", &user("alice"), &[])
        .await;
    assert_eq!(again.unwrap_err().code, Code::AlreadyExists);
}

#[tokio::test]
async fn a_large_group_is_in_every_members_list() {
    let (engine, app) = engine().await;
    let members: Vec<_> = (0..2_999).map(|n| user(&format!("u{n}"))).collect();
    let made = engine
        .create_group(app, By::Server, Some(id()), "", &user("owner"), &members)
        .await
        .unwrap();
    assert_eq!(made.member_count, 3_000);
    for who in ["owner", "u0", "u1500", "u2998"] {
        until("the list follows", async || {
            engine.conversation(app, &user(who), &group()).await.is_ok()
        })
        .await;
    }
    let full = engine
        .add_members(app, By::Server, &id(), &[user("one-more")])
        .await;
    assert_eq!(full.unwrap_err().code, Code::GroupFull);
    let first = engine
        .members(app, By::Server, &id(), "", 500)
        .await
        .unwrap();
    let second = engine
        .members(app, By::Server, &id(), &first.cursor, 500)
        .await
        .unwrap();
    assert_eq!((first.members.len(), second.members.len()), (500, 500));
    assert!(first.members.last().unwrap().user < second.members[0].user);
}

#[tokio::test]
async fn a_large_fan_out_reaches_everybody_once_in_order() {
    let (engine, app) = engine().await;
    let names: Vec<String> = (0..400).map(|n| format!("u{n}")).collect();
    let members: Vec<_> = names.iter().map(|name| user(name)).collect();
    engine
        .create_group(app, By::Server, Some(id()), "", &user("owner"), &members)
        .await
        .unwrap();
    let mut devices = Vec::new();
    for name in &names {
        devices.push(sign_in(&engine, app, name, Platform::Web).await);
    }
    for n in 0..20 {
        devices[0].submit(&group(), &format!("m{n}"));
    }
    for device in &devices[1..] {
        until("all have come", async || device.messages().len() >= 20).await;
        let seqs: Vec<u64> = device.messages().iter().map(|m| m.0).collect();
        assert_eq!(seqs, (2..=21).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_same_ids_in_another_app_are_other_people() {
    let (engine, one) = engine().await;
    let two = engine.create_app(None, "", false).await.unwrap().info.id;
    engine
        .create_group(one, By::Server, Some(id()), "one", &user("alice"), &[])
        .await
        .unwrap();
    send(&engine, one, "alice", &group(), "m").await.unwrap();
    let stranger = sign_in(&engine, two, "alice", Platform::Web).await;
    assert_eq!(stranger.history(&group()).await, Err(Code::NotAMember));
    assert_eq!(
        engine.group(two, By::Server, &id()).await.unwrap_err().code,
        Code::NotFound
    );
    engine
        .create_group(two, By::Server, Some(id()), "two", &user("alice"), &[])
        .await
        .unwrap();
    assert_eq!(
        engine.group(one, By::Server, &id()).await.unwrap().name,
        "one"
    );
    assert!(
        stranger.messages().len() == 1,
        "only the notice of its own group"
    );
}

/// A large audience is remembered from one message to the next; who comes or goes in between must
/// not be missed, and who is served along those routes gets everything once.
#[tokio::test]
async fn a_large_group_reaches_those_who_are_there_at_the_time() {
    let (engine, app) = engine().await;
    let members: Vec<_> = (0..300).map(|n| user(&format!("m{n}"))).collect();
    let by = By::User(user("alice"));
    engine
        .create_group(app, by, Some(id()), "", &user("alice"), &members)
        .await
        .unwrap();
    let mut there = vec![(sign_in(&engine, app, "alice", Platform::Web).await, 0)];
    for round in 0..12_u64 {
        // Every third round somebody goes, in every other somebody new comes.
        if round % 3 == 2 {
            let (gone, _) = there.swap_remove(usize::try_from(round).unwrap() % there.len());
            engine.close_session(gone.id);
            gone.told.events.lock().clear();
            send(&engine, app, "m0", &group(), &format!("without {round}"))
                .await
                .unwrap();
            for (_, seen) in &mut there {
                *seen += 1;
            }
            until("the others have it", async || {
                there
                    .iter()
                    .all(|(device, seen)| device.messages().len() == *seen)
            })
            .await;
            assert!(gone.messages().is_empty(), "it is no longer told anything");
        }
        let name = format!("m{}", round * 20);
        there.push((sign_in(&engine, app, &name, Platform::Web).await, 0));
        send(&engine, app, "m1", &group(), &format!("message {round}"))
            .await
            .unwrap();
        for (_, seen) in &mut there {
            *seen += 1;
        }
        until("everybody who is there has it", async || {
            there
                .iter()
                .all(|(device, seen)| device.messages().len() == *seen)
        })
        .await;
    }
    for (device, _) in &there {
        let seqs: Vec<u64> = device.messages().iter().map(|(seq, _)| *seq).collect();
        let dense: Vec<u64> = (seqs[0]..).take(seqs.len()).collect();
        assert_eq!(seqs, dense, "each once, in order");
    }
}
