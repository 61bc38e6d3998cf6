//! Saves the instant-messaging data of a LeanCloud application before the service ends.
//!
//! LeanCloud stops on 2027-01-12 and destroys what it holds. Its own export has the classes but
//! not the messages; those come through REST only, a thousand a page, about six months back. This
//! crate reads all of it into one directory that needs neither LeanCloud nor this crate to be
//! read: gzip-compressed JSON Lines, indexes, checksums and a manifest (`docs/leancloud-archive-format.md`).
//!
//! What it promises:
//!
//! - **Stop it anywhere.** Finished files appear whole or not at all; unfinished ones continue at
//!   the page after the last one on disk. A stopped run loses only the answers in flight.
//! - **The same source gives the same bytes**, whatever the parallelism, the failures, and the
//!   number of interruptions.
//! - **Nothing is skipped in silence.** What could not be had is in the manifest with its reason,
//!   and the exit status is not zero.
//! - **Memory does not grow** with the application: rows go through, they are not collected.
//!
//! How it reads. Messages come from the application-wide history, oldest first, so that every page
//! but the last of a lane is full: a million messages in ten thousand conversations are a thousand
//! requests instead of ten thousand, and temporary conversations, which no table lists, are
//! included. The time axis is cut into days; *lanes* read runs of days side by side
//! ([`archive`]). Classes come from the scan interface or from LeanCloud's own export files
//! ([`export`]), the lists of conversations (blocks, silences, broadcasts) one by one.
//!
//! The crate depends on no other crate of this project, so that it can be built and handed out
//! alone. [`cli::LeanCloudCommand`] and [`run`] let a bigger binary mount it.

mod ambient;
pub mod api;
pub mod archive;
mod civil;
pub mod cli;
mod digest;
mod error;
pub mod export;
pub mod layout;
pub mod manifest;
pub mod progress;
mod rows;
pub mod segment;
mod show;
mod spool;
mod verify;

use std::process::ExitCode;

pub use cli::LeanCloudCommand;
pub use error::Error;

/// Exit status of a run that ended but could not have everything, or of a check that found damage.
/// (1 is a failed run, 2 a wrong command line.)
pub const EXIT_INCOMPLETE: u8 = 3;

/// Runs one command to its end and returns the exit status of the process.
///
/// Needs a multi-thread tokio runtime with time and network enabled.
pub async fn run(command: LeanCloudCommand) -> ExitCode {
    let result = match command {
        LeanCloudCommand::Archive(args) => archive::run(*args).await,
        LeanCloudCommand::Verify(args) => verify::run(&args),
        LeanCloudCommand::Show(args) => show::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            progress::complain(&error.to_string());
            ExitCode::from(1)
        }
    }
}
