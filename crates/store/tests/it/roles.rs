use std::collections::BTreeSet;

use caffeine_model::Service;
use caffeine_store::{RoleError, Store, TABLES};
use caffeine_testkit::TestDatabase;
use sqlx::AssertSqlSafe;
use sqlx::{Connection as _, Executor as _, PgConnection};

/// "The user may not do that."
const DENIED: &str = "42501";

/// A database whose roles exist, with the address of each service.
pub(crate) struct Roles {
    pub(crate) database: TestDatabase,
    pub(crate) owner: Store,
    urls: Vec<(Service, String)>,
}

impl Roles {
    pub(crate) async fn create() -> Self {
        let database = TestDatabase::create().await;
        let owner = Store::connect(database.url(), 2, "owner").await.unwrap();
        let passwords: Vec<_> = Service::ALL
            .into_iter()
            .map(|service| (service, format!("{}-0123456789abcdef", service.as_str())))
            .collect();
        owner.keep_roles(&passwords).await.unwrap();
        assert_eq!(owner.grant_rights().await.unwrap(), Service::ALL);
        let mut urls = Vec::new();
        for (service, password) in passwords {
            let role = owner.role_name(service).await.unwrap();
            let (_, place) = database.url().rsplit_once('@').unwrap();
            urls.push((service, format!("postgres://{role}:{password}@{place}")));
        }
        Self { database, owner, urls }
    }

    pub(crate) fn url(&self, service: Service) -> &str {
        &self.urls.iter().find(|(known, _)| *known == service).unwrap().1
    }

    pub(crate) async fn connect(&self, service: Service) -> PgConnection {
        PgConnection::connect(self.url(service)).await.unwrap()
    }
}

#[tokio::test]
async fn every_table_has_an_owner() {
    let database = TestDatabase::create().await;
    let found: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
         AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname <> '_sqlx_migrations' ORDER BY relname",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    let mut listed: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    listed.sort_unstable();
    assert_eq!(found, listed, "TABLES in crates/store/src/tables.rs says who writes and reads each table");
    for table in TABLES {
        assert!(table.writer.is_none_or(|writer| !table.readers.contains(&writer)), "{}: it reads anyway", table.name);
    }
    let sequences: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relkind = 'S'")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(sequences, 0, "a sequence needs a grant of its own");
}

