//! LeanCloud's data export: JSON Lines with a header.

use std::io::{BufRead, Read as _};
use std::path::Path;

use crate::error::{At as _, Error};
use crate::segment::ROW_BYTES_MAX;

/// Calls `row` with each object's text. Lines that begin with `#` and empty ones are passed over.
pub(super) fn each_row(
    path: &Path,
    reader: &mut impl BufRead,
    mut row: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let n = reader
            .by_ref()
            .take(ROW_BYTES_MAX as u64)
            .read_until(b'\n', &mut line)
            .at(path)?;
        if n == 0 {
            return Ok(());
        }
        if n == ROW_BYTES_MAX {
            return Err(Error::damaged(path, "a line is longer than 32 MiB"));
        }
        let text = line.trim_ascii();
        if !text.is_empty() && !text.starts_with(b"#") {
            row(text)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_empty_lines_and_a_missing_last_line_end() {
        let text = "#filetype:JSON-streaming {\"type\":\"Class\",\"class\":\"_User\"}\n\n{\"a\":1}\r\n{\"a\":2}";
        let mut rows = Vec::new();
        let mut reader = text.as_bytes();
        each_row(Path::new("x"), &mut reader, |row| {
            rows.push(String::from_utf8(row.to_vec()).unwrap());
            Ok(())
        })
        .unwrap();
        assert_eq!(rows, ["{\"a\":1}", "{\"a\":2}"]);
    }
}
