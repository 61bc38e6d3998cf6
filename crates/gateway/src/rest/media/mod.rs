//! Files over HTTP: uploads in one request or in pieces (tus 1.0), what is known of a file, and
//! downloads.
//!
//! Whoever holds an app's API secret, and every user by the token that the native protocol takes,
//! may upload. Bodies go to disk as they come, through a queue of a few pieces and a task that
//! outlives the request: what arrived of an interrupted upload is kept, and is where it goes on.
//! A transfer has no total time but must not stand still; how many there are at once is limited,
//! per user and in all.
//!
//! What is handed out is never run: the content type is the one that was found in the bytes,
//! whatever could be active is a download and not a page, and nothing is sniffed.

mod caller;
mod cors;
pub(super) mod download;
pub(super) mod files;
mod places;
mod retention;
mod sweep;
mod transfer;
pub(super) mod tus;

use anser_domain::media::MediaLimits;
use anser_domain::{Code, Reject};
use anser_media::{Key, Media, MediaError};
use axum::Router;
use axum::routing::{get, patch, post};

use super::Api;

use download::{get_content, get_thumbnail};
use files::{delete_media, get_media, upload_media};
pub(super) use retention::walk;
pub(super) use sweep::sweep;
use tus::{create_upload, delete_upload, get_upload_offset, upload_piece};

/// Limits of uploads and downloads.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Sizes and quotas.
    pub limits: MediaLimits,
    /// Bytes of an upload in one request; larger ones go in pieces.
    pub request_bytes_max: u64,
    /// Transfers to the server at once, of one user.
    pub user_parallel: usize,
    /// Transfers to the server at once, in all.
    pub parallel: usize,
    /// Life of a download address, in seconds.
    pub url_seconds: u64,
}

impl Default for MediaSettings {
    fn default() -> Self {
        Self {
            limits: MediaLimits::default(),
            request_bytes_max: 10 << 20,
            user_parallel: 4,
            parallel: 256,
            url_seconds: 3_600,
        }
    }
}

/// What the routes work with.
pub(super) struct State {
    files: Media,
    places: places::Places,
}

impl State {
    pub(super) fn new(files: Media, settings: &MediaSettings) -> Self {
        Self {
            files,
            places: places::Places::new(settings.parallel, settings.user_parallel),
        }
    }
}

/// The longest that a transfer may take; it is cut off much earlier if nothing comes.
pub(super) const TRANSFER_MS_MAX: u64 = 3_600 * 1_000;

/// Does a request of this route take as long as its body?
pub(super) fn is_transfer(route: &str, method: &str) -> bool {
    matches!(
        (route, method),
        ("/v1/media", "POST") | ("/v1/media/uploads/{media_id}", "PATCH")
    )
}

pub(super) fn routes() -> Router<Api> {
    let file = get(get_media).delete(delete_media);
    let upload = patch(upload_piece)
        .head(get_upload_offset)
        .delete(delete_upload);
    Router::new()
        .route("/v1/media", post(upload_media).options(cors::asked))
        .route("/v1/media/{media_id}", file.options(cors::asked))
        .route(
            "/v1/media/{media_id}/content",
            get(get_content).options(cors::asked),
        )
        .route(
            "/v1/media/{media_id}/thumbnail",
            get(get_thumbnail).options(cors::asked),
        )
        .route(
            "/v1/media/uploads",
            post(create_upload).options(cors::asked),
        )
        .route("/v1/media/uploads/{media_id}", upload.options(cors::asked))
        .layer(axum::middleware::from_fn(cors::cors))
}

fn refuse(error: MediaError) -> Reject {
    match error {
        MediaError::NotFound => Reject::new(Code::NotFound, "there is no such file"),
        MediaError::Busy => Reject::new(Code::UploadConflict, "somebody else writes to it"),
        MediaError::WrongOffset(offset) => Reject::new(
            Code::UploadConflict,
            format!("the upload has {offset} bytes"),
        ),
        MediaError::TooLong => Reject::new(
            Code::MediaTooLarge,
            "there are more bytes than were announced",
        ),
        MediaError::Gone => Reject::new(
            Code::UploadConflict,
            "the bytes of the upload are a file already, or lost",
        ),
        MediaError::Unfinished => Reject::new(Code::UploadConflict, "the upload is not whole yet"),
        MediaError::Full => Code::StorageFull.into(),
        MediaError::Io(error) => {
            tracing::error!(%error, "a file could not be written or read");
            Code::Internal.into()
        }
    }
}

fn key(app: anser_domain::AppId, id: &str) -> Result<Key, Reject> {
    Key::new(app.0, id).ok_or_else(|| Reject::new(Code::NotFound, "there is no such file"))
}
