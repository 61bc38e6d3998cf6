//! Removes what nobody came back for: uploads that were not finished in time, files whose upload
//! was cut short between their place and their row, and the rest of what was being deleted.

use std::sync::Weak;
use std::time::UNIX_EPOCH;

use anser_domain::{AppId, Code, Reject};
use anser_media::{Key, MediaError};

use super::super::Inner;
use super::refuse;

/// How often.
const EVERY_MS: u64 = 10 * 60 * 1_000;
/// An entry without a row is left alone so long: its row may be on the way.
const NEW_MS: u64 = 3_600 * 1_000;

/// Sweeps now and then, until the API is gone.
pub(in crate::rest) async fn sweep(api: Weak<Inner>) {
    while let Some(api) = api.upgrade() {
        match api.media.files.uploads().all().await {
            Ok(all) => {
                for (key, modified) in all {
                    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
                    let modified = u64::try_from(modified.as_millis()).unwrap_or(u64::MAX);
                    if let Err(reject) = look(&api, &key, modified).await {
                        // Somebody is at it, or the store is away: the next time.
                        tracing::debug!(%reject, %key, "an upload stays for now");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the folder of uploads can't be read"),
        }
        let env = api.env.clone();
        drop(api);
        env.sleep(EVERY_MS).await;
    }
}

async fn look(api: &Inner, key: &Key, modified: u64) -> Result<(), Reject> {
    let (app, now) = (AppId(key.app()), api.env.now());
    let files = &api.media.files;
    match api.engine.media(app, key.id()).await {
        Ok(info) if info.ready => files.forget(key).await.map_err(refuse),
        Ok(info) if info.expires < now => {
            // While somebody writes to it, it is not old.
            if matches!(files.condemn(key).await, Err(MediaError::Busy)) {
                return Ok(());
            }
            if !api.engine.remove_unfinished_media(app, key.id()).await? {
                // It became a file after all.
                return Ok(());
            }
            files.remove(key).await.map_err(refuse)
        }
        Ok(_) => Ok(()),
        Err(reject) if reject.code == Code::NotFound => {
            if now.0.saturating_sub(modified) > NEW_MS {
                files.remove(key).await.map_err(refuse)?;
            }
            Ok(())
        }
        Err(reject) => Err(reject),
    }
}
