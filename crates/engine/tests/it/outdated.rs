//! A node that was overtaken does not answer from what was so once.

use anser_domain::{Code, ConversationId, GroupId, UserId};
use anser_engine::group::{By, GroupChange};
use anser_store::Store;

use crate::world::{hub, node, send, user};

#[tokio::test]
async fn refusals_and_what_is_so_already_are_looked_up_behind_another_nodes_change() {
    let store = Store::memory();
    // Neither hears of the other: both take the group for their own.
    let (one, other) = (node(&hub(), 1, &store).await, node(&hub(), 2, &store).await);
    let app = one.create_app(None, "", false).await.unwrap().info.id;
    let id = GroupId::new("g").unwrap();
    let place = ConversationId::Group(id.clone());
    let bob: Vec<UserId> = vec![user("bob")];
    one.create_group(app, By::Server, Some(id.clone()), "", &user("alice"), &[])
        .await
        .unwrap();

    let refused = send(&one, app, "bob", &place, "1").await.unwrap_err();
    assert_eq!(refused.code, Code::NotAMember);
    let change = async |engine: &anser_engine::Engine, change| {
        let changed = engine.change_group(app, By::Server, &id, change).await;
        changed.unwrap().member_count
    };
    assert_eq!(change(&other, GroupChange::Add(bob.clone())).await, 2);
    // The first still has the group in memory without bob.
    send(&one, app, "bob", &place, "2").await.unwrap();

    assert_eq!(change(&other, GroupChange::Remove(bob.clone())).await, 1);
    // And now with bob: that he is in it already is not so.
    assert_eq!(change(&one, GroupChange::Add(bob)).await, 2);
}
