//! What is known of files.

use anser_domain::Code;
use anser_domain::media::MediaLimits;
use anser_engine::media::Found;

use crate::world::engine;

#[tokio::test]
async fn an_upload_that_became_a_file_is_not_removed_as_unfinished() {
    let (engine, app) = engine().await;
    let limits = MediaLimits::default();
    let announce = async || {
        let id = engine.new_media_id();
        let announced = engine.announce_media(app, None, &id, "a", 5, &limits);
        announced.await.unwrap();
        id
    };
    let (ready, unfinished) = (announce().await, announce().await);
    let found = Found {
        content_type: "text/plain",
        size: None,
    };
    engine.complete_media(app, &ready, found).await.unwrap();
    let removed = engine.remove_unfinished_media(app, &ready).await.unwrap();
    assert!(!removed);
    assert!(engine.media(app, &ready).await.unwrap().ready);

    let removed = engine.remove_unfinished_media(app, &unfinished).await;
    assert!(removed.unwrap());
    let gone = engine.media(app, &unfinished).await;
    assert_eq!(gone.unwrap_err().code, Code::NotFound);
}
