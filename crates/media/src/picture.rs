//! Looking into a picture: its size, and a small one made of it.
//!
//! Pictures come from strangers. The size is read before anything is decoded; pixels, memory, the
//! bytes of the file and the passes that a progressive JPEG asks for are limited, and a decoder
//! that comes back for more after its time gets an error instead. What the small picture keeps
//! is what can be seen: it is turned as the camera said, and has no metadata.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

/// What looking into a picture may cost.
#[derive(Clone, Debug)]
pub struct PictureLimits {
    /// Pixels of a picture; beyond, it is a file like any other.
    pub pixels_max: u64,
    /// Bytes of its file; beyond, the same.
    pub bytes_max: u64,
    /// Milliseconds.
    pub time_ms_max: u64,
    /// Pixels of the longer side of the small picture.
    pub thumbnail_side: u32,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self {
            pixels_max: 40_000_000,
            bytes_max: 32 << 20,
            time_ms_max: 10_000,
            thumbnail_side: 320,
        }
    }
}

/// Passes of a JPEG: each goes over all pixels. Cameras write up to ten.
const SCANS_MAX: usize = 24;
/// Quality of the small picture, of 100.
const QUALITY: u8 = 80;
/// Bytes of a pixel, decoded; 16 bits a channel.
const PIXEL_BYTES_MAX: u64 = 8;

/// A picture that could be decoded.
pub(crate) struct Picture {
    /// Pixels across, as it is looked at.
    pub(crate) width: u32,
    /// Pixels down.
    pub(crate) height: u32,
    /// A JPEG with no side longer than asked for.
    pub(crate) thumbnail: Vec<u8>,
}

/// Why a picture is none.
#[derive(Debug)]
pub(crate) struct Broken;

impl<E: std::error::Error> From<E> for Broken {
    fn from(_: E) -> Self {
        // Which of the many ways a file can be broken is of no use to anybody here.
        Self
    }
}

/// Decodes it, within limits. `expired`: is the time over?
pub(crate) fn look(
    mut file: File,
    format: ImageFormat,
    limits: &PictureLimits,
    expired: &dyn Fn() -> bool,
) -> Result<Picture, Broken> {
    if file.metadata()?.len() > limits.bytes_max {
        return Err(Broken);
    }
    if format == ImageFormat::Jpeg && scans(&mut file)? > SCANS_MAX {
        return Err(Broken);
    }
    let watched = BufReader::new(Watched { file, expired });
    let mut reader = ImageReader::with_format(watched, format);
    reader.limits(memory(limits));
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > limits.pixels_max {
        return Err(Broken);
    }
    decoder.set_limits(memory(limits))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder)?;
    if expired() {
        return Err(Broken);
    }
    let side = limits.thumbnail_side;
    let mut small = match width.max(height) > side {
        true => image.thumbnail(side, side),
        false => image,
    };
    small.apply_orientation(orientation);
    let mut thumbnail = Vec::new();
    on_white(&small).write_with_encoder(JpegEncoder::new_with_quality(&mut thumbnail, QUALITY))?;
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if turned {
        (height, width)
    } else {
        (width, height)
    };
    Ok(Picture {
        width,
        height,
        thumbnail,
    })
}

fn memory(limits: &PictureLimits) -> Limits {
    let mut memory = Limits::default();
    memory.max_alloc = Some(limits.pixels_max.saturating_mul(PIXEL_BYTES_MAX));
    memory
}

/// JPEG knows no transparency.
fn on_white(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    RgbImage::from_fn(rgba.width(), rgba.height(), |x, y| {
        let [r, g, b, alpha] = rgba.get_pixel(x, y).0;
        let alpha = u32::from(alpha);
        let over = |channel: u8| {
            let mixed = (u32::from(channel) * alpha + 255 * (255 - alpha)) / 255;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        image::Rgb([over(r), over(g), over(b)])
    })
}

/// How many passes a JPEG asks for: the marker can't stand in what is compressed.
fn scans(file: &mut File) -> io::Result<usize> {
    let mut reader = BufReader::new(&mut *file);
    let (mut count, mut before) = (0, 0_u8);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        for byte in bytes {
            count += usize::from(before == 0xff && *byte == 0xda);
            before = *byte;
        }
        let read = bytes.len();
        reader.consume(read);
    }
    file.rewind()?;
    Ok(count)
}

