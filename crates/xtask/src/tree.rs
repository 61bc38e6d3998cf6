//! The repository as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The checkout.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn of_this_repository() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.ancestors().nth(2).expect("crates/xtask is in it");
        Self {
            root: root.to_owned(),
        }
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> Result<String, String> {
        fs::read_to_string(self.path(relative)).map_err(|error| format!("{relative}: {error}"))
    }

    /// The files that belong to the repository and end so: those that git knows or would add.
    pub(crate) fn files(&self, ending: &str) -> Vec<String> {
        let output = Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "-z",
            ])
            .current_dir(&self.root)
            .output();
        let names = match output {
            Ok(output) if output.status.success() => output.stdout,
            // An unpacked release has no git; then everything is walked.
            _ => return self.walk(ending),
        };
        String::from_utf8_lossy(&names)
            .split('\0')
            .filter(|name| name.ends_with(ending) && self.path(name).is_file())
            .map(ToOwned::to_owned)
            .collect()
    }

    fn walk(&self, ending: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.root.clone()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = entry.file_name();
                let skipped = ["target", "node_modules", "dist", ".git", ".venv"];
                if path.is_dir() {
                    if !skipped.iter().any(|skipped| name == *skipped) {
                        open.push(path);
                    }
                } else if let Ok(relative) = path.strip_prefix(&self.root) {
                    let relative = relative.to_string_lossy().into_owned();
                    if relative.ends_with(ending) {
                        found.push(relative);
                    }
                }
            }
        }
        found.sort();
        found
    }
}
