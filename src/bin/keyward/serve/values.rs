//! Values that only a server has.

use std::time::Duration;

use axum::http::HeaderName;
use axum::http::header::{AUTHORIZATION, COOKIE, FROM, HOST, ORIGIN, REFERER, USER_AGENT};

use crate::arguments::duration;

/// The longest that a code is good for (RFC 6749 section 4.1.2).
const LONGEST_CODE: Duration = Duration::from_mins(10);

/// What browsers say by themselves, or has a secret in it.
const OTHERS: [HeaderName; 7] = [AUTHORIZATION, COOKIE, FROM, HOST, ORIGIN, REFERER, USER_AGENT];

/// Whole seconds, as times are kept in them.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let duration = duration(text)?;
    if duration.subsec_nanos() > 0 {
        return Err("a number of whole seconds is needed");
    }
    Ok(duration)
}

/// How long something is good for: never for no time at all.
pub(super) fn lifetime(text: &str) -> Result<Duration, &'static str> {
    seconds(text).and_then(|time| if time.is_zero() { Err("1s is the least") } else { Ok(time) })
}

pub(super) fn code_lifetime(text: &str) -> Result<Duration, &'static str> {
    lifetime(text).and_then(|time| if time > LONGEST_CODE { Err("10m is the most") } else { Ok(time) })
}

/// A header that says who is signed in.
pub(super) fn user_header(text: &str) -> Result<HeaderName, &'static str> {
    let name: HeaderName = text.parse().map_err(|_| "this is no name of a header")?;
    let is_of_browsers = ["accept", "content-", "sec-"].iter().any(|start| name.as_str().starts_with(start));
    if is_of_browsers || OTHERS.contains(&name) {
        return Err("a proxy that signs people in sets a header of its own, such as x-forwarded-user");
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_seconds_within_their_bounds() {
        assert_eq!(seconds("0s"), Ok(Duration::ZERO));
        assert_eq!(lifetime("1m"), Ok(Duration::from_mins(1)));
        assert_eq!(code_lifetime("10m"), Ok(LONGEST_CODE));
        for refused in ["0s", "500ms", "1s 500ms", "soon", "-1s", "11m"] {
            assert!(code_lifetime(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_header_that_browsers_send_says_nothing_about_people() {
        assert_eq!(user_header("X-Forwarded-User").map(|name| name.to_string()), Ok("x-forwarded-user".to_owned()));
        for refused in ["", "a b", "Cookie", "authorization", "HOST", "Sec-Fetch-User", "accept-language"] {
            assert!(user_header(refused).is_err(), "{refused}");
        }
    }
}
