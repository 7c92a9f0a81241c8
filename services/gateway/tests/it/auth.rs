//! Which tokens are valid.

use crate::fixture::Fixture;

#[tokio::test]
async fn only_valid_tokens_open() {
    let fixture = Fixture::start().await;
    let url = format!("{}/api/v1/repositories", fixture.base);
    let status = |header: String| {
        let request = fixture.http.get(&url).header("authorization", header);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let token = fixture.token.clone();
    assert_eq!(status(format!("Bearer {token}")).await, 200);
    assert_eq!(status(format!("bearer {token}")).await, 200, "the scheme's case does not matter");
    for header in [
        token.clone(),
        format!("Basic {token}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {}", &token[..45]),
        format!("Bearer {token}x"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer cc_{}", "a".repeat(43)),
        format!("Bearer {}", "a".repeat(4_000)),
    ] {
        assert_eq!(status(header.clone()).await, 401, "{header}");
    }
    fixture.execute("UPDATE tokens SET expires_at = now() - interval '1 second'").await;
    assert_eq!(status(format!("Bearer {token}")).await, 401, "an expired token");
    fixture.execute("UPDATE tokens SET expires_at = now() + interval '1 hour'; UPDATE users SET active = false").await;
    assert_eq!(status(format!("Bearer {token}")).await, 401, "an inactive user");
    fixture.stop().await;
}
