//! What is known of uploaded files: whose they are, how large, what they are. The bytes are
//! somewhere else.
//!
//! A row is made when an upload is announced, and says "ready" when its bytes have their place;
//! what is not ready in time is removed, by whoever keeps the bytes. A user's row of use is changed before: what is announced counts, also if it never
//! comes.
//!
//! Addresses for downloads are signed with a key of the installation for one file, one variant and
//! a time, so that they can be handed to what has no token: an image element, a player.

mod retention;
mod sign;

use anser_domain::media::{self as rules, MediaLimits, Use};
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Key, Outcome, Unit};
use bytes::Bytes;

use crate::engine::Engine;
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;
pub use retention::{ExpiredMedia, MediaPlace};

/// A file, as far as it is known.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct MediaInfo {
    /// Its random id.
    pub id: String,
    /// Who uploaded it; empty: the app's backend.
    pub owner: String,
    /// What it is called.
    pub name: String,
    /// How many bytes it has, or will have.
    pub bytes: u64,
    /// By its bytes; empty until it is ready.
    pub content_type: String,
    /// Pixels across; zero: it is no picture that could be looked into.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Can it be downloaded?
    pub ready: bool,
    /// When it was announced.
    pub created: Timestamp,
    /// Until when it must be ready.
    pub expires: Timestamp,
}

/// What was found in a file that is whole.
#[derive(Copy, Clone, Debug)]
pub struct Found<'a> {
    /// By its bytes.
    pub content_type: &'a str,
    /// Pixels across and down, of a picture.
    pub size: Option<(u32, u32)>,
}

const TRIES_MAX: u32 = 16;

impl Engine {
    /// An id for a file that is about to be announced: nobody can guess it.
    #[must_use]
    pub fn new_media_id(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.core.tools.env.random()))
    }

    /// Announces an upload of so many bytes under a fresh id. `owner`: `None` for the server API,
    /// which has no quota.
    ///
    /// # Errors
    /// `MEDIA_TOO_LARGE`, `MEDIA_QUOTA`.
    pub async fn announce_media(
        &self,
        app: AppId,
        owner: Option<&UserId>,
        id: &str,
        name: &str,
        bytes: u64,
        limits: &MediaLimits,
    ) -> Result<MediaInfo, Reject> {
        self.check_running()?;
        rules::check_size(bytes, limits.bytes_max)?;
        let tools = &self.core.tools;
        if let Some(user) = owner {
            take(tools, app, user, bytes, limits).await?;
        }
        let now = tools.env.now();
        let row = stored::Media {
            owner: owner
                .map(|user| user.as_str().to_owned())
                .unwrap_or_default(),
            name: rules::file_name(name),
            bytes,
            created_time: now.0,
            expires: now.plus_ms(limits.unfinished_ms).0,
            ..Default::default()
        };
        let key = tables::media_key(app, id);
        let unit = Unit::new()
            .expect_unchanged(key.clone(), None)
            .put(key, tables::encode(&row));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => Ok(info(id, row)),
            Outcome::Conflict => Err(Code::AlreadyExists.into()),
            Outcome::Refused(error) => Err(fault::reject(&error)),
            Outcome::Unknown(_) => Err(Code::Timeout.into()),
        }
    }

    /// A file of the app. `NOT_FOUND` if there is none, or it was removed.
    pub async fn media(&self, app: AppId, id: &str) -> Result<MediaInfo, Reject> {
        if !anser_domain::content::is_media_id(id) {
            return Err(no_such_media());
        }
        let (_, row) = read(&self.core.tools, app, id).await?;
        Ok(info(id, row))
    }

    /// Its bytes have their place. Doing it again changes nothing.
    pub async fn complete_media(
        &self,
        app: AppId,
        id: &str,
        found: Found<'_>,
    ) -> Result<MediaInfo, Reject> {
        let tools = &self.core.tools;
        for _ in 0..TRIES_MAX {
            let (old, mut row) = read(tools, app, id).await?;
            if row.ready {
                return Ok(info(id, row));
            }
            row.ready = true;
            found.content_type.clone_into(&mut row.content_type);
            (row.width, row.height) = found.size.unwrap_or_default();
            let key = tables::media_key(app, id);
            let unit = Unit::new()
                .expect_unchanged(key.clone(), Some(old))
                .put(key, tables::encode(&row));
            if settled(tools, app, unit).await? {
                return Ok(info(id, row));
            }
        }
        Err(Code::Unavailable.into())
    }

    /// Forgets the file; its bytes are to go after this.
    pub async fn remove_media(&self, app: AppId, id: &str) -> Result<(), Reject> {
        self.forget_media(app, id, true).await.map(drop)
    }

    /// Forgets the upload, unless it became a file in between: then it stays, and this is `false`.
    pub async fn remove_unfinished_media(&self, app: AppId, id: &str) -> Result<bool, Reject> {
        self.forget_media(app, id, false).await
    }

    async fn forget_media(&self, app: AppId, id: &str, ready: bool) -> Result<bool, Reject> {
        self.check_running()?;
        let tools = &self.core.tools;
        for _ in 0..TRIES_MAX {
            let (old, row) = read(tools, app, id).await?;
            if row.ready && !ready {
                return Ok(false);
            }
            let key = tables::media_key(app, id);
            let unit = Unit::new()
                .expect_unchanged(key.clone(), Some(old))
                .delete(key);
            if settled(tools, app, unit).await? {
                return Ok(true);
            }
        }
        Err(Code::Unavailable.into())
    }

    /// The signature of a download address: of this file, variant and time, in base64url.
    #[must_use]
    pub fn sign_media(&self, app: AppId, id: &str, variant: &str, expires: Timestamp) -> String {
        sign::sign(
            &self.core.tools.settings.installation_key,
            app,
            id,
            variant,
            expires,
        )
    }

    /// Is it what [`Engine::sign_media`] gave, and not over?
    #[must_use]
    pub fn check_media_signature(
        &self,
        app: AppId,
        id: &str,
        variant: &str,
        expires: Timestamp,
        signature: &str,
    ) -> bool {
        let tools = &self.core.tools;
        let key = &tools.settings.installation_key;
        tools.env.now() <= expires && sign::is_signed(key, app, id, variant, expires, signature)
    }
}

