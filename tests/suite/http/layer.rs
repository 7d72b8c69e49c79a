//! The layer over services that are not axum's.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use keyward::http::{Protect, Rejections, principal};
use keyward::key::Authenticated;
use keyward::schemas::standard::Standard;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

type Body = UnsyncBoxBody<&'static [u8], Infallible>;

fn request(key: Option<&str>) -> Request<()> {
    let request = Request::get("/");
    let request = match key {
        Some(key) => request.header(AUTHORIZATION, format!("Bearer {key}")),
        None => request,
    };
    request.body(()).unwrap()
}

/// As services of gRPC answer: always 200, with the outcome in a header of their own.
fn grpc() -> Rejections {
    Rejections::new().map(|rejection| {
        let code = match rejection.status() {
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => "16",
            StatusCode::FORBIDDEN => "7",
            _ => "14",
        };
        let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static(code));
        rejection.with_status(StatusCode::OK).with_header(status.0, status.1)
    })
}

#[tokio::test]
async fn bodies_and_headers_of_another_kind_are_the_hosts() {
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &[]).await;
    let service = service_fn(|request: Request<()>| async move {
        assert!(request.headers()[AUTHORIZATION].is_sensitive(), "nothing prints it");
        assert!(!format!("{request:?}").contains("Bearer "));
        let caller: Authenticated<Standard> = principal(request.extensions()).unwrap();
        let body = Full::new(caller.owner().to_string().leak().as_bytes()).boxed_unsync();
        Ok::<_, Infallible>(Response::<Body>::new(body))
    });
    let body = |text: String| Full::new(text.leak().as_bytes()).boxed_unsync();
    let mut service = Protect::new(keys).rejections(grpc()).body_with(body).layer(service);
    let read = async |response: Response<Body>| response.into_body().collect().await.unwrap().to_bytes().to_vec();

    let response = service.ready().await.unwrap().call(request(Some(&key))).await.unwrap();
    assert_eq!((response.status(), response.headers().get("grpc-status")), (StatusCode::OK, None));
    assert_eq!(read(response).await, b"customer-1");

    let response = service.call(request(Some("hunter2"))).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["grpc-status"]),
        (200, &HeaderValue::from_static("16"))
    );
    assert!(read(response).await.starts_with(b"{"));
}

/// Is ready for one call, and panics at one for which it was not.
struct OnceReady(Arc<AtomicUsize>, bool);

impl Clone for OnceReady {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), false)
    }
}

impl Service<Request<()>> for OnceReady {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.1 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.1), "the one that is called is the one that was ready");
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_called_and_only_with_a_good_key() {
    let keys = super::keys();
    let key = super::key(&keys, "customer-1", &[]).await;
    let count = Arc::default();
    let mut service = Protect::new(keys).layer(OnceReady(Arc::clone(&count), false));
    for key in [None, Some(key.as_str()), Some("hunter2"), Some(key.as_str())] {
        let response = service.ready().await.unwrap().call(request(key)).await.unwrap();
        assert_eq!(response.status().is_success(), key.is_some_and(|key| key != "hunter2"));
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
}
