//! Searching: what is found is what the reader may see, as it is now.

use anser_domain::search::Query;
use anser_domain::words::Words;
use anser_domain::{AppId, Code, ConversationId, GroupId, Timestamp};
use anser_engine::Engine;
use anser_engine::group::By;
use anser_engine::message::Change;
use anser_engine::search::SearchRequest;
use anser_store::Store;

use crate::world::{engine, hub, message, node, send, send_message, user};

fn wanted(words: &str, conversation: Option<&ConversationId>) -> SearchRequest {
    SearchRequest {
        conversation: conversation.cloned(),
        query: Query {
            words: Words::of(words),
            sender: None,
            content_type: None,
            from: Timestamp(0),
            until: Timestamp(0),
        },
        cursor: String::new(),
        limit: 0,
    }
}

/// What a search finds on all its pages, and how many those are.
async fn all(
    engine: &Engine,
    app: AppId,
    reader: Option<&str>,
    mut request: SearchRequest,
) -> Result<(Vec<(String, u64)>, usize), Code> {
    let reader = reader.map(user);
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = engine.search(app, reader.as_ref(), &request).await;
        let page = page.map_err(|reject| reject.code)?;
        let names = page.messages.iter();
        found.extend(names.map(|it| (it.conversation.to_string(), it.seq)));
        pages += 1;
        if page.cursor.is_empty() {
            return Ok((found, pages));
        }
        request.cursor = page.cursor;
    }
}

async fn seqs(
    engine: &Engine,
    app: AppId,
    reader: Option<&str>,
    request: SearchRequest,
) -> Vec<u64> {
    let (found, _) = all(engine, app, reader, request).await.unwrap();
    found.into_iter().map(|(_, seq)| seq).collect()
}

#[tokio::test]
async fn a_search_finds_what_its_reader_sees_as_it_is_now() {
    let (engine, app) = engine().await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    for text in ["Grey geese", "鸿雁南飞", "geese again", "nothing", "GEESE!"] {
        send(&engine, app, "alice", &chat, text).await.unwrap();
    }
    let find = async |who, words: &str| seqs(&engine, app, who, wanted(words, Some(&chat))).await;
    assert_eq!(find(Some("bob"), "geese").await, [5, 3, 1]);
    assert_eq!(find(Some("bob"), "雁").await, [2]);
    assert_eq!(find(Some("bob"), "南飞").await, [2]);
    assert!(find(Some("bob"), "swan").await.is_empty());

    let change = async |seq, change| {
        let by = By::User(user("alice"));
        engine
            .change_message(app, by, &chat, seq, change)
            .await
            .unwrap();
    };
    change(5, Change::Recall).await;
    let swan = Change::Edit {
        content_type: "text".into(),
        body: "swans".into(),
        mention: None,
    };
    change(3, swan).await;
    assert_eq!(find(Some("bob"), "geese").await, [1]);
    assert_eq!(find(Some("bob"), "swans").await, [3]);
    engine
        .clear_history(app, &user("bob"), &chat, 1)
        .await
        .unwrap();
    engine
        .delete_messages(app, &user("bob"), &chat, &[3])
        .await
        .unwrap();
    assert!(find(Some("bob"), "geese").await.is_empty());
    assert!(find(Some("bob"), "swans").await.is_empty());
    assert_eq!(find(Some("alice"), "geese").await, [1]);
    assert_eq!(find(None, "swans").await, [3]);
    let stranger = all(&engine, app, Some("carol"), wanted("geese", Some(&chat))).await;
    assert_eq!(stranger.unwrap_err(), Code::NotAMember);
}

