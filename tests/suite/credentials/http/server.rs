//! A server that answers what it is told to, whatever it is asked.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// Every connection gets `answer`, and is closed. What was asked comes out of the receiver.
pub(super) fn answering(answer: &str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, seen) = channel();
    let answer = answer.to_owned();
    // It ends with the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let request = read(&mut stream);
            // Whoever does not want the answer, or does not look what was asked, need not.
            let _ = stream.write_all(answer.as_bytes());
            let _ = asked.send(request);
        }
    });
    (url, seen)
}

/// As much as comes before the client waits for the answer.
fn read(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(length) = stream.read(&mut bytes) {
        request.extend_from_slice(&bytes[..length]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        let said = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if length == 0 || body.is_some_and(|body| body >= said.unwrap_or(0)) || request.first() == Some(&0x16) {
            break;
        }
    }
    String::from_utf8_lossy(&request).into_owned()
}

/// An answer without a body.
pub(super) fn redirect_to(url: &str) -> String {
    format!("HTTP/1.1 307 x\r\nLocation: {url}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
