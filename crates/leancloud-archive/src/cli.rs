//! The command line. Every option is used; there is none for the master key on purpose.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::civil::parse_time;

/// What to do with an archive of a LeanCloud application.
#[derive(Debug, Subcommand)]
pub enum LeanCloudCommand {
    /// Read everything that is not in the archive yet. Stop it at any time; start it again to go on.
    ///
    /// The master key is taken from the environment variable LEANCLOUD_MASTER_KEY or from a file.
    /// Ends with 0 if the archive is complete, 3 if something could not be had (it is listed).
    Archive(Box<ArchiveArgs>),
    /// Check an archive against its manifest. Ends with 3 if anything is damaged or missing.
    Verify(VerifyArgs),
    /// Browse an archive.
    Show(ShowArgs),
}

/// Options of `archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Directory of the archive; created if it does not exist.
    pub archive: PathBuf,
    /// API host of the application, from the console (https://xxxxxxxx.lc-cn-n1-shared.com or your own domain).
    #[arg(long, env = "LEANCLOUD_API_HOST", required_unless_present = "offline")]
    pub host: Option<String>,
    /// Id of the application.
    #[arg(long, env = "LEANCLOUD_APP_ID")]
    pub app_id: String,
    /// File that holds the master key.
    #[arg(long, env = "LEANCLOUD_MASTER_KEY_FILE")]
    pub master_key_file: Option<PathBuf>,
    /// Allow http:// for a host that is not this machine: the master key is then sent in clear.
    #[arg(long)]
    pub allow_plain_http: bool,

    /// Requests a second at most.
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    pub rate: f64,
    /// Requests under way at once at most. LeanCloud works on 60 of one application by default.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=60))]
    pub parallel: u16,
    /// Seconds after which a request counts as failed.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    /// Seconds for which a request that keeps failing is repeated before it is given up and listed.
    #[arg(long, default_value_t = 900)]
    pub patience: u64,

    /// Which history to read the messages from.
    #[arg(long, value_name = "WAY", default_value = "auto")]
    pub via: Via,
    /// Conversations of each sort whose own history is compared with what was read.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub samples: u16,
    /// Leave a part out. Can be repeated.
    #[arg(long, value_name = "PART")]
    pub skip: Vec<Part>,
    /// Also archive this class of your own. Can be repeated.
    #[arg(long = "class", value_name = "CLASS", value_parser = class_name)]
    pub classes: Vec<String>,
    /// Also download the bytes of every file in _File.
    #[arg(long)]
    pub files: bool,
    /// Base URL for files whose row has a key but no URL (the file domain in the console).
    #[arg(long, value_name = "URL")]
    pub file_domain: Option<String>,
    /// Also read which conversations each client has blocked: one request a client.
    #[arg(long)]
    pub client_blocks: bool,
    /// Keep session tokens, passwords, salts and third-party logins of _User, which the IM part does
    /// not need.
    #[arg(long)]
    pub user_credentials: bool,

    /// Take classes from LeanCloud's own export: files (.jsonl, .bson, either with .gz) or
    /// directories of them. What is newer is then read from the API. Can be repeated.
    #[arg(long, value_name = "PATH")]
    pub export: Vec<PathBuf>,
    /// Ask the API for nothing; only take in exports.
    #[arg(long, requires = "export")]
    pub offline: bool,

    /// Archive messages before this UTC time; default: now, by the source's clock, less --settle.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<i64>,
    /// Seconds before now that are left to the next run, since messages may still be arriving.
    #[arg(long, default_value_t = 60)]
    pub settle: u32,
    /// Read the last N days that are already archived again, for messages edited or recalled since.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=150))]
    pub reread_days: u16,
    /// Read classes and lists whole again, not only what changed, so that deletions are followed.
    #[arg(long)]
    pub refresh: bool,
    /// Do not read the existing files to see whether they are damaged.
    #[arg(long)]
    pub trust_existing: bool,

    /// How to report progress. Default: bars on a terminal, else lines.
    #[arg(long, value_name = "FORM")]
    pub progress: Option<Form>,
    /// Only errors and the exit status.
    #[arg(long, short, conflicts_with = "progress")]
    pub quiet: bool,
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The classes _Conversation, _ConversationMemberInfo, _User, _File, _Installation, _SysMessage.
    Classes,
    /// All messages.
    Messages,
    /// Block lists and silences (two requests a conversation) and broadcasts.
    Lists,
    /// Subscribers of service conversations.
    Subscribers,
}

