//! What stands on the standard input of `verify`: a key with or without a line break, or anything else.

use super::terminal::over_both_engines;

const ACME: [&str; 4] = ["--owner", "acme", "--name", "nightly import"];

#[test]
fn one_line_break_behind_the_key_is_no_part_of_it() {
    over_both_engines("scraper", |terminal| {
        let secret = terminal.issue(&ACME).secret;
        for end in ["", "\n", "\r\n"] {
            assert_eq!(terminal.run(&["verify"], format!("{secret}{end}")).status, 0, "{end:?}");
        }
    });
}

#[test]
fn anything_more_or_less_than_a_key_is_refused() {
    over_both_engines("scraper", |terminal| {
        let secret = terminal.issue(&ACME).secret;
        let foreign = "the key has a foreign character at byte";
        let wrong_prefix = "the key does not start with riq_";
        let cases: [(Vec<u8>, &str); 16] = [
            ("".into(), "the key is empty"),
            ("\n".into(), "the key is empty"),
            ("riq_".into(), "the key has 4 bytes instead of"),
            (secret[..46].into(), "no such key"),
            (secret.to_uppercase().into(), wrong_prefix),
            (format!(" {secret}").into(), wrong_prefix),
            (format!("\u{feff}{secret}").into(), wrong_prefix),
            (format!("{secret} ").into(), foreign),
            (format!("{secret}\n\n").into(), foreign),
            (format!("{secret}\r").into(), foreign),
            (format!("{secret}\n{secret}\n").into(), foreign),
            (format!("{secret}\0").into(), foreign),
            ([secret.as_bytes(), b"\xff\xfe"].concat(), foreign),
            (format!("riq_{}", "a".repeat(508)).into(), "no such key"),
            (format!("riq_{}", "a".repeat(509)).into(), "the key is longer than 512 bytes"),
            (format!("riq_{}", "a".repeat(1 << 20)).into(), "the key is longer than 512 bytes"),
        ];
        for (presented, why) in cases {
            let refused = terminal.run(&["verify"], &presented);
            assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
            assert!(refused.stderr.starts_with(&format!("refused: {why}")), "{}", refused.stderr);

            let document = terminal.run(&["--json", "verify"], &presented).json();
            assert_eq!(document["accepted"], false);
            assert_eq!(document["reason"], if why == "no such key" { "unknown" } else { "malformed" });
            assert!(document["id"].is_null());
        }
    });
}
