//! An application of axum on a port of its own, and requests to it as they are on the wire.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// It serves until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    _serving: JoinSet<()>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// With names in small letters.
    headers: Vec<(String, String)>,
}

impl Server {
    pub(crate) async fn start(app: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, _serving: serving }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes and nothing else, and reads until the connection is closed.
    pub(crate) async fn send(&self, request: &[u8]) -> Answer {
        Answer::read(&String::from_utf8(self.bytes(request).await).unwrap())
    }

    /// As [`send`](Self::send), for what is no single answer with a body.
    pub(crate) async fn bytes(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    }

    /// Asks for `path` with these headers, each with its line break.
    pub(crate) async fn get(&self, path: &str, headers: &[u8]) -> Answer {
        let start = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        self.send(&[start.as_bytes(), headers, b"\r\n"].concat()).await
    }

    /// Asks for `path` with a key.
    pub(crate) async fn get_with(&self, path: &str, key: &str) -> Answer {
        self.get(path, format!("Authorization: Bearer {key}\r\n").as_bytes()).await
    }
}

impl Answer {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        let answer = Self { status, body: body.to_owned(), headers: lines.map(header).collect() };
        assert_eq!(answer.header("content-length"), body.len().to_string(), "one body, and all of it");
        answer
    }

    /// The one header of this name; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        match &self.headers(name)[..] {
            [] => "",
            [value] => value,
            several => panic!("{name} is there more than once: {several:?}"),
        }
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }
}
