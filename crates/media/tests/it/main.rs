//! Uploads become files, whatever happens in between.

#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps in vain has failed, as it should"
)]

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use anser_media::{Key, Media, MediaError, Options, PictureLimits, Progress, Variant};
use futures::TryStreamExt as _;
use tempfile::TempDir;

fn open(dir: &Path) -> Media {
    Media::open(&Options {
        dir: dir.to_owned(),
        free_space_min: 0,
        threads: 1,
        pictures: PictureLimits::default(),
        clock: Arc::new(|| 0),
    })
    .unwrap()
}

fn key(n: u8) -> Key {
    Key::new(1, &format!("{n:032x}")).unwrap()
}

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = image::RgbImage::from_pixel(400, 200, image::Rgb([9, 9, 9]));
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn upload(media: &Media, key: &Key, bytes: &[u8]) {
    media
        .uploads()
        .create(key, bytes.len() as u64)
        .await
        .unwrap();
    let mut writer = media.uploads().writer(key, 0).await.unwrap();
    writer.write(bytes).await.unwrap();
    writer.save().await.unwrap();
}

async fn read(media: &Media, key: &Key, variant: Variant) -> Vec<u8> {
    let read = media.read(key, variant, |len| Some(0..len)).await.unwrap();
    let chunks: Vec<bytes::Bytes> = read.ok().unwrap().bytes.try_collect().await.unwrap();
    chunks.concat()
}

/// Every file below a folder.
fn files(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap();
    let count = |path: &Path| if path.is_dir() { files(path) } else { 1 };
    entries.map(|entry| count(&entry.unwrap().path())).sum()
}

#[tokio::test]
async fn what_was_not_saved_is_not_there() {
    let dir = TempDir::new().unwrap();
    let (media, key) = (open(dir.path()), key(1));
    media.uploads().create(&key, 10).await.unwrap();
    let mut writer = media.uploads().writer(&key, 0).await.unwrap();
    writer.write(b"12345").await.unwrap();
    writer.save().await.unwrap();
    writer.write(b"67").await.unwrap();
    let busy = media.uploads().writer(&key, 5).await;
    assert!(
        matches!(busy, Err(MediaError::Busy)),
        "one writer at a time"
    );
    drop(writer);

    let media = open(dir.path());
    let progress = media.uploads().progress(&key).await.unwrap();
    assert_eq!(
        progress,
        Progress {
            offset: 5,
            total: 10
        }
    );
    for wrong in [0, 4, 7, 11, u64::MAX] {
        let refused = media.uploads().writer(&key, wrong).await;
        assert!(
            matches!(refused, Err(MediaError::WrongOffset(5))),
            "{wrong}"
        );
    }
    assert!(matches!(
        media.finish(&key).await,
        Err(MediaError::Unfinished)
    ));
    let mut writer = media.uploads().writer(&key, 5).await.unwrap();
    let refused = writer.write(b"abcdef").await;
    assert!(matches!(refused, Err(MediaError::TooLong)));
    writer.write(b"abcde").await.unwrap();
    writer.save().await.unwrap();
    drop(writer);
    let finished = media.finish(&key).await.unwrap();
    assert_eq!((finished.bytes, finished.size), (10, None));
    assert_eq!(read(&media, &key, Variant::Content).await, b"12345abcde");
}

#[tokio::test]
async fn a_file_is_found_again_if_nobody_lived_to_say_that_it_is_done() {
    let dir = TempDir::new().unwrap();
    let (media, key, png) = (open(dir.path()), key(2), png());
    upload(&media, &key, &png).await;
    let finished = media.finish(&key).await.unwrap();
    assert_eq!(finished.content_type, "image/png");
    assert_eq!(finished.size, Some((400, 200)));

    let media = open(dir.path());
    let all = media.uploads().all().await.unwrap();
    assert_eq!(all.len(), 1, "the sweep comes by");
    assert_eq!(media.finish(&key).await.unwrap(), finished);
    media.forget(&key).await.unwrap();
    assert!(media.uploads().all().await.unwrap().is_empty());
    assert_eq!(read(&media, &key, Variant::Content).await, png);
    let thumbnail = read(&media, &key, Variant::Thumbnail).await;
    let small = image::load_from_memory(&thumbnail).unwrap();
    assert_eq!((small.width(), small.height()), (320, 160));
    assert_eq!(files(dir.path()), 2);
}

#[tokio::test]
async fn bytes_that_are_gone_are_not_made_up_for() {
    let dir = TempDir::new().unwrap();
    let (media, whole, half) = (open(dir.path()), key(7), key(8));
    upload(&media, &whole, b"0123456789").await;
    media.finish(&whole).await.unwrap();
    let again = media.uploads().writer(&whole, 10).await;
    assert!(matches!(again, Err(MediaError::Gone)));
    assert_eq!(media.finish(&whole).await.unwrap().bytes, 10);
    assert_eq!(read(&media, &whole, Variant::Content).await, b"0123456789");

    media.uploads().create(&half, 10).await.unwrap();
    let mut writer = media.uploads().writer(&half, 0).await.unwrap();
    writer.write(b"01234").await.unwrap();
    writer.save().await.unwrap();
    drop(writer);
    let part = dir.path().join(format!("uploads/{half}.part"));
    std::fs::write(&part, b"0123").unwrap();
    let shorter = media.uploads().writer(&half, 5).await;
    assert!(matches!(shorter, Err(MediaError::Gone)));
    assert_eq!(std::fs::read(&part).unwrap(), b"0123");
}

#[tokio::test]
async fn what_goes_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let (media, one, two) = (open(dir.path()), key(3), key(4));
    upload(&media, &one, &png()).await;
    media.finish(&one).await.unwrap();
    media.forget(&one).await.unwrap();
    media.condemn(&one).await.unwrap();
    assert_eq!(media.uploads().all().await.unwrap().len(), 1);
    media.remove(&one).await.unwrap();
    media.remove(&one).await.unwrap();
    upload(&media, &two, b"half").await;
    media.remove(&two).await.unwrap();
    assert_eq!(files(dir.path()), 0);
    let gone = media.read(&one, Variant::Content, |len| Some(0..len)).await;
    assert!(matches!(gone, Err(MediaError::NotFound)));
    assert!(matches!(
        media.uploads().progress(&two).await,
        Err(MediaError::NotFound)
    ));
}

#[tokio::test]
async fn what_only_says_it_is_a_picture_is_any_file() {
    let dir = TempDir::new().unwrap();
    let (media, key) = (open(dir.path()), key(5));
    upload(&media, &key, b"\x89PNG\r\n\x1a\n<script>alert(1)</script>").await;
    let finished = media.finish(&key).await.unwrap();
    assert_eq!(finished.content_type, anser_media::OTHER);
    assert_eq!(finished.size, None);
    assert!(!anser_media::is_inline(finished.content_type));
}

#[tokio::test]
async fn a_part_of_a_file_is_read_alone() {
    let dir = TempDir::new().unwrap();
    let (media, key) = (open(dir.path()), key(6));
    upload(&media, &key, b"0123456789").await;
    media.finish(&key).await.unwrap();
    let read = media.read(&key, Variant::Content, |_| Some(3..6)).await;
    let read = read.unwrap().ok().unwrap();
    assert_eq!((read.len, read.range.clone()), (10, 3..6));
    let chunks: Vec<bytes::Bytes> = read.bytes.try_collect().await.unwrap();
    assert_eq!(chunks.concat(), b"345");
    let beyond = media.read(&key, Variant::Content, |_| None).await.unwrap();
    assert_eq!(beyond.err(), Some(10));
}
