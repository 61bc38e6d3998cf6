//! SHA-256 as lower-case hex, of files and of streams.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ring::digest::{Context, SHA256, digest};

/// SHA-256 of `bytes`, hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Length and SHA-256 of a file.
pub(crate) fn sha256_file(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut sum = Sum::default();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            return Ok((sum.bytes, sum.finish()));
        }
        sum.write_all(&buffer[..n])?;
    }
}

/// A running SHA-256 that counts its bytes.
pub(crate) struct Sum {
    context: Context,
    /// Bytes written so far.
    pub(crate) bytes: u64,
}

impl Default for Sum {
    fn default() -> Self {
        Self {
            context: Context::new(&SHA256),
            bytes: 0,
        }
    }
}

impl Sum {
    pub(crate) fn finish(self) -> String {
        hex(self.context.finish().as_ref())
    }
}

impl Write for Sum {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.context.update(buf);
        self.bytes += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}