/// A file that can't be read any more when the time is over.
struct Watched<'a> {
    file: File,
    expired: &'a dyn Fn() -> bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if (self.expired)() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.file.read(into)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write as _};

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn seen(bytes: &[u8]) -> Result<Picture, Broken> {
        let format = crate::sniff::picture(bytes).ok_or(Broken)?;
        look(file(bytes), format, &PictureLimits::default(), &|| false)
    }

    /// Left half red, right half blue.
    fn flag(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
            true => image::Rgb([255, 0, 0]),
            false => image::Rgb([0, 0, 255]),
        })
        .into()
    }

    #[test]
    fn every_format_gets_a_small_jpeg() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Gif,
            ImageFormat::WebP,
        ] {
            let picture = seen(&encoded(&flag(1_000, 500), format)).unwrap();
            assert_eq!((picture.width, picture.height), (1_000, 500), "{format:?}");
            let small = image::load_from_memory_with_format(&picture.thumbnail, ImageFormat::Jpeg);
            let small = small.unwrap().to_rgb8();
            assert_eq!((small.width(), small.height()), (320, 160));
            let red = small.get_pixel(10, 80).0;
            assert!(red[0] > 200 && red[2] < 60, "{red:?}");
        }
    }

    #[test]
    fn the_cameras_orientation_is_respected_and_dropped() {
        let jpeg = encoded(&flag(100, 50), ImageFormat::Jpeg);
        // EXIF with one entry: orientation 6, "turn right by 90 degrees".
        let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        let len = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let turned = [&jpeg[..2], &[0xff, 0xe1], &len, exif, &jpeg[2..]].concat();
        let picture = seen(&turned).unwrap();
        assert_eq!((picture.width, picture.height), (50, 100));
        let text = b"Exif";
        assert!(!picture.thumbnail.windows(4).any(|four| four == text));
        let small = image::load_from_memory(&picture.thumbnail)
            .unwrap()
            .to_rgb8();
        assert_eq!((small.width(), small.height()), (50, 100));
        let (top, bottom) = (small.get_pixel(25, 10).0, small.get_pixel(25, 90).0);
        assert!(top[0] > 200 && bottom[2] > 200, "{top:?} {bottom:?}");
    }

    #[test]
    fn what_is_transparent_gets_white() {
        let clear = image::RgbaImage::from_pixel(8, 8, image::Rgba([0, 0, 0, 0]));
        let picture = seen(&encoded(&clear.into(), ImageFormat::Png)).unwrap();
        let small = image::load_from_memory(&picture.thumbnail)
            .unwrap()
            .to_rgb8();
        assert!(small.get_pixel(4, 4).0.iter().all(|channel| *channel > 250));
    }

    #[test]
    fn a_bomb_is_refused_by_its_size_and_not_decoded() {
        let mut png = encoded(&flag(10, 10), ImageFormat::Png);
        // The header's width and height, and its checksum, which decoders check.
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert!(seen(&png).is_err());
        let mut gif = encoded(&flag(10, 10), ImageFormat::Gif);
        gif[6..10].copy_from_slice(&[0xff; 4]);
        assert!(seen(&gif).is_err());
        let limits = PictureLimits {
            pixels_max: 99,
            ..PictureLimits::default()
        };
        let png = encoded(&flag(10, 10), ImageFormat::Png);
        assert!(look(file(&png), ImageFormat::Png, &limits, &|| false).is_err());
        let limits = PictureLimits {
            bytes_max: 9,
            ..PictureLimits::default()
        };
        assert!(look(file(&png), ImageFormat::Png, &limits, &|| false).is_err());
    }

    #[test]
    fn a_jpeg_of_endless_passes_is_refused() {
        let jpeg = encoded(&flag(10, 10), ImageFormat::Jpeg);
        let mut bomb = jpeg[..jpeg.len() - 2].to_vec();
        for _ in 0..=SCANS_MAX {
            bomb.extend([0xff, 0xda, 0, 2]);
        }
        assert!(scans(&mut file(&bomb)).unwrap() > SCANS_MAX);
        assert!(seen(&bomb).is_err());
    }

    #[test]
    fn when_the_time_is_over_it_ends() {
        let png = encoded(&flag(10, 10), ImageFormat::Png);
        let limits = PictureLimits::default();
        assert!(look(file(&png), ImageFormat::Png, &limits, &|| true).is_err());
    }

    /// Whatever is cut off or flipped, it ends, and with an answer.
    #[test]
    fn broken_pictures_never_panic() {
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Gif,
            ImageFormat::WebP,
        ] {
            let whole = encoded(&flag(40, 30), format);
            for at in (0..whole.len()).step_by(7) {
                let _ = seen(&whole[..at]);
                let mut flipped = whole.clone();
                flipped[at] ^= 0xa5;
                let _ = seen(&flipped);
            }
        }
    }
}
