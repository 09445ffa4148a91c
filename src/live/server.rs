//! The server of the page: a thread that accepts connections, and one for each of them as long as it lasts.
//!
//! Whatever comes in, the program is not disturbed: connections, their requests and their time are bounded, and no
//! thread of them holds a lock that the program waits for longer than a look at a picture takes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::request::{Address, LONGEST, Refusal};
use super::show::{Answer, Show};

/// Connections at the same time; more wait. A browser makes six for a page at most.
const MOST: usize = 32;
/// How long a connection may be silent: a page asks ten times a second.
const SILENCE: Duration = Duration::from_secs(2);
/// How long an answer may take to be read; 8 MB, the largest one, take 40 ms.
const READING: Duration = Duration::from_secs(5);
/// Bytes of a thread's stack. In an optimized build all of `tests/live.rs` runs with 24 KiB.
const STACK: usize = 128 << 10;

/// Answers as long as it is there.
pub struct Server(Arc<Shared>);

struct Shared {
    address: Address,
    show: Arc<Show>,
    closing: AtomicBool,
    connections: Mutex<usize>,
    fewer: Condvar,
}

impl Server {
    /// Takes connections from now on. The thread that does is never waited for: it sleeps in the system.
    pub fn start(listener: TcpListener, address: Address, show: Arc<Show>) -> io::Result<Server> {
        let shared = Arc::new(Shared {
            address,
            show,
            closing: AtomicBool::new(false),
            connections: Mutex::new(0),
            fewer: Condvar::new(),
        });
        let own = shared.clone();
        builder("scaly-live").spawn(move || own.accept(&listener))?;
        Ok(Server(shared))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.closing.store(true, Ordering::SeqCst);
        self.0.fewer.notify_all();
    }
}

pub fn builder(name: &str) -> Builder {
    Builder::new().name(name.into()).stack_size(STACK)
}

impl Shared {
    fn accept(self: Arc<Shared>, listener: &TcpListener) {
        while !self.closing.load(Ordering::SeqCst) {
            let Ok((stream, _)) = listener.accept() else {
                // No more descriptors, mostly: some will be given back.
                let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = self.fewer.wait_timeout(connections, Duration::from_millis(20));
                continue;
            };
            if !self.wait_for_room() {
                return;
            }
            let own = self.clone();
            let serve = move || {
                // A connection that breaks is the other's business.
                let _ = own.serve(&stream);
                drop(stream);
                own.ends();
            };
            // Where there is no thread for it, it is closed.
            if builder("scaly-live-page").spawn(serve).is_err() {
                self.ends();
            }
        }
    }

    /// Counts a connection in; false where the server closes instead.
    fn wait_for_room(&self) -> bool {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        while *connections >= MOST && !self.closing.load(Ordering::SeqCst) {
            // The time is for a close that comes in between.
            (connections, _) = self.fewer.wait_timeout(connections, SILENCE).unwrap_or_else(PoisonError::into_inner);
        }
        *connections += 1;
        !self.closing.load(Ordering::SeqCst)
    }

    fn ends(&self) {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.fewer.notify_one();
    }

    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut bytes = Vec::new();
        let mut due = Instant::now() + SILENCE;
        while !self.closing.load(Ordering::SeqCst) {
            match self.address.read(&bytes) {
                Ok(Some(request)) => {
                    write(stream, "200 OK", &self.show.answer(request.asked), request.more)?;
                    self.show.answered(request.asked);
                    if !request.more {
                        return Ok(());
                    }
                    bytes.drain(..request.length);
                    due = Instant::now() + SILENCE;
                }
                Ok(None) => {
                    let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                        return Ok(());
                    };
                    stream.set_read_timeout(Some(left))?;
                    let mut more = [0; 4096];
                    match stream.read(&mut more)? {
                        0 => return Ok(()),
                        count => bytes.extend_from_slice(&more[..count]),
                    }
                }
                Err(refusal) => {
                    write(stream, refusal.status(), &Answer::text(refusal.text()), false)?;
                    return self.drain(stream, &bytes, refusal);
                }
            }
        }
        Ok(())
    }

    /// Reads some of what is left, since a connection that is closed before loses its answer.
    fn drain(&self, mut stream: &TcpStream, bytes: &[u8], refusal: Refusal) -> io::Result<()> {
        if refusal == Refusal::TooLong || bytes.len() >= LONGEST {
            stream.set_read_timeout(Some(Duration::from_millis(100)))?;
            let mut rest = [0; 4096];
            for _ in 0..16 {
                if stream.read(&mut rest)? == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Writes an answer, unless that takes too long.
fn write(mut stream: &TcpStream, status: &str, answer: &Answer, more: bool) -> io::Result<()> {
    let Answer { kind, body } = answer;
    let connection = if more { "keep-alive" } else { "close" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n\
         Allow: GET\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: default-src 'none'; \
         script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n\r\n",
        body.len()
    );
    let due = Instant::now() + READING;
    for mut part in [head.as_bytes(), body] {
        while !part.is_empty() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_write_timeout(Some(left))?;
            match stream.write(part) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => part = &part[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