#[tokio::test]
async fn nobody_may_do_what_they_do_not_need() {
    let roles = Roles::create().await;
    let (mut tried, mut refused) = (0, 0);
    for service in Service::ALL {
        let mut connection = roles.connect(service).await;
        let others = [("_sqlx_migrations", &["SELECT"][..], false)];
        let listed = TABLES.iter().map(|table| (table.name, table.rights(service), table.writer.is_none()));
        for (table, rights, is_view) in listed.chain(others) {
            for (right, statement) in [
                ("SELECT", format!("SELECT count(*) FROM {table}")),
                ("INSERT", format!("INSERT INTO {table} SELECT * FROM {table} WHERE false")),
                ("INSERT", format!("COPY {table} FROM STDIN")),
                ("UPDATE", format!("UPDATE {table} SET {} = NULL WHERE false", first_column(&roles, table).await)),
                ("UPDATE", format!("SELECT FROM {table} FOR UPDATE")),
                ("UPDATE", format!("SELECT FROM {table} FOR KEY SHARE")),
                ("DELETE", format!("DELETE FROM {table}")),
                ("TRUNCATE", format!("TRUNCATE {table}")),
                ("REFERENCES", format!("CREATE TEMP TABLE mine (x int) INHERITS ({table})")),
                ("OWNER", format!("ALTER TABLE {table} ADD COLUMN mine int")),
                ("OWNER", format!("DROP TABLE {table}")),
                ("LOCK", format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")),
            ] {
                // What cannot be done with a view at all is refused for that reason, whoever asks.
                if is_view && right != "SELECT" {
                    continue;
                }
                let allowed = match right {
                    "LOCK" => rights.contains(&"UPDATE"),
                    // A row that is looked at is also read.
                    "UPDATE" => rights.contains(&"UPDATE") && rights.contains(&"SELECT"),
                    other => rights.contains(&other),
                };
                let mut tx = connection.begin().await.unwrap();
                let outcome = if statement.starts_with("COPY") {
                    match tx.copy_in_raw(&statement).await {
                        Ok(copy) => copy.finish().await.map(drop),
                        Err(error) => Err(error),
                    }
                } else {
                    tx.execute(AssertSqlSafe(statement.clone())).await.map(drop)
                };
                let code = outcome.err().and_then(|error| error.as_database_error()?.code().map(String::from));
                assert_eq!(code.as_deref(), (!allowed).then_some(DENIED), "{} {statement}", service.as_str());
                let _ = tx.rollback().await;
                tried += 1;
                refused += u32::from(!allowed);
            }
            for right in ["INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"] {
                let held: bool = sqlx::query_scalar("SELECT has_table_privilege($1::text, $2::text)")
                    .bind(table)
                    .bind(right)
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
                assert_eq!(held, rights.contains(&right), "{} {right} {table}", service.as_str());
            }
            // Not refused where it has a right itself, but without effect.
            let _ = connection.execute(AssertSqlSafe(format!("GRANT ALL ON {table} TO PUBLIC"))).await;
        }
    }
    let public = "SELECT count(*) FROM information_schema.table_privileges \
                  WHERE grantee = 'PUBLIC' AND table_schema = 'public'";
    let public: i64 = sqlx::query_scalar(public).fetch_one(roles.database.pool()).await.unwrap();
    assert_eq!(public, 0);
    assert!(tried > 2_500 && refused > 2_000, "{tried} tried, {refused} refused");
    println!("{tried} statements tried by six roles, {refused} refused");
}

#[tokio::test]
async fn what_grows_only_goes_with_what_it_hangs_on() {
    let roles = Roles::create().await;
    let mut gateway = roles.connect(Service::Gateway).await;
    let rows = "INSERT INTO workspaces (workspace_id, name) VALUES (md5('w')::uuid, 'w'); \
        INSERT INTO users (user_id, workspace_id, display_name, role) \
            VALUES (md5('u')::uuid, md5('w')::uuid, 'u', 'author'); \
        INSERT INTO prompt_templates (template_id, workspace_id, name) VALUES (md5('t')::uuid, md5('w')::uuid, 't'); \
        INSERT INTO prompt_versions (template_version_id, template_id, number, system, body, author_id) \
            SELECT md5('v' || n)::uuid, md5('t')::uuid, n, '', '{code}', md5('u')::uuid FROM generate_series(1, 3) n";
    gateway.execute(rows).await.unwrap();
    for statement in [
        "UPDATE prompt_versions SET body = 'other {code}'",
        "UPDATE prompt_versions SET author_id = NULL",
        "DELETE FROM prompt_versions",
        "SELECT FROM prompt_versions FOR UPDATE",
        "TRUNCATE prompt_versions",
    ] {
        let error = gateway.execute(statement).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some(DENIED), "{statement}: {error}");
        assert!(error.to_string().contains("permission denied"), "by rights, before any trigger: {error}");
    }
    let mut left = async |statement: &str| {
        gateway.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
        let count = "SELECT count(*), count(author_id) FROM prompt_versions WHERE template_id = md5('t')::uuid";
        sqlx::query_as::<_, (i64, i64)>(count).fetch_one(&mut gateway).await.unwrap()
    };
    assert_eq!(left("SELECT 1").await, (3, 3));
    assert_eq!(left("DELETE FROM users WHERE user_id = md5('u')::uuid").await, (3, 0), "they outlive their author");
    assert_eq!(left("DELETE FROM prompt_templates WHERE template_id = md5('t')::uuid").await, (0, 0));
}

