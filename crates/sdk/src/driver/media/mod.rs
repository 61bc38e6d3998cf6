//! Files and pictures: over HTTP, beside the connection, with the same tokens.
//!
//! What fits into one request is uploaded whole ([`Client::upload`]). A file goes in pieces by tus
//! ([`Client::upload_file`]): each piece that the server took is on its disk, so after a failure,
//! or a restart, the upload goes on from there. A client with a database keeps what is not finished
//! in it; nothing of the file itself is copied.

mod http;
mod tus;

use std::path::Path;
use std::sync::Arc;

use ::http::Method;
use anser_domain::Timestamp;
use anser_domain::code::Code;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(super) use self::http::{Base, Http};

use self::http::{Answer, percent_encoded};
use self::tus::Sending;
use super::client::Client;
use super::database::LocalDatabase;
use crate::database::PendingUpload;
use crate::error::Error;
use crate::model::MediaFile;

/// How far an upload is.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct UploadProgress {
    /// Bytes that the server has on its disk.
    pub sent: u64,
    /// Of so many.
    pub bytes: u64,
}

/// A file on its way to the server. Dropping it stops the upload where it is: it can be
/// [resumed](Client::resume_upload) if the client has a database.
#[derive(Debug)]
pub struct Upload {
    id: String,
    progress: watch::Receiver<UploadProgress>,
    task: Option<JoinHandle<Result<MediaFile, Error>>>,
}

impl Upload {
    /// Names it on this device, for [`Client::resume_upload`].
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How far it is, now and whenever that changes.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<UploadProgress> {
        self.progress.clone()
    }

    /// Waits until the server has all of it. Fails when the server refuses it, when the file is
    /// not there or not what it was, and when nothing comes through for minutes: then it can be
    /// resumed.
    pub async fn finish(mut self) -> Result<MediaFile, Error> {
        let Some(task) = self.task.as_mut() else {
            return Err(Error::disconnected());
        };
        let finished = task.await;
        finished.unwrap_or_else(|why| Err(Error::new(Code::Internal, why.to_string())))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Client {
    /// Uploads what fits into one request, by default 10 MiB.
    pub async fn upload(&self, name: &str, bytes: impl Into<Bytes>) -> Result<MediaFile, Error> {
        let http = self.http()?;
        let path = format!("/v1/media?name={}", percent_encoded(name));
        let answer = http.request(Method::POST, &path, &[], bytes.into()).await?;
        file(&http, &answer)
    }

    /// Uploads a file in pieces, however large the server allows, from where it is on this
    /// device. Starts at once.
    pub async fn upload_file(&self, path: impl AsRef<Path>) -> Result<Upload, Error> {
        let http = self.http()?;
        let path = path.as_ref().to_owned();
        let upload = tus::look_at(path, Client::new_message_id()).await?;
        if let Some(database) = self.database() {
            database.keep_upload(upload.clone()).await?;
        }
        Ok(start(http, self.database().cloned(), upload))
    }

    /// Goes on with an upload of an earlier time: one of [`LocalDatabase::uploads`].
    pub async fn resume_upload(&self, id: &str) -> Result<Upload, Error> {
        let http = self.http()?;
        let upload = self.pending_upload(id).await?;
        Ok(start(http, self.database().cloned(), upload))
    }

    /// Gives up an upload of an earlier time, on the server too if it can be reached.
    pub async fn discard_upload(&self, id: &str) -> Result<(), Error> {
        let http = self.http()?;
        let upload = self.pending_upload(id).await?;
        if !upload.location.is_empty() {
            let gone = tus::delete(&http, &upload.location).await;
            // What the server does not hear of, it removes by itself after a day.
            drop(gone);
        }
        match self.database() {
            Some(database) => database.end_upload(id.to_owned()).await,
            None => Ok(()),
        }
    }

    async fn pending_upload(&self, id: &str) -> Result<PendingUpload, Error> {
        let uploads = match self.database() {
            Some(database) => database.uploads().await?,
            None => Vec::new(),
        };
        let found = uploads.into_iter().find(|upload| upload.id == id);
        found.ok_or_else(|| Error::new(Code::NotFound, "this device has no such upload"))
    }

    /// Reads what a file is, with addresses to download it, and its thumbnail, from.
    pub async fn media(&self, media: &str) -> Result<MediaFile, Error> {
        let http = self.http()?;
        let path = format!("/v1/media/{}", percent_encoded(media));
        let answer = http.request(Method::GET, &path, &[], Bytes::new()).await?;
        file(&http, &answer)
    }

    /// Removes a file that this user uploaded, for messages that name it too.
    pub async fn delete_media(&self, media: &str) -> Result<(), Error> {
        let http = self.http()?;
        let path = format!("/v1/media/{}", percent_encoded(media));
        let answer = http.request(Method::DELETE, &path, &[], Bytes::new());
        answer.await.map(drop)
    }
}

fn start(http: Arc<Http>, database: Option<LocalDatabase>, upload: PendingUpload) -> Upload {
    let (tell, progress) = watch::channel(UploadProgress {
        sent: 0,
        bytes: upload.bytes,
    });
    let id = upload.id.clone();
    let sending = Sending {
        http,
        database,
        upload,
        tell,
    };
    Upload {
        id,
        progress,
        task: Some(tokio::spawn(sending.run())),
    }
}

/// What the server says of a file.
fn file(http: &Http, answer: &Answer) -> Result<MediaFile, Error> {
    let json: serde_json::Value = serde_json::from_slice(&answer.body)
        .map_err(|why| Error::new(Code::Internal, format!("no file: {why}")))?;
    let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| json[key].as_u64().unwrap_or_default();
    let pixels = |key: &str| json[key].as_u64().and_then(|side| u32::try_from(side).ok());
    let url = |key: &str| json[key].as_str().map(|path| http.url(path));
    Ok(MediaFile {
        media: text("media"),
        name: text("name"),
        bytes: number("bytes"),
        content_type: text("content_type"),
        size: pixels("width").zip(pixels("height")),
        ready: json["ready"].as_bool().unwrap_or_default(),
        url: url("url"),
        thumbnail_url: url("thumbnail_url"),
        url_expires: Timestamp(number("url_expires")),
    })
}