#[tokio::test]
async fn sender_type_and_time_narrow_it() {
    let (engine, app) = engine().await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    send(&engine, app, "alice", &chat, "one goose")
        .await
        .unwrap();
    let second = send(&engine, app, "bob", &chat, "two geese").await.unwrap();
    let mut file = message(app, "bob", &chat, "file");
    file.content_type = "file".into();
    file.body = r#"{"url":"https://example.com/1","name":"goose.pdf"}"#.into();
    send_message(&engine, file).await.unwrap();
    let find = async |narrow: &dyn Fn(&mut Query)| {
        let mut request = wanted("", Some(&chat));
        narrow(&mut request.query);
        seqs(&engine, app, Some("alice"), request).await
    };
    assert_eq!(find(&|it| it.sender = Some(user("bob"))).await, [3, 2]);
    assert_eq!(find(&|it| it.content_type = Some("file".into())).await, [3]);
    assert_eq!(find(&|it| it.words = Words::of("goose")).await, [3, 1]);
    let until = second.time;
    assert!(
        !find(&|it| (it.words, it.until) = (Words::of("two"), until))
            .await
            .contains(&2)
    );
    assert!(
        find(&|it| (it.words, it.from) = (Words::of("two"), until))
            .await
            .contains(&2)
    );
    let nothing = engine
        .search(app, Some(&user("alice")), &wanted("", Some(&chat)))
        .await;
    assert_eq!(nothing.unwrap_err().code, Code::InvalidRequest);
}

#[tokio::test]
async fn all_of_a_users_conversations_page_by_page_on_any_node() {
    let (store, hub) = (Store::memory(), hub());
    let one = node(&hub, 1, &store).await;
    let two = node(&hub, 2, &store).await;
    let app = one.create_app(Some("app"), "", false).await.unwrap();
    let app = app.info.id;
    for name in ["alice", "bob", "carol", "dave"] {
        one.mint_token(app, &user(name), 60).await.unwrap();
    }
    let chats = ["bob", "carol"].map(|it| ConversationId::private(&user("alice"), &user(it)));
    for n in 0..3 {
        for chat in &chats {
            send(&one, app, "alice", chat, &format!("goose {n}"))
                .await
                .unwrap();
        }
    }
    let others = ConversationId::private(&user("bob"), &user("dave"));
    send(&one, app, "dave", &others, "a goose of theirs")
        .await
        .unwrap();
    let group = ConversationId::Group(GroupId::new("none").unwrap());
    crate::world::until("alice's list has them", async || {
        let page = two.conversations(app, &user("alice"), "", 0).await.unwrap();
        page.conversations.len() == 2
    })
    .await;
    let mut request = wanted("goose", None);
    request.limit = 2;
    let (found, pages) = all(&two, app, Some("alice"), request).await.unwrap();
    let expected: Vec<(String, u64)> = chats
        .iter()
        .flat_map(|chat| [3, 2, 1].map(|seq| (chat.to_string(), seq)))
        .collect();
    assert_eq!(found, expected);
    assert!(pages >= 3);
    let gone = all(&two, app, Some("alice"), wanted("goose", Some(&group))).await;
    assert!(gone.is_err());
    let mut forged = wanted("goose", None);
    for cursor in ["x", "!", "MCBub25l"] {
        forged.cursor = cursor.to_owned();
        let refused = all(&two, app, Some("alice"), forged.clone()).await;
        assert_eq!(refused.unwrap_err(), Code::InvalidRequest);
    }
}

#[tokio::test]
async fn a_page_looks_at_so_many_messages_and_says_where_it_stopped() {
    let (engine, app) = engine().await;
    let chat = ConversationId::private(&user("alice"), &user("bob"));
    send(&engine, app, "alice", &chat, "needle").await.unwrap();
    for n in 0..2_500 {
        send(&engine, app, "alice", &chat, &format!("hay {n}"))
            .await
            .unwrap();
    }
    let request = wanted("needle", Some(&chat));
    let first = engine
        .search(app, Some(&user("bob")), &request)
        .await
        .unwrap();
    assert!(first.messages.is_empty() && !first.cursor.is_empty());
    let (found, pages) = all(&engine, app, Some("bob"), request).await.unwrap();
    assert_eq!((found.len(), pages), (1, 2));
}