async fn first_column(roles: &Roles, table: &str) -> String {
    sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 ORDER BY attnum LIMIT 1",
    )
    .bind(table)
    .fetch_one(roles.database.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn nobody_gets_beyond_the_tables() {
    let roles = Roles::create().await;
    for service in Service::ALL {
        let mut connection = roles.connect(service).await;
        let other = if service == Service::Gateway { Service::Cloner } else { Service::Gateway };
        let other = roles.owner.role_name(other).await.unwrap();
        for statement in [
            "CREATE TABLE mine (x int)".to_owned(),
            "CREATE TEMP TABLE mine (x int)".to_owned(),
            "CREATE SCHEMA mine".to_owned(),
            "CREATE DATABASE mine".to_owned(),
            "CREATE ROLE mine".to_owned(),
            "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'".to_owned(),
            format!("SET ROLE {other}"),
            format!("ALTER ROLE {other} PASSWORD 'x'"),
            "SELECT rolpassword FROM pg_authid".to_owned(),
            "SELECT pg_read_file('/etc/passwd')".to_owned(),
            "COPY runs TO PROGRAM 'true'".to_owned(),
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user AND pid IS NOT NULL"
                .to_owned(),
        ] {
            let error = connection.execute(AssertSqlSafe(statement.clone())).await.expect_err(&statement);
            let code = error.as_database_error().and_then(|error| error.code().map(String::from));
            assert_eq!(code.as_deref(), Some(DENIED), "{} {statement}: {error}", service.as_str());
        }
    }
}

#[tokio::test]
async fn a_second_time_changes_nothing_and_repairs_everything() {
    let roles = Roles::create().await;
    let rights = "SELECT grantee || ' ' || privilege_type || ' ' || table_name FROM information_schema.table_privileges \
                  WHERE table_schema = 'public'";
    let snapshot = || async {
        let rows: Vec<String> = sqlx::query_scalar(rights).fetch_all(roles.database.pool()).await.unwrap();
        rows.into_iter().collect::<BTreeSet<_>>()
    };
    let before = snapshot().await;
    roles.owner.grant_rights().await.unwrap();
    assert_eq!(snapshot().await, before);

    let chunker = roles.owner.role_name(Service::Chunker).await.unwrap();
    for statement in [
        format!("GRANT ALL ON tokens TO {chunker}"),
        format!("REVOKE INSERT ON symbols FROM {chunker}"),
        "GRANT SELECT ON tokens TO PUBLIC".to_owned(),
    ] {
        roles.database.pool().execute(AssertSqlSafe(statement)).await.unwrap();
    }
    assert_ne!(snapshot().await, before);
    let store = Store::connect(roles.url(Service::Chunker), 1, "test").await.unwrap();
    let error = store.check_rights(Service::Chunker).await.unwrap_err();
    assert!(matches!(&error, RoleError::Missing { missing, .. } if missing == "INSERT on symbols"), "{error}");
    let (first, second) = tokio::join!(roles.owner.grant_rights(), roles.owner.grant_rights());
    assert!(first.is_ok() && second.is_ok(), "two at once");
    assert_eq!(snapshot().await, before);
    store.check_rights(Service::Chunker).await.unwrap();
}

#[tokio::test]
async fn another_services_role_is_noticed_with_the_table() {
    let roles = Roles::create().await;
    for service in Service::ALL {
        let store = Store::connect(roles.url(service), 1, "test").await.unwrap();
        store.check_rights(service).await.unwrap();
        for other in TABLES.iter().filter_map(|table| table.writer).filter(|other| *other != service) {
            let error = store.check_rights(other).await.unwrap_err().to_string();
            let own = TABLES.iter().find(|table| table.writer == Some(other)).unwrap().name;
            let role = roles.owner.role_name(service).await.unwrap();
            assert!(error.starts_with(&format!("`{role}` lacks ")) && error.contains(own), "{error}");
        }
    }
    // The owner may do everything.
    roles.owner.check_rights(Service::Gateway).await.unwrap();
}

#[tokio::test]
async fn without_roles_nothing_changes() {
    let database = TestDatabase::create().await;
    let owner = Store::connect(database.url(), 1, "owner").await.unwrap();
    assert!(owner.grant_rights().await.unwrap().is_empty());
    let public: bool = sqlx::query_scalar("SELECT has_schema_privilege('public', 'public', 'USAGE')")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(public);
}

#[tokio::test]
async fn passwords_that_could_be_sql_or_guessed_are_refused() {
    let database = TestDatabase::create().await;
    let owner = Store::connect(database.url(), 1, "owner").await.unwrap();
    for password in ["", "short", "0123456789abcdef' SUPERUSER --"] {
        let outcome = owner.keep_roles(&[(Service::Cloner, password.to_owned())]).await;
        assert!(matches!(outcome, Err(RoleError::Password)), "{password}");
    }
}
