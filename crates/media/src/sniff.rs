//! What a file is, by its first bytes. What its sender says of it is not looked at.

use image::ImageFormat;

/// Bytes from the start that are looked at.
pub(crate) const HEAD_BYTES: usize = 64;
/// The type of what is nothing that we know.
pub const OTHER: &str = "application/octet-stream";

/// The content type of a file that starts like this.
pub(crate) fn content_type(head: &[u8]) -> &'static str {
    if let Some(format) = picture(head) {
        return format.to_mime_type();
    }
    let brand = head.get(8..12).unwrap_or_default();
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => match brand {
            b"M4A " | b"M4B " => "audio/mp4",
            b"qt  " => "video/quicktime",
            [b'3', b'g', b'p', _] => "video/3gpp",
            b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1"
            | b"M4V " | b"dash" | b"MSNV" => "video/mp4",
            _ => OTHER,
        },
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "video/webm",
        [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] => "audio/mpeg",
        [0xff, 0xf1 | 0xf9, ..] => "audio/aac",
        [b'R', b'I', b'F', b'F', ..] if brand == b"WAVE" => "audio/wav",
        [b'#', b'!', b'A', b'M', b'R', ..] => "audio/amr",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        [b'P', b'K', 3, 4, ..] => "application/zip",
        [0x1f, 0x8b, ..] => "application/gzip",
        _ => OTHER,
    }
}

/// The format of a picture that we decode.
pub(crate) fn picture(head: &[u8]) -> Option<ImageFormat> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Some(ImageFormat::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(ImageFormat::Gif),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(ImageFormat::WebP),
        _ => None,
    }
}

/// May a browser show it in place? Nothing that could run in the page's name is among these.
#[must_use]
pub fn is_inline(content_type: &str) -> bool {
    matches!(
        content_type,
        "image/png" | "image/jpeg" | "image/gif" | "image/webp"
    ) || content_type.starts_with("audio/")
        || content_type.starts_with("video/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        assert_eq!(content_type(b"\x89PNG\r\n\x1a\nrest"), "image/png");
        assert_eq!(content_type(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp");
        assert_eq!(content_type(b"RIFF\0\0\0\0WAVEfmt "), "audio/wav");
        assert_eq!(content_type(b"\0\0\0\x20ftypisom"), "video/mp4");
        assert_eq!(content_type(b"\0\0\0\x20ftyp"), OTHER);
        assert_eq!(content_type(b""), OTHER);
    }

    #[test]
    fn what_could_run_is_never_shown_in_place() {
        for active in [
            &b"<!DOCTYPE html><script>"[..],
            b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"x()\">",
            b"<?xml version=\"1.0\"?><svg>",
            b"%PDF-1.7",
            b"GIF89",
        ] {
            assert!(!is_inline(content_type(active)));
        }
        assert!(is_inline("image/gif"));
        assert!(!is_inline("image/svg+xml"));
    }
}
