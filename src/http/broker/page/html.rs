//! What the page says, as HTML without a script.

use std::fmt::Write as _;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{DECISION, PASSWORD, PROOF, USERNAME};
use crate::broker::{AuthorizationRequest, ClientMetadataUrl, Subject};
use crate::visible::Visible;

/// What the page shows beside the request.
pub(super) struct View<'v> {
    pub(super) signed_in: Option<&'v Subject>,
    /// What stands in the field of the name.
    pub(super) suggested: &'v str,
    /// Whether name and password were wrong.
    pub(super) has_failed: bool,
}

/// Where the form leads in the end: browsers ask the page's policy for the redirect as well.
pub(super) fn form_target(request: &AuthorizationRequest) -> String {
    let uri = request.redirect_uri.as_str();
    let (scheme, rest) = uri.split_once(':').unwrap_or((uri, ""));
    let authority = rest.trim_start_matches('/').split(['/', '?', '#']).next().unwrap_or_default();
    // A policy cannot name an address in brackets: browsers would take none of the list.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-".contains(&byte);
    match scheme {
        "https" | "http" if authority.bytes().all(is_plain) => format!("{scheme}://{authority}"),
        scheme => format!("{scheme}:"),
    }
}

pub(super) fn headers(form_action: &str) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut headers = HeaderMap::new();
    let plain = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    headers.extend(plain.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.extend(HeaderValue::from_str(&policy).map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers
}

/// A page for the person that says what is wrong, in one sentence of ours.
pub(in crate::http::broker) fn refused(status: StatusCode, reason: &str) -> Response {
    let mut headers = headers("'none'");
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    let body = document("Not possible", &format!("<h1>This is not possible</h1><p>{}.</p>", escape(reason)));
    (status, headers, body).into_response()
}

/// The page that asks.
pub(super) fn question(request: &AuthorizationRequest, proof: &str, view: &View<'_>) -> String {
    let name = request.client.name.as_deref().unwrap_or(request.client.id.as_str());
    let mut body = format!("<h1>{} asks for access</h1>", escape(name));
    let host = escape(&request.redirect_uri.host());
    // Of a program or an app nobody can say more than which device it is on.
    let target = match &request.redirect_uri {
        uri if uri.leads_to_own_machine() => format!("a program on <strong>this computer</strong> ({host})"),
        uri if uri.leads_to_app() => format!("the app <strong>{host}</strong> on this device"),
        _ => format!("<strong>{host}</strong>"),
    };
    let _ = write!(
        body,
        "<p>The answer goes to {target}. Anybody can choose any name for an application: allow this only if you have just started it there.</p>"
    );
    if ClientMetadataUrl::of(&request.client.id).is_some() {
        let url = escape(request.client.id.as_str());
        let _ = write!(body, "<p>It is known by its address, <strong>{url}</strong>.</p>");
    }
    if request.scopes.is_empty() {
        body.push_str("<p>It asks for no permission beyond knowing who you are.</p>");
    } else {
        body.push_str("<p>It asks for:</p><ul>");
        for scope in request.scopes.iter() {
            let _ = write!(body, "<li>{}</li>", escape(scope));
        }
        body.push_str("</ul>");
    }
    if let Some(resource) = &request.resource {
        let _ = write!(body, "<p>At {}.</p>", escape(resource));
    }
    let _ = write!(body, r#"<form method="post"><input type="hidden" name="{PROOF}" value="{proof}">"#);
    if view.has_failed {
        body.push_str(r#"<p role="alert">The name or the password is not right.</p>"#);
    }
    if let Some(subject) = view.signed_in {
        let who = subject.name.as_deref().unwrap_or(subject.id.as_str());
        let _ = write!(body, "<p>You are signed in as <strong>{}</strong>.</p>", escape(who));
    } else {
        let suggested = escape(view.suggested);
        let _ = write!(
            body,
            r#"<p><label>Name <input name="{USERNAME}" value="{suggested}" autocomplete="username"></label></p><p><label>Password <input name="{PASSWORD}" type="password" autocomplete="current-password"></label></p>"#
        );
    }
    let _ = write!(
        body,
        r#"<p><button name="{DECISION}" value="approve">Allow</button> <button name="{DECISION}" value="deny">Refuse</button></p></form>"#
    );
    document("Access", &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:3rem auto;padding:0 1rem;\
         overflow-wrap:anywhere}}button{{font:inherit;padding:.4rem 1.2rem}}</style></head><body><main>{body}</main></body></html>"
    )
}

/// A text as HTML shows it, with everything that nobody would see written out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in Visible(text).to_string().chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_client_says_of_itself_is_markup() {
        assert_eq!(escape("<b onload='x'>\"&\u{202e}"), "&lt;b onload=&#39;x&#39;&gt;&quot;&amp;\\u{202e}");
    }
}
