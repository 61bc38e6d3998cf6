//! The data directory: the store, and the two secrets of the installation beside it.
//!
//! * `installation.key` seals the secrets of apps in the store. A copy of the store without it
//!   gives away no API secret and no token key; a store without it cannot serve them either, so it
//!   belongs into the backup, apart from the store.
//! * `admin.token` is what an operator shows to manage apps.
//! * `store/` is the store.
//! * `media/` has the files that people uploaded, unless the configuration puts them elsewhere.
//! * `anser.sock` is where the running server listens for the other subcommands.
//!
//! Both secrets are made at the first start and readable by their owner only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};

const INSTALLATION_KEY: &str = "installation.key";
const ADMIN_TOKEN: &str = "admin.token";
/// A key or token with the line end, and room.
const SECRET_BYTES_MAX: u64 = 256;

/// What is wrong with the data directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    /// A file or directory could not be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A secret is not what was once written there.
    #[error("{} does not hold what the server wrote there; restore it from the backup", .0.display())]
    Damaged(PathBuf),
    /// There is a store whose secrets cannot be read.
    #[error(
        "{} is missing, but there is a store: without the key its secrets cannot be read. \
         Restore the file from the backup", .0.display()
    )]
    KeyMissing(PathBuf),
}

/// An opened data directory.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// The directory at `path`, which need not exist.
    #[must_use]
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Creates the directory, for its owner only, if it is not there.
    pub(crate) fn create(&self) -> Result<(), DataDirError> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.map_err(at(&self.path))
    }

    /// Where the store is.
    #[must_use]
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where uploaded files are, unless the configuration says otherwise.
    #[must_use]
    pub(crate) fn media(&self) -> PathBuf {
        self.path.join("media")
    }

    /// Where the running server listens for the other subcommands.
    #[must_use]
    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("anser.sock")
    }

    /// Where the admin token is.
    #[must_use]
    pub(crate) fn admin_token_file(&self) -> PathBuf {
        self.path.join(ADMIN_TOKEN)
    }

    /// The key that seals secrets at rest; made now if this is the first start.
    pub(crate) fn installation_key(&self) -> Result<[u8; 32], DataDirError> {
        let path = self.path.join(INSTALLATION_KEY);
        if !path.exists() && self.store().exists() {
            return Err(DataDirError::KeyMissing(path));
        }
        let text = self.read_or_make(&path)?;
        let bytes = BASE64.decode(&text).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(DataDirError::Damaged(path))
    }

    /// The admin token; made now if there is none.
    pub(crate) fn admin_token(&self) -> Result<String, DataDirError> {
        self.read_or_make(&self.admin_token_file())
    }

    /// The admin token that is there.
    pub(crate) fn read_admin_token(&self) -> Result<String, DataDirError> {
        let path = self.admin_token_file();
        read(&path).map_err(at(&path))
    }

    fn read_or_make(&self, path: &Path) -> Result<String, DataDirError> {
        match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make(path).map_err(at(path))
            }
            Err(error) => Err(at(path)(error)),
            Ok(text) if text.len() < 32 => Err(DataDirError::Damaged(path.to_owned())),
            Ok(text) => Ok(text),
        }
    }

    /// Appears whole or not at all: half a key after a crash would look like a damaged one.
    fn make(&self, path: &Path) -> io::Result<String> {
        let mut bytes = [0; 32];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("the operating system has no randomness"))?;
        let text = BASE64.encode(bytes);
        let draft = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        writeln!(file, "{text}")?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(&self.path)?.sync_all()?;
        Ok(text)
    }
}

fn read(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(
            file = %path.display(),
            "others than the owner may read this secret; chmod 600 it"
        );
    }
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |error| DataDirError::Io { path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_for_the_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(&temp.path().join("a/b"));
        dir.create().unwrap();
        let (key, token) = (dir.installation_key().unwrap(), dir.admin_token().unwrap());
        assert_eq!(dir.installation_key().unwrap(), key);
        assert_eq!(dir.read_admin_token().unwrap(), token);
        assert_ne!(BASE64.encode(key), token);
        for name in [INSTALLATION_KEY, ADMIN_TOKEN] {
            let mode = fs::metadata(dir.path.join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_store_without_its_key_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path());
        fs::create_dir(dir.store()).unwrap();
        assert!(matches!(
            dir.installation_key(),
            Err(DataDirError::KeyMissing(_))
        ));
        fs::write(temp.path().join(INSTALLATION_KEY), "short\n").unwrap();
        assert!(matches!(
            dir.installation_key(),
            Err(DataDirError::Damaged(_))
        ));
    }
}
