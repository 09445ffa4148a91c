//! Standard input by lines.
//!
//! Reading is split so that a fiber can park: [`Input::needs_more`] says whether a line can be answered from what was
//! read, [`Input::fill`] reads once. `has_line` and `take_line` do both, and block.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;

use thiserror::Error;

use super::output::describe;

/// Bytes asked for at once.
const CHUNK: usize = 64 << 10;

/// Why input could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cannot read standard input: {message}")]
pub struct InputError {
    pub message: String,
}

/// A buffered reader over a descriptor that it does not own.
#[derive(Debug)]
pub struct Input {
    fd: RawFd,
    buffer: Vec<u8>,
    /// What lies before it has been taken.
    start: usize,
    /// Up to here there is no newline.
    searched: usize,
    ended: bool,
}

impl Input {
    pub fn stdin() -> Input {
        Input::new(libc::STDIN_FILENO)
    }

    /// Over any descriptor that stays open as long as this is used.
    pub fn new(fd: RawFd) -> Input {
        Input { fd, buffer: Vec::new(), start: 0, searched: 0, ended: false }
    }

    /// The descriptor to wait for when more is needed.
    pub fn descriptor(&self) -> RawFd {
        self.fd
    }

    /// Whether neither a whole line nor the end has been read yet.
    pub fn needs_more(&mut self) -> bool {
        self.line_end().is_none() && !self.ended
    }

    /// Reads once; blocks if nothing is there. A descriptor that is closed reads as ended.
    pub fn fill(&mut self) -> Result<(), InputError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        let filled = self.buffer.len();
        if self.buffer.try_reserve(CHUNK).is_err() {
            return Err(InputError { message: "a line does not fit in memory".to_owned() });
        }
        loop {
            // SAFETY: CHUNK bytes behind the vector's length are reserved; those read become its own.
            let count = unsafe {
                let count = libc::read(self.fd, self.buffer.as_mut_ptr().add(filled).cast(), CHUNK);
                if count > 0 {
                    self.buffer.set_len(filled + count as usize);
                }
                count
            };
            if count > 0 {
                return Ok(());
            }
            if count == 0 {
                self.ended = true;
                return Ok(());
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => {
                    let mut poll = libc::pollfd { fd: self.fd, events: libc::POLLIN, revents: 0 };
                    // SAFETY: one live pollfd. Whatever poll says, the next read tells.
                    unsafe { libc::poll(&mut poll, 1, -1) };
                }
                _ if error.raw_os_error() == Some(libc::EBADF) => {
                    self.ended = true;
                    return Ok(());
                }
                _ => {
                    self.ended = true;
                    return Err(InputError { message: describe(&error) });
                }
            }
        }
    }

    /// Whether there is another line; a last line without a newline counts. Blocks until it is known.
    pub fn has_line(&mut self) -> Result<bool, InputError> {
        while self.needs_more() {
            self.fill()?;
        }
        Ok(self.start < self.buffer.len())
    }

    /// The next line without its `\n` or `\r\n`, "" at the end; invalid UTF-8 becomes U+FFFD. Blocks until it is there.
    pub fn take_line(&mut self) -> Result<String, InputError> {
        while self.needs_more() {
            self.fill()?;
        }
        let (end, next) = match self.line_end() {
            Some(end) => (end, end + 1),
            None => (self.buffer.len(), self.buffer.len()),
        };
        let line = &self.buffer[self.start..end];
        let line = if end < next { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        let text = String::from_utf8_lossy(line).into_owned();
        self.start = next;
        self.searched = next;
        Ok(text)
    }

    fn line_end(&mut self) -> Option<usize> {
        let found = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n');
        self.searched = found.map_or(self.buffer.len(), |at| self.searched + at);
        found.map(|_| self.searched)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let (reader, mut writer) = io::pipe().unwrap();
        let bytes = bytes.to_vec();
        let sender = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
        let mut input = Input::new(reader.as_raw_fd());
        let mut all = Vec::new();
        while input.has_line().unwrap() {
            all.push(input.take_line().unwrap());
        }
        assert_eq!(input.take_line().unwrap(), "");
        sender.join().unwrap();
        all
    }

    #[test]
    fn lines_end_with_either_newline_or_the_end() {
        assert_eq!(lines(b""), [""; 0]);
        assert_eq!(lines(b"\n"), [""]);
        assert_eq!(lines(b"one\r\ntwo\n\nlast"), ["one", "two", "", "last"]);
        assert_eq!(lines(b"bad \xff byte\r"), ["bad \u{fffd} byte\r"]);
    }

    #[test]
    fn long_input_keeps_its_lines() {
        let text: String = (0..100_000).map(|i| format!("{}\n", "ab".repeat(i % 50))).collect();
        let expected: Vec<_> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines(text.as_bytes()), expected);
        let long = "x".repeat(300_000);
        assert_eq!(lines(format!("{long}\n{long}").as_bytes()), [long.clone(), long]);
    }

    #[test]
    fn a_closed_descriptor_is_the_end_and_a_directory_an_error() {
        assert!(!Input::new(987_654).has_line().unwrap());
        let directory = std::fs::File::open("/").unwrap();
        let error = Input::new(directory.as_raw_fd()).has_line().unwrap_err();
        assert_eq!(error.to_string(), "cannot read standard input: Is a directory");
    }
}
