//! The bytes that people send one another: pictures, voice, video, files.
//!
//! This crate keeps files and looks into them. Whose they are, who may have them and how many there
//! may be is decided elsewhere; here a file is a [`Key`] and bytes.
//!
//! * An **upload** ([`Uploads`]) grows in pieces. What it says it has is on disk: its offset is
//!   written after its bytes were synced, and what stands behind the offset after a crash is cut
//!   off before it goes on.
//! * A **file** ([`Media::finish`]) is an upload that is whole: looked into, given its place, and
//!   never changed again. The entry of the upload stays until [`Media::forget`], so that whoever
//!   finds it after a crash knows that there may be a file without an owner.
//! * **Looking into** a file never trusts what it says of itself: the content type comes from its
//!   first bytes, a picture's size is read before it is decoded, and decoding has limits of
//!   pixels, memory and time, on threads of its own ([`Pictures`]).
//!
//! Names that people gave their files never come here, so no path is ever made of one.

mod blobs;
mod error;
mod key;
mod media;
mod picture;
mod pictures;
mod sniff;
mod uploads;

pub use error::MediaError;
pub use key::Key;
pub use media::{Finished, Media, Options, Read, Variant};
pub use picture::PictureLimits;
pub use pictures::{Clock, Pictures};
pub use sniff::{OTHER, is_inline};
pub use uploads::{Progress, Uploads, Writer};
