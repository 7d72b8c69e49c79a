//! libFuzzer over the target that `KEYWARD_FUZZ_TARGET` names; `tests/fuzz/run` starts it.

#![no_main]

use std::sync::LazyLock;

use keyward_fuzz::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("KEYWARD_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("KEYWARD_FUZZ_TARGET is no target"))
});

fuzz_target!(|data: &[u8]| TARGET(data));
