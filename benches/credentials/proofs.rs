//! What a call to a resource server takes beyond the signature itself, and what an answer takes.

use std::error::Error;
use std::hint::black_box;

use keyward::credential::{
    AnswerHeaders, CoordinateForm, DpopKey, DpopNonce, DpopProof, Expected, ServerAnswer, TokenAnswer, TokenType,
};
use keyward::{Secret, Timestamp};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

use keyward_benches::batch::step;
use keyward_benches::suite::Suite;

/// As long as those of the atproto PDS.
const ACCESS_TOKEN_LEN: usize = 900;

pub(crate) fn prove(suite: &mut Suite) -> Result<(), Box<dyn Error>> {
    let key = DpopKey::from_multibase("z42tvqQS5sVhaV1jLZ5P6ZKEPEbSpYavNVmT88YDYV3MEZ8D")?;
    let access_token = Secret::new("a".repeat(ACCESS_TOKEN_LEN));
    let nonce = DpopNonce::new("n".repeat(43))?;
    let at = Timestamp::from_micros(1_893_456_000_000_000);
    let mut id = 0_u128;
    let mut proof = || {
        id += 1;
        DpopProof::new("GET", "https://pds.example/xrpc/com.example.method?limit=50", at, id.to_be_bytes())
            .nonce(Some(&nonce))
            .access_token(&access_token)
            .sign(&key, CoordinateForm::Padded)
    };
    let signed = proof();
    let message = signed.rsplit_once('.').unwrap_or_default().0;
    let raw_key = SigningKey::from_slice(&[7; 32])?;
    let raw = || -> Signature { raw_key.sign(black_box(message.as_bytes())) };
    suite.compare("DPoP proof with nonce and token hash", step(&mut proof), "raw P-256 signature", step(raw));

    let body = format!(
        r#"{{"access_token":"{}","refresh_token":"ref-0123456789","token_type":"DPoP","expires_in":3599,
        "scope":"atproto transition:generic","sub":"did:plc:z72i7hdynmk6r22z27h6tvur"}}"#,
        access_token.expose_secret()
    );
    let headers: AnswerHeaders = [("DPoP-Nonce", nonce.as_str())].into_iter().collect();
    let expected = Expected::new(TokenType::Dpop, &access_token).subject("did:plc:z72i7hdynmk6r22z27h6tvur");
    suite.compare(
        "understand a token answer",
        step(|| TokenAnswer::understand(ServerAnswer::new(200, &headers, black_box(body.as_bytes())), &expected)),
        "serde_json into a value",
        step(|| serde_json::from_str::<serde_json::Value>(black_box(&body)).is_ok()),
    );
    Ok(())
}
