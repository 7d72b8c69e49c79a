//! Every path of a SQLite file can be written as a URL, and no URL panics.

use keyward::Engine;
use proptest::prelude::*;
use tokio::runtime;

fn connect(url: &str) -> Result<Engine, keyward::sql::ConnectError> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Engine::connect(url))
}

/// Every byte as `%` and two hexadecimal digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"))
}

proptest! {
    // Few cases, because each creates a database.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_path_can_be_written_as_a_url(name in "[^\0/]{1,20}") {
        prop_assume!(name != "." && name != "..");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(&name);
        let url = format!("sqlite:{}?mode=rwc", encoded(path.to_str().expect("UTF-8")));
        let engine = connect(&url);
        prop_assert!(engine.is_ok(), "{:?} for {:?}", engine, name);
        prop_assert!(path.is_file(), "{:?} made another file", name);
    }
}

proptest! {
    // None of these creates a file: that takes `?mode=rwc`.
    #[test]
    fn no_url_panics(url in "(sqlite:|sqlite://|postgres://)?.{0,30}") {
        prop_assume!(!url.contains("mode"));
        let _ = connect(&url);
    }
}
