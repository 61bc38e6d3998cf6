//! Apps, secrets and tokens.

use anser_domain::{Code, Platform};
use anser_store::Store;

use crate::world::{engine, hub, node, sign_in, user};

#[tokio::test]
async fn two_secrets_live_and_the_third_ends_the_first() {
    let (engine, _) = engine().await;
    let app = engine
        .create_app(Some("shop"), "Shop", false)
        .await
        .unwrap();
    let works = async |secret: &str| {
        engine
            .authenticate_api("shop", secret)
            .await
            .map_err(|r| r.code)
    };
    assert_eq!(works(&app.api_secret.secret).await, Ok(app.info.id));
    let second = engine.rotate_api_secret(app.info.id).await.unwrap();
    assert_eq!(works(&app.api_secret.secret).await, Ok(app.info.id));
    let third = engine.rotate_api_secret(app.info.id).await.unwrap();
    assert_eq!(
        works(&app.api_secret.secret).await,
        Err(Code::ApiKeyInvalid)
    );
    assert_eq!(works(&second.secret).await, Ok(app.info.id));
    assert_eq!(works(&third.secret).await, Ok(app.info.id));
    assert_eq!(
        works(&app.token_key.secret).await,
        Err(Code::ApiKeyInvalid),
        "keys and secrets differ"
    );
    assert_eq!(
        engine
            .authenticate_api("nobody", "x")
            .await
            .unwrap_err()
            .code,
        Code::ApiKeyInvalid
    );
}

#[tokio::test]
async fn tokens_live_as_long_as_their_key_their_time_and_their_user() {
    let (engine, app) = engine().await;
    let token = engine
        .mint_token(app, &user("alice"), 60)
        .await
        .unwrap()
        .token;
    let identity = engine.verify_token(&token).await.unwrap();
    assert_eq!((identity.app, identity.user), (app, user("alice")));
    assert_eq!(
        engine
            .mint_token(app, &user("alice"), 0)
            .await
            .unwrap_err()
            .code,
        Code::InvalidRequest
    );
    assert_eq!(
        engine.verify_token("nonsense").await.unwrap_err().code,
        Code::TokenInvalid
    );

    let session = sign_in(&engine, app, "alice", Platform::Web).await;
    engine.revoke_tokens(app, &user("alice")).await.unwrap();
    assert_eq!(
        engine.verify_token(&token).await.unwrap_err().code,
        Code::TokenRevoked
    );
    assert_eq!(
        session.told.closed.lock().as_ref().unwrap().code,
        Code::TokenRevoked
    );
    let renewed = engine
        .mint_token(app, &user("alice"), 60)
        .await
        .unwrap()
        .token;
    engine.verify_token(&renewed).await.unwrap();

    engine.rotate_token_key(app).await.unwrap();
    engine.verify_token(&renewed).await.unwrap();
    engine.rotate_token_key(app).await.unwrap();
    assert_eq!(
        engine.verify_token(&renewed).await.unwrap_err().code,
        Code::TokenInvalid
    );
}

#[tokio::test]
async fn secrets_are_not_in_the_store_in_clear_and_need_the_installations_key() {
    let store = Store::memory();
    let first = node(&hub(), 1, &store).await;
    let app = first.create_app(Some("shop"), "", false).await.unwrap();
    let row = store
        .get(&anser_store::Key::new(
            anser_engine::tables::APP,
            anser_store::Shard(0),
            "shop",
        ))
        .await;
    let row = row.unwrap().unwrap();
    let secret = app.api_secret.secret.as_bytes();
    assert!(!row.windows(secret.len()).any(|bytes| bytes == secret));
    let again = node(&hub(), 1, &store).await;
    assert_eq!(
        again
            .authenticate_api("shop", &app.api_secret.secret)
            .await
            .unwrap(),
        app.info.id
    );
    assert_eq!(again.apps().await.unwrap().len(), 1);
}
