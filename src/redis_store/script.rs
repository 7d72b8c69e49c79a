//! Scripts: sent by their names, and whole only to a server that does not know them yet.

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind};

/// A script of the server's, which touches the one key that it is given.
#[derive(Debug)]
pub(super) struct Script {
    text: &'static str,
    /// Its SHA-1, by which servers know it.
    name: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        let name = redis::Script::new(text).get_hash().to_owned();
        Self { text, name }
    }

    /// Runs it in one round trip. A server that was restarted or flushed its scripts takes a second one, once.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        connection: &mut (impl ConnectionLike + Send),
        key: &str,
        numbers: &[u64],
        text: &str,
    ) -> RedisResult<T> {
        match command("EVALSHA", &self.name, key, numbers, text).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", self.text, key, numbers, text).query_async(connection).await
            }
            answer => answer,
        }
    }
}

fn command(name: &'static str, script: &str, key: &str, numbers: &[u64], text: &str) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(script).arg(1).arg(key).arg(numbers).arg(text);
    command
}
