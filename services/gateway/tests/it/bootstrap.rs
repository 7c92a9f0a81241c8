//! The first start.

use caffeine_gateway::{BootstrapError, ensure_admin_token, generate_token};
use caffeine_store::Store;
use caffeine_testkit::TestDatabase;
use secrecy::{ExposeSecret, SecretString};

async fn tokens(database: &TestDatabase) -> (i64, i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM tokens), (SELECT count(*) FROM users), (SELECT count(*) FROM workspaces)",
    )
    .fetch_one(database.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn a_token_is_made_once_and_again_when_it_has_expired() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 4, "test").await.unwrap();
    let first = ensure_admin_token(&store, None).await.unwrap().expect("the first start makes a token");
    assert!(first.0.expose_secret().starts_with("cc_"));
    assert!(ensure_admin_token(&store, None).await.unwrap().is_none(), "the second start has one");
    assert_eq!(tokens(&database).await, (1, 1, 1));
    sqlx::raw_sql("UPDATE tokens SET expires_at = now()").execute(database.pool()).await.unwrap();
    assert!(ensure_admin_token(&store, None).await.unwrap().is_some());
    assert_eq!(tokens(&database).await, (2, 1, 1));
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT secret_hash FROM tokens").fetch_all(database.pool()).await.unwrap();
    assert!(stored.iter().all(|hash| hash.len() == 32), "only hashes are stored");
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_administrator() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 8, "test").await.unwrap();
    let starts = (0..6).map(|_| ensure_admin_token(&store, None));
    let made = futures::future::join_all(starts).await;
    assert_eq!(made.into_iter().filter(|token| token.as_ref().unwrap().is_some()).count(), 1);
    assert_eq!(tokens(&database).await, (1, 1, 1));
}

#[tokio::test]
async fn a_given_token_is_made_valid_and_a_weak_one_refused() {
    let database = TestDatabase::create().await;
    let store = Store::connect(database.url(), 4, "test").await.unwrap();
    let given = SecretString::from(format!("{}\n", generate_token().unwrap()));
    for _ in 0..2 {
        assert!(ensure_admin_token(&store, Some(&given)).await.unwrap().is_none());
    }
    assert_eq!(tokens(&database).await, (1, 1, 1));
    for weak in ["", "admin", "cc_short"] {
        let outcome = ensure_admin_token(&store, Some(&SecretString::from(weak))).await;
        assert!(matches!(outcome, Err(BootstrapError::Weak)), "{weak}");
    }
}
