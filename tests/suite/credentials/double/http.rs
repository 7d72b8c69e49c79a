//! As much of HTTP/1.1 as the double needs: one request a connection, with a length that is said.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::server::State;

const MAX_REQUEST_LEN: usize = 256 * 1024;

pub(super) struct Request {
    pub(super) method: String,
    /// As it stands in the request line: path and query.
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn all<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header that occurs once.
    pub(super) fn header<'r>(&'r self, name: &'r str) -> Option<&'r str> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }
}

#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) delivery: Delivery,
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    AtOnce,
    After(Duration),
    Half,
    Never,
}

/// What the state makes of a request.
pub(super) enum Reply {
    Now(Response),
    /// Ask again after this time.
    Stall(Duration),
}

pub(super) async fn serve(listener: &TcpListener, state: &std::sync::Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let state = std::sync::Arc::clone(state);
        // A client that goes away is no concern of the server's.
        connections.spawn(async move { connection(stream, &state).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let request = read(&mut stream).await?;
    let response = loop {
        let reply = state.lock().unwrap_or_else(PoisonError::into_inner).answer(&request);
        match reply {
            Reply::Now(response) => break response,
            Reply::Stall(duration) => tokio::time::sleep(duration).await,
        }
    };
    let Response { status, headers, body, .. } = &response;
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (headers, length) = (headers.concat(), body.len());
    let mut text =
        format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}");
    match response.delivery {
        Delivery::AtOnce => {}
        Delivery::After(duration) => tokio::time::sleep(duration).await,
        Delivery::Half => text.truncate(text.len() - response.body.len() / 2),
        Delivery::Never => text.clear(),
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let malformed = || std::io::Error::other("malformed request");
    let mut bytes = Vec::new();
    let (head, mut body) = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            break (String::from_utf8(bytes).map_err(|_| malformed())?, body);
        }
        if bytes.len() > MAX_REQUEST_LEN || stream.read_buf(&mut bytes).await? == 0 {
            return Err(malformed());
        }
    };
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (first.next(), first.next()) else { return Err(malformed()) };
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    let length = length.map_or(Ok(0), |(_, value)| value.parse()).map_err(|_| malformed())?;
    while body.len() < length {
        if length > MAX_REQUEST_LEN || stream.read_buf(&mut body).await? == 0 {
            return Err(malformed());
        }
    }
    body.truncate(length);
    let body = String::from_utf8(body).map_err(|_| malformed())?;
    Ok(Request { method, target, headers, body })
}
