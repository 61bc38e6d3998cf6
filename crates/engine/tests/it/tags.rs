//! Tags of users.

use std::collections::BTreeSet;

use anser_domain::{AppId, Code, Tag};
use anser_engine::Engine;
use anser_engine::user::Profile;

use crate::world::{engine, user};

fn tag(text: &str) -> Tag {
    Tag::new(text).unwrap()
}

fn tags(texts: &[&str]) -> BTreeSet<Tag> {
    texts.iter().map(|text| tag(text)).collect()
}

async fn make(engine: &Engine, app: AppId, names: &[&str]) {
    for name in names {
        let user = user(name);
        let made = engine.put_user(app, &user, Profile::default()).await;
        made.unwrap();
    }
}

/// All users of a tag, by pages of two.
async fn tagged(engine: &Engine, app: AppId, text: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = engine.tagged(app, &tag(text), &cursor, 2).await.unwrap();
        assert!(page.users.len() <= 2);
        all.extend(page.users.iter().map(|user| user.to_string()));
        cursor = page.cursor;
        if cursor.is_empty() {
            all.sort();
            return all;
        }
    }
}

#[tokio::test]
async fn users_are_found_by_their_tags_and_keep_them_since_then() {
    let (engine, app) = engine().await;
    let names = ["a", "b", "c", "d", "e"];
    make(&engine, app, &names).await;
    let all: Vec<_> = names.iter().map(|name| user(name)).collect();
    engine
        .set_tags(app, &all, &tags(&["vip", "new"]))
        .await
        .unwrap();
    assert_eq!(tagged(&engine, app, "vip").await, names);
    let since = engine.tag_since(app, &all[0], &tag("vip")).await.unwrap();
    assert!(since.is_some());
    engine
        .set_tags(app, &all[..2], &tags(&["vip", "old"]))
        .await
        .unwrap();
    assert_eq!(tagged(&engine, app, "new").await, ["c", "d", "e"]);
    assert_eq!(tagged(&engine, app, "old").await, ["a", "b"]);
    assert_eq!(tagged(&engine, app, "vi").await, [""; 0]);
    let of_a = engine.tags(app, &all[0]).await.unwrap();
    let of_a: Vec<_> = of_a.iter().map(|it| it.tag.as_str()).collect();
    assert_eq!(of_a, ["old", "vip"]);
    let kept = engine.tag_since(app, &all[0], &tag("vip")).await.unwrap();
    assert_eq!(kept, since, "who had it has it since then");
    engine.set_tags(app, &all, &tags(&[])).await.unwrap();
    assert_eq!(tagged(&engine, app, "vip").await, [""; 0]);
    assert!(engine.tags(app, &all[0]).await.unwrap().is_empty());
    let since = engine.tag_since(app, &all[0], &tag("vip")).await.unwrap();
    assert_eq!(since, None);
}

#[tokio::test]
async fn tags_of_one_app_are_nothing_to_another_and_have_limits() {
    let (engine, app) = engine().await;
    let other = engine.create_app(Some("other"), "", false).await;
    let other = other.unwrap().info.id;
    make(&engine, app, &["a"]).await;
    make(&engine, other, &["a", "b"]).await;
    let a = [user("a")];
    engine.set_tags(app, &a, &tags(&["vip"])).await.unwrap();
    assert_eq!(tagged(&engine, other, "vip").await, [""; 0]);
    assert!(engine.tags(other, &a[0]).await.unwrap().is_empty());

    let refused = async |names: &[&str], of: &BTreeSet<Tag>| {
        let users: Vec<_> = names.iter().map(|name| user(name)).collect();
        engine.set_tags(app, &users, of).await.unwrap_err().code
    };
    assert_eq!(
        refused(&["a", "b"], &tags(&["x"])).await,
        Code::UserNotFound
    );
    assert_eq!(tagged(&engine, app, "x").await, [""; 0], "nothing changed");
    let many: BTreeSet<Tag> = (0..21).map(|n| tag(&n.to_string())).collect();
    assert_eq!(refused(&["a"], &many).await, Code::InvalidRequest);
    assert_eq!(refused(&["a"; 101], &tags(&[])).await, Code::InvalidRequest);
    assert!(Tag::new(&"x".repeat(65)).is_err() && Tag::new("").is_err());
    let page = engine.tagged(app, &tag("x"), "a\nb", 2).await;
    assert_eq!(page.unwrap_err().code, Code::InvalidRequest);
    let page = engine.tagged(app, &tag("x"), "", 501).await;
    assert_eq!(page.unwrap_err().code, Code::InvalidRequest);
}
