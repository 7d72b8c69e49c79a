//! The end: SIGTERM and an interrupt end it cleanly and in bounded time, whatever its clients do.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use super::{Server, over_each_engine};

#[test]
fn a_signal_ends_it_at_once_and_cleanly() {
    over_each_engine(|terminal, _| {
        for signal in ["-TERM", "-INT"] {
            let mut server = Server::start(terminal, &[]);
            assert_eq!(server.get("/healthz").status, 200);
            // A browser keeps its connection.
            let mut idle = TcpStream::connect(&server.address).unwrap();
            idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            let mut head = [0; 15];
            idle.read_exact(&mut head).unwrap();
            assert_eq!(&head, b"HTTP/1.1 200 OK");
            server.signal(signal);
            let (status, took) = server.wait();
            assert_eq!(status, Some(0));
            assert!(took < Duration::from_secs(5), "{took:?}");
            assert!(TcpStream::connect(&server.address).is_err());
            assert!(!server.end().contains("panicked"));
        }
    });
}

#[test]
fn a_connection_that_is_held_open_in_the_middle_of_a_request_is_cut_off() {
    over_each_engine(|terminal, _| {
        let mut server = Server::start(terminal, &[]);
        let mut half = TcpStream::connect(&server.address).unwrap();
        half.write_all(b"POST /token HTTP/1.1\r\nhost: a\r\n").unwrap();
        let mut slow = TcpStream::connect(&server.address).unwrap();
        slow.write_all(b"POST /token HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9\r\n\r\n").unwrap();
        assert_eq!(server.get("/healthz").status, 200);
        server.signal("-TERM");
        let (status, took) = server.wait();
        assert_eq!(status, Some(0));
        assert!(took < Duration::from_secs(20), "{took:?}");
        drop((half, slow));
    });
}

/// A supervisor may think better of it before the database has answered.
#[cfg(feature = "postgres")]
#[test]
fn a_signal_while_it_waits_for_its_database_ends_it_too() {
    use std::net::TcpListener;

    use super::REQUIRED;
    use crate::command_line::terminal::Terminal;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let db = format!("postgres://root@127.0.0.1:{}/broker", listener.local_addr().unwrap().port());
    let terminal = Terminal::at(db, "standard");
    let mut child = terminal.command(&[&["serve"], &REQUIRED[..]].concat()).spawn().unwrap();
    // It has come as far as to ask.
    let (connection, _) = listener.accept().unwrap();
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let start = tokio::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(5), "it does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(connection);
}
