//! Messages that are not stored.

use anser_domain::{Code, ConversationId, Platform};
use anser_engine::{EventBody, Reply};
use anser_store::Store;
use futures::channel::oneshot;

use crate::world::{hub, message, node, send, sign_in, until, user};

#[tokio::test]
async fn a_transient_message_reaches_who_is_here_and_leaves_nothing() {
    let (store, hub) = (Store::memory(), hub());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one
        .create_app(Some("app"), "", false)
        .await
        .unwrap()
        .info
        .id;
    let bob = sign_in(&two, app, "bob", Platform::Web).await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    let typing = async |from: &str, engine: &anser_engine::Engine| {
        let mut typing = message(app, from, &chat, "typing");
        typing.options.transient = true;
        let (reply, result) = oneshot::channel();
        engine.send(typing, Reply::Call(reply));
        result.await.unwrap()
    };
    let result = typing("alice", &one).await.unwrap();
    assert_eq!((result.seq, result.prev), (0, 0));
    assert_eq!(
        typing("carol", &one).await.unwrap_err().code,
        Code::NotAMember
    );
    send(&one, app, "alice", &chat, "hi").await.unwrap();
    typing("alice", &two).await.unwrap();
    let transient = || {
        let events = bob.told.events.lock();
        let all = events.iter().filter(|event| event.body.is_transient());
        all.count()
    };
    until("both reach bob", async || transient() == 2).await;
    for event in bob.told.events.lock().iter() {
        if let EventBody::Message { message, prev } = &event.body
            && event.body.is_transient()
        {
            assert_eq!((message.seq, *prev, message.counted), (0, 0, false));
        }
    }
    assert_eq!(bob.history(&chat).await.unwrap(), [1]);
    until("bob's list has it", async || {
        two.conversation(app, &bob.user, &chat).await.is_ok()
    })
    .await;
    assert_eq!(bob.unread(&chat).await, 1);
}
