//! Types of content: what is refused, and what a command is not.

use anser_domain::limits::CONTENT_BYTES_DEFAULT;
use anser_domain::message::Mention;
use anser_domain::{Code, ConversationId, Platform};
use anser_engine::Engine;
use anser_engine::group::By;
use anser_engine::message::Change;
use anser_store::Store;

use crate::world::{engine, hub, message, node, send, send_message, sign_in, until, user};

async fn say(
    engine: &Engine,
    app: anser_domain::AppId,
    content_type: &str,
    body: &str,
) -> Result<u64, Code> {
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    let id = format!("{content_type}{}", body.len());
    let mut message = message(app, "alice", &chat, &id[..id.len().min(64)]);
    message.content_type = content_type.into();
    message.body = body.to_owned().into();
    let sent = send_message(engine, message).await;
    sent.map(|sent| sent.seq).map_err(|reject| reject.code)
}

#[tokio::test]
async fn a_content_has_the_shape_of_its_type_or_is_refused_whole() {
    let (engine, app) = engine().await;
    sign_in(&engine, app, "bob", Platform::Web).await;
    let say = async |kind, body: &str| say(&engine, app, kind, body).await;
    assert_eq!(say("image", "not json").await, Err(Code::InvalidRequest));
    assert_eq!(
        say("voice", r#"{"url":"https://a/b"}"#).await,
        Err(Code::InvalidRequest)
    );
    let large = "a".repeat(CONTENT_BYTES_DEFAULT);
    assert_eq!(say("text", &large).await, Err(Code::ContentTooLarge));
    let image = r#"{"url":"https://example.com/a.png","width":3,"height":2}"#;
    assert_eq!(say("image", image).await, Ok(1));
    assert_eq!(say("acme.card", "not json").await, Ok(2));
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    let edit = Change::Edit {
        content_type: "image".into(),
        body: "not json".into(),
        mention: None,
    };
    let edited = engine
        .change_message(app, By::User(user("alice")), &chat, 1, edit)
        .await;
    assert_eq!(edited.unwrap_err().code, Code::InvalidRequest);
}

#[tokio::test]
async fn a_command_is_unread_for_nobody_and_newest_of_nothing() {
    let (store, hub) = (Store::memory(), hub());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one.create_app(Some("app"), "", false).await.unwrap();
    let app = app.info.id;
    let bob = sign_in(&two, app, "bob", Platform::Web).await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    send(&one, app, "alice", &chat, "hi").await.unwrap();
    for (engine, n) in [(&one, 1), (&two, 2)] {
        let body = format!(r#"{{"action":"refresh","n":"{}"}}"#, "x".repeat(n));
        say(engine, app, "command", &body).await.unwrap();
    }
    until("bob gets them all", async || bob.messages().len() == 3).await;
    until("bob's list has it", async || {
        two.conversation(app, &bob.user, &chat).await.is_ok()
    })
    .await;
    let view = two.conversation(app, &bob.user, &chat).await.unwrap();
    assert_eq!((view.head_seq, view.unread), (3, 1));
    assert_eq!(view.newest.unwrap().seq, 1);
    assert_eq!(bob.history(&chat).await.unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_command_mentions_nobody_and_stays_one_when_it_is_taken_back() {
    let (engine, app) = engine().await;
    let bob = sign_in(&engine, app, "bob", Platform::Web).await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    send(&engine, app, "alice", &chat, "hi").await.unwrap();
    let mut command = message(app, "alice", &chat, "2");
    command.content_type = "command".into();
    command.body = r#"{"action":"refresh"}"#.into();
    command.options.mention = Some(Mention {
        all: true,
        users: vec![user("bob")],
        overrides_mute: false,
    });
    send_message(&engine, command).await.unwrap();
    until("bob's list has it", async || {
        engine.conversation(app, &bob.user, &chat).await.is_ok()
    })
    .await;
    let view = async || engine.conversation(app, &bob.user, &chat).await.unwrap();
    assert_eq!(view().await.unread_mentions, 0);
    let alice = By::User(user("alice"));
    engine
        .change_message(app, alice, &chat, 2, Change::Recall)
        .await
        .unwrap();
    assert_eq!(view().await.newest.unwrap().seq, 1);
}
