//! Removes files that their app has kept for long enough: now and then, a walk through all of this
//! node's, some at a time with a pause between, so that nobody feels it.

use std::sync::Weak;

use anser_domain::AppId;
use anser_engine::media::MediaPlace;

use super::super::{Api, Inner};
use super::files::remove;
use super::key;

/// From the start to the first walk, in milliseconds.
const FIRST_MS: u64 = 600_000;
/// Between the end of a walk and the next, in milliseconds.
const EVERY_MS: u64 = 6 * 3_600_000;
/// Between two steps that had something to look at, in milliseconds.
const PAUSE_MS: u64 = 100;
/// Steps through shards without files that are taken without letting go of the API.
const STEPS_AT_ONCE: usize = 64;

/// Walks until the API is gone.
pub(in crate::rest) async fn walk(api: Weak<Inner>) {
    let Some(env) = api.upgrade().map(|api| api.env.clone()) else {
        return;
    };
    let mut wait = FIRST_MS;
    loop {
        env.sleep(wait).await;
        wait = EVERY_MS;
        let mut place = Some(MediaPlace::default());
        while let Some(from) = place {
            let Some(api) = api.upgrade() else {
                return;
            };
            place = steps(&Api(api), from).await;
            if place.is_some() {
                env.sleep(PAUSE_MS).await;
            }
        }
    }
}

/// Goes on until there was something to look at. Where the walk goes on.
async fn steps(api: &Api, from: MediaPlace) -> Option<MediaPlace> {
    let mut place = from;
    for _ in 0..STEPS_AT_ONCE {
        let step = match api.engine.expired_media(place).await {
            Ok(step) => step,
            Err(reject) => {
                tracing::warn!(%reject, "files that are too old stay for now");
                return None;
            }
        };
        for (app, id) in &step.files {
            remove_one(api, *app, id).await;
        }
        match step.next {
            Some(next) if step.looked == 0 => place = next,
            next => return next,
        }
    }
    Some(place)
}

async fn remove_one(api: &Api, app: AppId, id: &str) {
    let Ok(key) = key(app, id) else {
        return tracing::error!(id, "a stored file has no valid id");
    };
    if let Err(failure) = remove(api, app, &key).await {
        // Somebody is at it, or was faster: the next walk.
        tracing::debug!(?failure, %key, "a file stays for now");
    }
}
