//! The server of the page: a thread that accepts connections, and one for each of them as long as it lasts.
//!
//! Whatever comes in, the program is not disturbed: connections, their requests and their time are bounded, and no thread of
//! them holds a lock that the program waits for longer than a look at a picture takes.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::LiveError;
use super::request::{Address, LONGEST, Refusal};
use super::show::{Answer, Show};

/// Connections at the same time; more wait. A browser makes six for a page at most.
const MOST: usize = 32;
/// How long a connection may be silent: a page asks ten times a second.
const SILENCE: Duration = Duration::from_secs(2);
/// How long an answer may take to be read; 8 MB, the largest one, take 10 ms.
const READING: Duration = Duration::from_secs(5);
/// Bytes of a thread's stack: 6 KB are used, most of them for headers.
const STACK: usize = 128 << 10;

pub struct Server {
    address: Address,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    address: Address,
    show: Arc<Show>,
    closing: AtomicBool,
    connections: Mutex<usize>,
    fewer: Condvar,
}

impl Server {
    /// Takes a port of this machine that is free, for itself only, and answers from now on.
    pub fn start(token: String, show: Arc<Show>) -> Result<Server, LiveError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LiveError::Port)?;
        let port = listener.local_addr().map_err(LiveError::Port)?.port();
        let address = Address { port, token };
        let shared = Arc::new(Shared {
            address: address.clone(),
            show,
            closing: AtomicBool::new(false),
            connections: Mutex::new(0),
            fewer: Condvar::new(),
        });
        let own = shared.clone();
        let accepting = builder("scaly-live").spawn(move || own.accept(&listener)).map_err(LiveError::Thread)?;
        Ok(Server { address, shared, accepting: Some(accepting) })
    }

    pub fn url(&self) -> String {
        self.address.url()
    }
}

impl Drop for Server {
    /// Closes the port. What is being answered is not waited for.
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.fewer.notify_all();
        // Wakes it up.
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.address.port)).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
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
                thread::sleep(Duration::from_millis(20));
                continue;
            };
            if !self.wait_for_room() {
                return;
            }
            let own = self.clone();
            let serve = move || {
                // A connection that breaks is the other's business.
                let _ = own.serve(&stream);
                let _ = stream.shutdown(Shutdown::Both);
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
            stream.shutdown(Shutdown::Write)?;
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
