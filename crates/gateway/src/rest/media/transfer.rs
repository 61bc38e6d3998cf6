//! From a request's body to the disk.

use anser_domain::{Code, Reject};
use anser_media::{Key, MediaError, Progress, Writer};
use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::{SinkExt as _, StreamExt as _};
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

use super::super::Api;
use super::super::failure::{Failure, Result};
use super::places::Place;
use super::refuse;

/// Pieces between the connection and the disk; each is what one read of the socket gave.
const QUEUE_PIECES: usize = 4;
/// A body that stands still so long has ended.
const IDLE_MS: u64 = 30_000;
/// What may be lost of an interrupted upload.
const SAVE_EVERY_BYTES: u64 = 8 << 20;

/// What a piece must be, by its sender.
pub(super) struct Checksum {
    algorithm: &'static Algorithm,
    digest: Vec<u8>,
}

impl Checksum {
    /// As tus writes it: the algorithm, a space, the digest in base64.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (name, digest) = text.split_once(' ').unwrap_or_default();
        let algorithm = match name {
            "sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => &SHA256,
            _ => return Err(Failure::invalid("Upload-Checksum is sha1 or sha256")),
        };
        let digest = BASE64.decode(digest).unwrap_or_default();
        if digest.len() != algorithm.output_len() {
            return Err(Failure::invalid("Upload-Checksum: that is no digest"));
        }
        Ok(Self { algorithm, digest })
    }
}

enum Piece {
    Bytes(Bytes),
    /// The body is whole.
    End,
}

/// Appends a body to an upload that stands at `offset`; how far it is then. Who goes away in
/// between finds what had arrived.
pub(super) async fn receive(
    api: &Api,
    key: &Key,
    offset: u64,
    body: Body,
    checksum: Option<Checksum>,
    place: Place,
) -> std::result::Result<Progress, Reject> {
    let uploads = api.media.files.uploads();
    let writer = uploads.writer(key, offset).await.map_err(refuse)?;
    let (mut pieces, queue) = mpsc::channel(QUEUE_PIECES);
    let (answer, result) = oneshot::channel();
    api.env.spawn(async move {
        let written = write(writer, queue, checksum).await;
        // The place is free when whoever waits hears of it.
        drop(place);
        drop(answer.send(written));
    });
    let mut body = body.into_data_stream();
    loop {
        let idle = Box::pin(api.env.sleep(IDLE_MS));
        let piece = match select(body.next(), idle).await {
            Either::Left((Some(Ok(bytes)), _)) => Piece::Bytes(bytes),
            Either::Left((None, _)) => Piece::End,
            Either::Left((Some(Err(_)), _)) | Either::Right(_) => break,
        };
        let ends = matches!(piece, Piece::End);
        // A writer that has gone says why.
        if pieces.send(piece).await.is_err() || ends {
            break;
        }
    }
    drop(pieces);
    result.await.unwrap_or_else(|_| Err(Code::Timeout.into()))
}

/// Takes a body of an upload that is whole already: there is nothing in it.
pub(super) async fn expect_nothing(api: &Api, body: Body) -> std::result::Result<(), Reject> {
    let idle = Box::pin(api.env.sleep(IDLE_MS));
    match select(Box::pin(to_bytes(body, 0)), idle).await {
        Either::Left((Ok(_), _)) => Ok(()),
        Either::Left((Err(_), _)) => Err(refuse(MediaError::TooLong)),
        Either::Right(_) => Err(Code::Timeout.into()),
    }
}

async fn write(
    mut writer: Writer,
    mut queue: mpsc::Receiver<Piece>,
    checksum: Option<Checksum>,
) -> std::result::Result<Progress, Reject> {
    let mut digest = checksum.as_ref().map(|it| Context::new(it.algorithm));
    let (mut unsaved, mut whole) = (0, false);
    while let Some(piece) = queue.next().await {
        let Piece::Bytes(bytes) = piece else {
            whole = true;
            break;
        };
        writer.write(&bytes).await.map_err(refuse)?;
        if let Some(digest) = &mut digest {
            digest.update(&bytes);
            continue;
        }
        unsaved += bytes.len() as u64;
        if unsaved >= SAVE_EVERY_BYTES {
            writer.save().await.map_err(refuse)?;
            unsaved = 0;
        }
    }
    if let (Some(checksum), Some(digest)) = (checksum, digest)
        && (!whole || digest.finish().as_ref() != checksum.digest)
    {
        // Nothing of it was saved, so nothing of it is there.
        return Err(Code::ChecksumMismatch.into());
    }
    let progress = writer.save().await.map_err(refuse)?;
    match whole {
        true => Ok(progress),
        false => Err(Reject::new(Code::Timeout, "the body ended before its end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_as_tus_writes_them() {
        let sha1 = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=";
        assert_eq!(Checksum::parse(sha1).unwrap().digest.len(), 20);
        for bad in [
            "",
            "sha1",
            "sha1 Kq5s",
            "md5 Kq5sNclPz7QV2+lfQIuc6Q==",
            "sha256 !",
        ] {
            assert!(Checksum::parse(bad).is_err(), "{bad}");
        }
    }
}
