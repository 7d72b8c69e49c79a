//! Bodies that do not come. The clock of the runtime jumps to the next thing that it waits for.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::broker::app::{App, FORM};

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_for_a_while() {
    let app = App::start().await;
    for (path, content_type, status) in [
        ("/token", FORM, "408"),
        ("/revoke", FORM, "408"),
        ("/introspect", FORM, "408"),
        ("/register", "application/json", "408"),
        ("/authorize", FORM, "400"),
    ] {
        let start = tokio::time::Instant::now();
        let mut stream = app.server.connect().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: 100\r\n\r\ngrant"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert_eq!(start.elapsed().as_secs(), 10, "{path}");
    }
}

/// Whoever is refused by a header is not waited for at all.
#[tokio::test(start_paused = true)]
async fn what_a_header_decides_waits_for_no_body() {
    let app = App::start().await;
    for (path, header) in [
        ("/mcp", "Authorization: Bearer unknown"),
        ("/token", "Authorization: Basic !"),
        ("/register", "Content-Type: text/plain"),
    ] {
        let start = tokio::time::Instant::now();
        let mut stream = app.server.connect().await;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\nContent-Length: 100\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{path}: {answer:?}");
        assert!(start.elapsed().as_secs() < 10, "{path}");
    }
}