fn no_such_media() -> Reject {
    Reject::new(Code::NotFound, "there is no such file")
}

async fn get(tools: &Tools, key: &Key) -> Result<Option<Bytes>, Reject> {
    tools.store.get(key).await.map_err(|e| fault::reject(&e))
}

async fn read(tools: &Tools, app: AppId, id: &str) -> Result<(Bytes, stored::Media), Reject> {
    let bytes = get(tools, &tables::media_key(app, id)).await?;
    let bytes = bytes.ok_or_else(no_such_media)?;
    let row = tables::decode(&bytes)?;
    Ok((bytes, row))
}

/// `false`: somebody else was there before.
async fn settled(tools: &Tools, app: AppId, unit: Unit) -> Result<bool, Reject> {
    match tools.committer.commit(app, unit).await? {
        Outcome::Committed => Ok(true),
        Outcome::Conflict => Ok(false),
        Outcome::Refused(error) => Err(fault::reject(&error)),
        Outcome::Unknown(_) => Err(Code::Timeout.into()),
    }
}

/// Counts an upload as the user's.
async fn take(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    bytes: u64,
    limits: &MediaLimits,
) -> Result<(), Reject> {
    let key = UserKeys::new(app, user.as_str()).media_use();
    for _ in 0..TRIES_MAX {
        let old = get(tools, &key).await?;
        let row: stored::MediaUse = tables::decode_some(old.as_ref())?.unwrap_or_default();
        let so_far = Use {
            day: row.day,
            bytes: row.bytes,
            uploads: row.uploads,
        };
        let next = rules::take(so_far, bytes, limits, tools.env.now())?;
        let row = stored::MediaUse {
            day: next.day,
            bytes: next.bytes,
            uploads: next.uploads,
        };
        let unit = Unit::new()
            .expect_unchanged(key.clone(), old)
            .put(key.clone(), tables::encode(&row));
        if settled(tools, app, unit).await? {
            return Ok(());
        }
    }
    Err(Code::Unavailable.into())
}

fn info(id: &str, row: stored::Media) -> MediaInfo {
    MediaInfo {
        id: id.to_owned(),
        owner: row.owner,
        name: row.name,
        bytes: row.bytes,
        content_type: row.content_type,
        width: row.width,
        height: row.height,
        ready: row.ready,
        created: Timestamp(row.created_time),
        expires: Timestamp(row.expires),
    }
}
