//! The bodies of rejections.

use http::HeaderValue;
use serde_json::{Value, json};

use super::Rejection;

/// The form of a rejection's body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyForm {
    /// None.
    Empty,
    /// The description, as `text/plain`.
    Plain,
    /// `{"error":…,"error_description":…}`, as OAuth writes errors (RFC 6749 section 5.2). A rejection for a lack of
    /// scopes has them as `scope`.
    #[default]
    Json,
    /// Problem details (RFC 9457), as `application/problem+json`: `status`, `title`, `detail`, and beside them `error`
    /// and `scope` as in [`Json`](Self::Json). The type is `about:blank`, and left out.
    Problem,
}

/// A body, and the type of its content where it has one.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) text: String,
}

impl Body {
    pub(super) fn json(value: &Value) -> Self {
        Self { content_type: Some(HeaderValue::from_static("application/json")), text: value.to_string() }
    }

    pub(super) fn of(rejection: &Rejection, form: BodyForm) -> Self {
        let scope = (!rejection.scopes().is_empty()).then(|| rejection.scopes().join(" "));
        let with_scope = |mut value: Value| {
            if let Some(scope) = scope {
                value["scope"] = scope.into();
            }
            value
        };
        let (error, description) = (rejection.error(), rejection.description());
        match form {
            BodyForm::Empty => Self { content_type: None, text: String::new() },
            BodyForm::Plain => Self {
                content_type: Some(HeaderValue::from_static("text/plain; charset=utf-8")),
                text: description.to_owned(),
            },
            BodyForm::Json => Self::json(&with_scope(json!({ "error": error, "error_description": description }))),
            BodyForm::Problem => {
                let status = rejection.status();
                let title = status.canonical_reason().unwrap_or_default();
                let problem =
                    json!({ "status": status.as_u16(), "title": title, "detail": description, "error": error });
                let content_type = Some(HeaderValue::from_static("application/problem+json"));
                Self { content_type, ..Self::json(&with_scope(problem)) }
            }
        }
    }
}
