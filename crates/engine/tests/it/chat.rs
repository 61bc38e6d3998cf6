//! Two people chat.

use anser_domain::{Code, ConversationId, Platform};
use anser_engine::message::PageRequest;
use anser_store::Store;

use crate::world::{engine, hub, node, send, sign_in, until, user};

fn alice_and_bob() -> ConversationId {
    ConversationId::private(&user("alice"), &user("bob"))
}

#[tokio::test]
async fn a_message_reaches_the_other_and_my_other_devices_but_not_the_sending_session() {
    let (engine, app) = engine().await;
    let phone = sign_in(&engine, app, "alice", Platform::Ios).await;
    let desk = sign_in(&engine, app, "alice", Platform::Desktop).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let request = phone.submit(&alice_and_bob(), "hi");
    until("bob has it", async || {
        bob.messages() == [(1, "hi".to_owned())]
    })
    .await;
    until("my desk has it", async || {
        desk.messages() == [(1, "hi".to_owned())]
    })
    .await;
    until("it is acknowledged", async || {
        !phone.told.replies.lock().is_empty()
    })
    .await;
    assert!(phone.messages().is_empty());
    let (id, result) = phone.told.replies.lock()[0].clone();
    assert_eq!((id, result.unwrap().seq), (request, 1));
}

#[tokio::test]
async fn a_retry_gets_the_first_result_and_is_stored_once() {
    let (engine, app) = engine().await;
    let first = send(&engine, app, "alice", &alice_and_bob(), "once")
        .await
        .unwrap();
    send(&engine, app, "bob", &alice_and_bob(), "other")
        .await
        .unwrap();
    assert_eq!(
        send(&engine, app, "alice", &alice_and_bob(), "once")
            .await
            .unwrap(),
        first
    );
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    assert_eq!(bob.history(&alice_and_bob()).await.unwrap(), [1, 2]);
}

#[tokio::test]
async fn a_retry_while_the_first_is_in_flight_is_one_message_with_two_answers() {
    let (engine, app) = engine().await;
    let phone = sign_in(&engine, app, "alice", Platform::Ios).await;
    phone.submit(&alice_and_bob(), "twice");
    phone.submit(&alice_and_bob(), "twice");
    until("both are answered", async || {
        phone.told.replies.lock().len() == 2
    })
    .await;
    assert!(
        phone
            .told
            .replies
            .lock()
            .iter()
            .all(|(_, result)| result.as_ref().unwrap().seq == 1)
    );
    assert_eq!(phone.history(&alice_and_bob()).await.unwrap(), [1]);
}

#[tokio::test]
async fn many_in_flight_keep_their_order() {
    let (engine, app) = engine().await;
    let phone = sign_in(&engine, app, "alice", Platform::Ios).await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let texts: Vec<String> = (0..500).map(|n| format!("m{n}")).collect();
    for text in &texts {
        phone.submit(&alice_and_bob(), text);
    }
    until("all are there", async || {
        bob.messages().len() == texts.len()
    })
    .await;
    let expected: Vec<(u64, String)> = (1..).zip(texts).collect();
    assert_eq!(bob.messages(), expected);
    let order: Vec<u32> = phone
        .told
        .replies
        .lock()
        .iter()
        .map(|(request, _)| *request)
        .collect();
    assert!(order.is_sorted() && order.len() == 500);
}

#[tokio::test]
async fn unread_counts_what_others_sent_beyond_my_read_position() {
    let (engine, app) = engine().await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    for n in 0..5 {
        send(&engine, app, "alice", &alice_and_bob(), &format!("a{n}"))
            .await
            .unwrap();
        send(&engine, app, "bob", &alice_and_bob(), &format!("b{n}"))
            .await
            .unwrap();
    }
    until("bob has the conversation", async || {
        engine
            .conversation(app, &user("bob"), &alice_and_bob())
            .await
            .is_ok()
    })
    .await;
    assert_eq!(bob.unread(&alice_and_bob()).await, 5);
    let read = engine
        .mark_read(app, &bob.user, &alice_and_bob(), 5)
        .await
        .unwrap();
    assert_eq!((read.read_seq, read.unread), (5, 2));
    let back = engine
        .mark_read(app, &bob.user, &alice_and_bob(), 2)
        .await
        .unwrap();
    assert_eq!(
        (back.read_seq, back.unread),
        (5, 2),
        "a position never moves back"
    );
    let all = engine
        .mark_read(app, &bob.user, &alice_and_bob(), u64::MAX)
        .await
        .unwrap();
    assert_eq!((all.read_seq, all.unread), (10, 0));
}

