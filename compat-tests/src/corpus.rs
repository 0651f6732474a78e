//! Real text as input: the licence and documentation files of the machine's installed packages, every line made unique by
//! a running number in front. The same machine always gives the same text.

use crate::{Result, ensure};
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const SOURCES: &[&str] = &["/usr/share/doc", "/usr/share/licenses", "/usr/share/common-licenses", "/usr/share/perl"];
/// Longer lines are cut here: a line is one message, and brokers by default take messages of up to a megabyte.
const LONGEST_LINE: usize = 8_000;

/// Writes whole lines into `path` until it holds at least `size_bytes`; returns how many lines that were.
pub fn write(path: &Path, size_bytes: u64) -> Result<usize> {
    let mut files = Vec::new();
    SOURCES.iter().for_each(|folder| collect(Path::new(folder), &mut files));
    files.sort();
    let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(path)?);
    let (mut written, mut lines) = (0, 0);
    while written < size_bytes {
        let before = written;
        for file in &files {
            let Some(text) = text_of(file) else { continue };
            for line in text.lines() {
                let line = &line[..floor_char_boundary(line, LONGEST_LINE)];
                written += format_line(&mut out, lines, line)?;
                lines += 1;
                if written >= size_bytes {
                    out.flush()?;
                    return Ok(lines);
                }
            }
        }
        ensure!(written > before, "this machine has no text below {SOURCES:?}");
    }
    Ok(lines)
}

fn format_line(out: &mut impl Write, number: usize, line: &str) -> Result<u64> {
    writeln!(out, "{number:09} {line}")?;
    Ok(line.len() as u64 + 11)
}

fn floor_char_boundary(line: &str, at: usize) -> usize {
    (0..=at.min(line.len())).rev().find(|i| line.is_char_boundary(*i)).unwrap_or(0)
}

/// A file's text, if it is text: UTF-8 without NUL.
fn text_of(file: &Path) -> Option<String> {
    let text = String::from_utf8(fs::read(file).ok()?).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}
