//! `scaly --live`: a page on this machine that shows the picture of a running program as it fills, and how the program
//! runs.
//!
//! Nothing of it is a part of the program: its pictures are read by another thread through windows
//! ([`scaly_runtime::memory::Window`]), and what it does is followed by what the trace log says. So it runs as it
//! would, in all tiers, and only makes its pictures' pixels in a place of their own.

mod guests;
mod loops;
pub mod picture;
pub mod pictures;
mod request;
mod server;
mod show;
mod timeline;

use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use scaly_interp::interpreter::Ended;

use crate::command::reason;
use crate::engine::{Compiled, Watcher};
use request::Address;
use server::Server;
use show::{End, Show};

/// Bytes of the secret in the page's address, and where they are from.
const SECRET: usize = 18;
const RANDOM: &str = "/dev/urandom";

/// Bytes of the stack of who watches, as of who judges loops for a run: address space, of which little is used.
const STACK: usize = 16 << 20;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    #[error("--live: there are no random numbers for the page's address: {RANDOM}: {}", reason(.0))]
    Random(io::Error),
    #[error("--live: there is no port for the page: {}", reason(.0))]
    Port(io::Error),
    #[error("--live: there is no thread for the page: {}", reason(.0))]
    Thread(io::Error),
}

/// A page that is served.
pub struct Live {
    show: Arc<Show>,
    address: Address,
    server: Server,
    watching: JoinHandle<()>,
}

impl Live {
    /// Serves the page of a program that is about to run.
    pub fn start(name: String, compiled: &Compiled) -> Result<Live, LiveError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(LiveError::Port)?;
        let port = listener.local_addr().map_err(LiveError::Port)?.port();
        let mut secret = [0u8; SECRET];
        File::open(RANDOM).and_then(|mut file| file.read_exact(&mut secret)).map_err(LiveError::Random)?;
        let token = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let address = Address { port, token };
        let show = Arc::new(Show::new(name, compiled));
        let server = Server::start(listener, address.clone(), show.clone()).map_err(LiveError::Thread)?;
        let own = show.clone();
        let watching = server::builder("scaly-live-watch")
            .stack_size(STACK)
            .spawn(move || own.watch())
            .map_err(LiveError::Thread)?;
        Ok(Live { show, address, server, watching })
    }

    pub fn url(&self) -> String {
        self.address.url()
    }

    /// Whether the program makes an Image anywhere.
    pub fn has_pictures(&self) -> bool {
        self.show.has_pictures()
    }

    /// What the run is to be given.
    pub fn watcher(&self) -> Watcher {
        Watcher { follower: self.show.follower.clone(), screen: self.show.pictures.clone() }
    }

    /// Shows the pages that are there how the program ended, for two seconds at most. The port is closed with the
    /// process, which is to end now.
    pub fn end(self, ended: Option<&Ended>) {
        let end = match ended {
            Some(Ended::Status(status)) => End { status: *status & 0xff, error: None },
            Some(Ended::Error(error)) => End { status: 1, error: Some(error.message.clone()) },
            None => End { status: 1, error: Some("it could not run".into()) },
        };
        self.show.stop();
        let _ = self.watching.join();
        self.show.end(end);
        self.show.guests.leave();
        drop(self.server);
    }
}
