//! Standard output, buffered, and standard error, not.
//!
//! A closed pipe is an error value, not a signal: the caller ends the program quietly. After an error nothing more is
//! tried; what was buffered is dropped, and each later call returns the same error.

use std::io::{self, ErrorKind};
use std::os::fd::RawFd;

use thiserror::Error;

/// Bytes buffered before a write.
const BUFFER: usize = 64 << 10;

/// Why output could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OutputError {
    /// Nobody reads any more. A program that writes to `head` should end without a word.
    #[error("standard output is closed")]
    Closed,
    /// The disk is full, the device failed, …: the system's words.
    #[error("cannot write standard output: {message}")]
    Failed { message: String },
}

/// A buffered writer over a descriptor that it does not own.
#[derive(Debug)]
pub struct Output {
    fd: RawFd,
    buffer: Vec<u8>,
    /// Somebody watches: each line is written when it ends.
    interactive: bool,
    failed: Option<OutputError>,
}

impl Output {
    /// Over standard output. Makes the process ignore SIGPIPE.
    pub fn stdout() -> Output {
        // SAFETY: changes only how this process takes a signal; Rust's own start-up does the same.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        Output::new(libc::STDOUT_FILENO)
    }

    /// Over any descriptor that stays open as long as this is used.
    pub fn new(fd: RawFd) -> Output {
        // SAFETY: asks about a descriptor number; a wrong one answers 0.
        let interactive = unsafe { libc::isatty(fd) } == 1;
        Output { fd, buffer: Vec::with_capacity(BUFFER), interactive, failed: None }
    }

    /// Appends bytes; they are written when the buffer is full, on a terminal when a line ends, or by
    /// [`Output::flush`].
    #[inline]
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        if !self.interactive && self.failed.is_none() && bytes.len() <= BUFFER - self.buffer.len() {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.write_slow(bytes)
    }

    #[cold]
    fn write_slow(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if bytes.len() > BUFFER - self.buffer.len() {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            return self.send(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        if self.interactive && bytes.contains(&b'\n') { self.flush() } else { Ok(()) }
    }

    /// Writes what is buffered.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = self.send(&buffer);
        buffer.clear();
        self.buffer = buffer;
        result
    }

    /// Writes to standard error at once, what is buffered here before it, so that the order is the program's. A
    /// failure to write either is not reported: there is no place left to report it.
    pub fn write_error(&mut self, bytes: &[u8]) {
        // The failure is kept and returned by the next write or flush.
        let _ = self.flush();
        let _ = send_all(libc::STDERR_FILENO, bytes);
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        send_all(self.fd, bytes).map_err(|error| {
            let error = match error.kind() {
                ErrorKind::BrokenPipe => OutputError::Closed,
                _ => OutputError::Failed { message: describe(&error) },
            };
            self.failed = Some(error.clone());
            error
        })
    }
}

/// The system's words without Rust's ` (os error 28)`.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn send_all(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are of a live slice.
        let count = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if let Ok(count) = usize::try_from(count) {
            if count == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            bytes = &bytes[count..];
            continue;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            ErrorKind::Interrupted => {}
            // Whoever shares the terminal or pipe with us made it non-blocking.
            ErrorKind::WouldBlock => wait_writable(fd),
            _ => return Err(error),
        }
    }
    Ok(())
}

fn wait_writable(fd: RawFd) {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one live pollfd. Whatever poll says, the next write tells.
    unsafe { libc::poll(&mut poll, 1, -1) };
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn bytes_arrive_in_order_and_only_when_flushed() {
        let (mut reader, writer) = io::pipe().unwrap();
        let collected = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        let mut output = Output::new(writer.as_raw_fd());
        let mut expected = Vec::new();
        for i in 0..30_000u32 {
            let text = format!("line {i}\n");
            expected.extend_from_slice(text.as_bytes());
            output.write(text.as_bytes()).unwrap();
        }
        let long = vec![b'x'; 3 * BUFFER];
        output.write(&long).unwrap();
        expected.extend_from_slice(&long);
        output.write(b"end").unwrap();
        expected.extend_from_slice(b"end");
        assert_eq!(output.buffer, b"end");
        output.flush().unwrap();
        drop(writer);
        assert_eq!(collected.join().unwrap(), expected);
    }

    #[test]
    fn a_closed_pipe_is_an_error_that_stays() {
        Output::stdout();
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut output = Output::new(writer.as_raw_fd());
        output.write(b"text").unwrap();
        assert_eq!(output.flush(), Err(OutputError::Closed));
        assert_eq!(output.write(b"more"), Err(OutputError::Closed));
        assert_eq!(output.flush(), Err(OutputError::Closed));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_in_words() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut output = Output::new(full.as_raw_fd());
        output.write(b"text").unwrap();
        let error = output.flush().unwrap_err();
        assert_eq!(error.to_string(), "cannot write standard output: No space left on device");
    }
}