#[tokio::test]
async fn history_is_paged_in_both_directions() {
    let (engine, app) = engine().await;
    for n in 0..25 {
        send(&engine, app, "alice", &alice_and_bob(), &format!("m{n}"))
            .await
            .unwrap();
    }
    let pull = async |from_seq, descending| {
        let page = PageRequest {
            from_seq,
            descending,
            limit: 10,
        };
        let page = engine
            .pull(app, Some(&user("bob")), &alice_and_bob(), page)
            .await
            .unwrap();
        let seqs: Vec<u64> = page.messages.iter().map(|m| m.seq).collect();
        (seqs.first().copied(), seqs.last().copied(), page.more)
    };
    assert_eq!(pull(0, true).await, (Some(25), Some(16), true));
    assert_eq!(pull(6, true).await, (Some(5), Some(1), false));
    assert_eq!(pull(0, false).await, (Some(1), Some(10), true));
    assert_eq!(pull(20, false).await, (Some(21), Some(25), false));
    assert_eq!(pull(25, false).await, (None, None, false));
    assert_eq!(pull(99, false).await, (None, None, false));
    assert_eq!(pull(1, true).await, (None, None, false));
}

#[tokio::test]
async fn nobody_else_reads_or_writes_a_private_chat() {
    let (engine, app) = engine().await;
    send(&engine, app, "alice", &alice_and_bob(), "secret")
        .await
        .unwrap();
    let eve = sign_in(&engine, app, "eve", Platform::Web).await;
    assert_eq!(eve.history(&alice_and_bob()).await, Err(Code::NotAMember));
    assert_eq!(
        send(&engine, app, "eve", &alice_and_bob(), "x")
            .await
            .unwrap_err()
            .code,
        Code::NotAMember
    );
    assert_eq!(
        engine
            .mark_read(app, &eve.user, &alice_and_bob(), 1)
            .await
            .unwrap_err()
            .code,
        Code::NotAMember
    );
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let store = Store::memory();
    let before = node(&hub(), 1, &store).await;
    let app = before.create_app(None, "", false).await.unwrap().info.id;
    for n in 0..3 {
        send(&before, app, "alice", &alice_and_bob(), &format!("m{n}"))
            .await
            .unwrap();
    }
    before.stop().await;
    assert_eq!(
        send(&before, app, "alice", &alice_and_bob(), "late")
            .await
            .unwrap_err()
            .code,
        Code::ShuttingDown
    );
    let after = node(&hub(), 2, &store).await;
    assert_eq!(
        send(&after, app, "alice", &alice_and_bob(), "m0")
            .await
            .unwrap()
            .seq,
        1
    );
    assert_eq!(
        send(&after, app, "bob", &alice_and_bob(), "next")
            .await
            .unwrap()
            .seq,
        4
    );
    until("bob has it in his list", async || {
        let view = after
            .conversation(app, &user("bob"), &alice_and_bob())
            .await;
        view.is_ok_and(|view| view.unread == 3)
    })
    .await;
}

#[tokio::test]
async fn bad_sends_are_refused_whole() {
    let (engine, app) = engine().await;
    let refused = async |change: fn(&mut anser_engine::message::SendMessage)| {
        let (reply, result) = futures::channel::oneshot::channel();
        let mut message = crate::world::message(app, "alice", &alice_and_bob(), "id");
        change(&mut message);
        engine.send(message, anser_engine::Reply::Call(reply));
        result.await.unwrap().unwrap_err().code
    };
    assert_eq!(
        refused(|m| m.body = vec![0; 3_073].into()).await,
        Code::ContentTooLarge
    );
    assert_eq!(
        refused(|m| m.content_type = "anser.group".into()).await,
        Code::NotAllowed
    );
    assert_eq!(
        refused(|m| m.client_message_id = "".into()).await,
        Code::InvalidRequest
    );
    assert_eq!(
        refused(|m| m.first_try = anser_domain::Timestamp(1)).await,
        Code::StaleSend
    );
    let alice = sign_in(&engine, app, "alice", Platform::Web).await;
    assert!(alice.history(&alice_and_bob()).await.unwrap().is_empty());
}
