//! What a browser asks for, and what is refused.
//!
//! A page of somebody else's can make a browser send requests here, under a name of its own that leads to this machine;
//! it knows neither the path, which is a secret, nor can it say that the name was ours.

use httparse::{EMPTY_HEADER, Status};

/// Bytes of a request's head: some browsers send the cookies of every server of this machine along.
pub const LONGEST: usize = 16 << 10;
const MOST_HEADERS: usize = 96;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    Page,
    /// By a page, which says who it is.
    State {
        page: u64,
    },
    /// The lines of a picture that changed after a version.
    Picture {
        id: u64,
        after: u32,
    },
    /// The page has shown how the program ended.
    Seen {
        page: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    Malformed,
    TooLong,
    OtherHost,
    OtherMethod,
    NothingHere,
}

/// A whole head: what it asks for, whether more may come on the connection, and how long it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    pub asked: Asked,
    pub more: bool,
    pub length: usize,
}

/// Where the server is, and the secret part of its paths.
#[derive(Clone, Debug)]
pub struct Address {
    pub port: u16,
    pub token: String,
}

impl Address {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{}/", self.port, self.token)
    }

    /// None: its end is still to come.
    pub fn read(&self, bytes: &[u8]) -> Result<Option<Request>, Refusal> {
        let mut headers = [EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let length = match request.parse(bytes) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) if bytes.len() >= LONGEST => return Err(Refusal::TooLong),
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLong),
            Err(_) => return Err(Refusal::Malformed),
        };
        let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version) else {
            return Err(Refusal::Malformed);
        };
        let mut host = None;
        let mut more = version == 1;
        for header in request.headers.iter() {
            if header.name.eq_ignore_ascii_case("host") && host.replace(header.value).is_some() {
                return Err(Refusal::Malformed);
            }
            if header.name.eq_ignore_ascii_case("connection") {
                more &= !header.value.eq_ignore_ascii_case(b"close");
            }
            let body = header.name.eq_ignore_ascii_case("transfer-encoding")
                || header.name.eq_ignore_ascii_case("content-length") && header.value != b"0";
            if body && method == "GET" {
                return Err(Refusal::Malformed);
            }
        }
        let port = self.port;
        let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        match host {
            None => return Err(Refusal::Malformed),
            Some(host) if !ours.iter().any(|ours| ours.as_bytes().eq_ignore_ascii_case(host)) => {
                return Err(Refusal::OtherHost);
            }
            Some(_) if method != "GET" => return Err(Refusal::OtherMethod),
            Some(_) => {}
        }
        let asked = self.asked(path).ok_or(Refusal::NothingHere)?;
        Ok(Some(Request { asked, more, length }))
    }

    fn asked(&self, target: &str) -> Option<Asked> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (token, rest) = path.strip_prefix('/')?.split_once('/')?;
        if !same(token.as_bytes(), self.token.as_bytes()) {
            return None;
        }
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let number = |name: &str| value(name).and_then(|text| text.parse().ok());
        match rest {
            "" => Some(Asked::Page),
            "state" => Some(Asked::State { page: number("page")? }),
            "picture" => {
                Some(Asked::Picture { id: number("id")?, after: number("after").and_then(|n| u32::try_from(n).ok())? })
            }
            "seen" => Some(Asked::Seen { page: number("page")? }),
            _ => None,
        }
    }
}

/// In a time that does not tell how much of it is right.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

impl Refusal {
    pub fn status(self) -> &'static str {
        match self {
            Refusal::Malformed => "400 Bad Request",
            Refusal::TooLong => "431 Request Header Fields Too Large",
            Refusal::OtherHost => "403 Forbidden",
            Refusal::OtherMethod => "405 Method Not Allowed",
            Refusal::NothingHere => "404 Not Found",
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Refusal::Malformed => "this is no request that is understood here\n",
            Refusal::TooLong => "the request is too long\n",
            Refusal::OtherHost => "ask for it by the address that the program has printed\n",
            Refusal::OtherMethod => "there is only something to GET here\n",
            Refusal::NothingHere => "there is nothing here\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Asked>, Refusal> {
        let address = Address { port: 80, token: "secret".into() };
        address.read(text.as_bytes()).map(|request| request.map(|request| request.asked))
    }

    fn get(path: &str) -> Result<Option<Asked>, Refusal> {
        read(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"))
    }

    #[test]
    fn paths_with_the_secret_lead_somewhere() {
        assert_eq!(get("/secret/"), Ok(Some(Asked::Page)));
        assert_eq!(get("/secret/?x"), Ok(Some(Asked::Page)));
        assert_eq!(get("/secret/state?page=7"), Ok(Some(Asked::State { page: 7 })));
        assert_eq!(get("/secret/picture?after=3&id=2"), Ok(Some(Asked::Picture { id: 2, after: 3 })));
        assert_eq!(get("/secret/seen?page=1"), Ok(Some(Asked::Seen { page: 1 })));
        for path in [
            "/",
            "/secret",
            "/secre/",
            "/secretx/",
            "/secret/x",
            "/secret/state",
            "/secret/state?page=x",
            "/secret/picture?id=1&after=4294967296",
            "//secret/",
            "/Secret/",
            "http://127.0.0.1:80/secret/",
            "*",
        ] {
            assert_eq!(get(path), Err(Refusal::NothingHere), "{path}");
        }
    }

    #[test]
    fn only_our_own_name_counts() {
        let host = |lines: &str| read(&format!("GET /secret/ HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(host("host: LOCALHOST:80\r\n"), Ok(Some(Asked::Page)));
        for bad in ["Host: evil.example:80\r\n", "Host: 127.0.0.1\r\n", "Host: 127.0.0.1:81\r\n", "Host:\r\n"] {
            assert_eq!(host(bad), Err(Refusal::OtherHost), "{bad}");
        }
        assert_eq!(host(""), Err(Refusal::Malformed));
        assert_eq!(host("Host: 127.0.0.1:80\r\nHost: evil\r\n"), Err(Refusal::Malformed));
        // The name is looked at before the path.
        assert_eq!(read("GET /x HTTP/1.1\r\nHost: evil\r\n\r\n"), Err(Refusal::OtherHost));
    }

    #[test]
    fn other_requests_are_refused() {
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            let text = format!("{method} /secret/ HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n");
            assert_eq!(read(&text), Err(Refusal::OtherMethod), "{method}");
        }
        let length = "GET /secret/ HTTP/1.1\r\nHost: 127.0.0.1:80\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(read(length), Err(Refusal::Malformed));
        assert_eq!(read("\0\r\n\r\n"), Err(Refusal::Malformed));
        assert_eq!(read("GET / HTTP/1.1\r\nHost"), Ok(None));
        assert_eq!(read("GET / HTTP/1.1\r\n"), Ok(None));
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(LONGEST));
        assert_eq!(read(&long), Err(Refusal::TooLong));
        let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST_HEADERS + 1));
        assert_eq!(read(&headers), Err(Refusal::TooLong));
    }

    #[test]
    fn connections_stay_unless_they_are_told_to_end() {
        let address = Address { port: 80, token: "secret".into() };
        let more = |version: &str, line: &str| {
            let text = format!("GET /secret/ HTTP/{version}\r\nHost: 127.0.0.1:80\r\n{line}\r\n");
            address.read(text.as_bytes()).unwrap().unwrap().more
        };
        assert!(more("1.1", "") && more("1.1", "Connection: keep-alive\r\n"));
        assert!(!more("1.1", "Connection: Close\r\n") && !more("1.0", ""));
    }
}