/// Which history the messages are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The application's, or where that is refused, every conversation's.
    Auto,
    /// The application's: one request a thousand messages, temporary conversations included.
    Application,
    /// Every conversation's: at least two requests each, without temporary conversations.
    Conversations,
}

/// How progress is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Bars that are drawn over.
    Bars,
    /// A line every ten seconds.
    Lines,
    /// An object of JSON a second, one a line, and the summary as JSON.
    Json,
    /// Nothing.
    None,
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Directory of the archive.
    pub archive: PathBuf,
    /// Compare checksums only; do not unpack and count every row.
    #[arg(long)]
    pub quick: bool,
    /// Report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Options of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Directory of the archive.
    pub archive: PathBuf,
    /// Print the rows as they are archived, one a line.
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    /// What to show; a summary without it.
    pub what: Option<ShowWhat>,
}

/// What to show.
#[derive(Debug, Subcommand)]
pub enum ShowWhat {
    /// What the archive holds and lacks.
    Summary,
    /// Conversations in the order of their ids.
    Conversations {
        /// Only those with this member.
        #[arg(long)]
        member: Option<String>,
        /// Only ids after this one: the last of the page before.
        #[arg(long)]
        after: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// A page of the messages of a conversation (also of a temporary one), oldest first.
    Messages {
        /// Id of the conversation.
        conversation: String,
        /// Only from this UTC time on.
        #[arg(long, value_parser = parse_time)]
        from: Option<i64>,
        /// Only before this UTC time.
        #[arg(long, value_parser = parse_time)]
        before: Option<i64>,
        /// How many; with --before and without --from the last ones, else the first ones.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// The conversations a user is a member of, and the newest messages the user has sent.
    User {
        /// Client id of the user.
        user: String,
        /// How many messages.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    (0.1..=1000.0)
        .contains(&rate)
        .then_some(rate)
        .ok_or_else(|| "must be 0.1 to 1000".to_owned())
}

/// Class names of LeanCloud: letters, digits, underscore.
fn class_name(text: &str) -> Result<String, String> {
    let fine = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fine.then(|| text.to_owned())
        .ok_or_else(|| "a class name has letters, digits and _".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(subcommand)]
        _command: LeanCloudCommand,
    }

    #[test]
    fn the_command_line_is_well_formed_and_has_no_place_for_the_key() {
        use clap::CommandFactory as _;
        let command = Program::command();
        command.clone().debug_assert();
        let archive = command.find_subcommand("archive").unwrap();
        assert!(
            archive
                .get_arguments()
                .all(|arg| arg.get_id() != "master_key")
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for args in [
            vec![
                "x",
                "archive",
                "dir",
                "--app-id",
                "a",
                "--host",
                "https://h",
                "--rate",
                "0",
            ],
            vec![
                "x",
                "archive",
                "dir",
                "--app-id",
                "a",
                "--host",
                "https://h",
                "--parallel",
                "61",
            ],
            vec![
                "x",
                "archive",
                "dir",
                "--app-id",
                "a",
                "--host",
                "https://h",
                "--class",
                "a/b",
            ],
            vec!["x", "archive", "dir", "--app-id", "a", "--offline"],
        ] {
            assert!(Program::try_parse_from(&args).is_err(), "{args:?}");
        }
    }
}
