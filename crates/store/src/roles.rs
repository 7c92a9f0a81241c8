//! A role per service, with the rights that [`TABLES`] gives it and no others.
//!
//! A role is named after the database and the service (`caffeine_doc_writer` in the database `caffeine`), so that
//! installations on one server do not share them. Foreign keys need no rights here: PostgreSQL checks them, and deletes
//! what hangs on a deleted row, as the tables' owner.

use std::fmt::Write as _;

use caffeine_model::Service;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{Store, StoreError, TABLES};

/// Two that change rights at once would fail on each other's rows of the catalogue. The number means nothing.
const LOCK: i64 = 0x726f_6c65_735f_6363;
/// PostgreSQL cuts longer names, which could make two of one.
const MAX_NAME: usize = 63;
/// The table that remembers the migrations; every service compares itself with it.
const MIGRATIONS: &str = "_sqlx_migrations";

/// Roles cannot be made or are not what they should be.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Whatever else the database says.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database's name leaves no room.
    #[error("the role `{0}` would have more than {MAX_NAME} bytes: give the database a shorter name")]
    NameTooLong(String),
    /// A password could be mistaken for SQL.
    #[error("a password of a role must be of letters, digits, `-` and `_`, and at least 16 of them")]
    Password,
    /// A right that a service needs is not there.
    #[error("`{role}` lacks {missing}: is it the role of {service}? `caffeine migrate` grants what is missing")]
    Missing {
        /// As whom the program is connected.
        role: String,
        /// As what it works.
        service: &'static str,
        /// Which rights on which tables.
        missing: String,
    },
}

impl From<sqlx::Error> for RoleError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Makes the services' roles, or gives those that exist these passwords. Needs the right to make roles.
    ///
    /// # Errors
    /// See [`RoleError`]; either all are made or none.
    pub async fn keep_roles(&self, passwords: &[(Service, String)]) -> Result<(), RoleError> {
        let mut tx = self.pool.begin().await?;
        lock(&mut tx).await?;
        for (service, password) in passwords {
            let plain = password.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !plain || password.len() < 16 {
                return Err(RoleError::Password);
            }
            let role = role(&mut tx, *service).await?;
            let verb = if exists(&mut tx, &role.name).await? { "ALTER" } else { "CREATE" };
            execute(&mut tx, format!("{verb} ROLE {} LOGIN PASSWORD '{password}'", role.quoted)).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Gives every role that exists exactly its rights and takes all others; without roles, changes nothing. Needs the
    /// owner of database and tables. Running services notice nothing: it is one transaction.
    ///
    /// # Errors
    /// See [`RoleError`].
    pub async fn grant_rights(&self) -> Result<Vec<Service>, RoleError> {
        let mut tx = self.pool.begin().await?;
        lock(&mut tx).await?;
        let mut roles = Vec::new();
        for service in Service::ALL {
            let role = role(&mut tx, service).await?;
            if exists(&mut tx, &role.name).await? {
                roles.push((service, role));
            }
        }
        if !roles.is_empty() {
            let database = sqlx::query_scalar!(r#"SELECT quote_ident(current_database()) AS "name!""#);
            let database = database.fetch_one(&mut *tx).await?;
            execute(&mut tx, grants(&database, &roles)).await?;
        }
        tx.commit().await?;
        Ok(roles.into_iter().map(|(service, _)| service).collect())
    }

    /// The name of a service's role in this database, whether it exists or not.
    ///
    /// # Errors
    /// See [`RoleError`].
    pub async fn role_name(&self, service: Service) -> Result<String, RoleError> {
        let mut connection = self.pool.acquire().await?;
        Ok(role(&mut connection, service).await?.name)
    }

    /// Fails if the role of this connection lacks something that the service needs.
    ///
    /// # Errors
    /// [`RoleError::Missing`] with the tables.
    pub async fn check_rights(&self, service: Service) -> Result<(), RoleError> {
        let needed = TABLES.iter().flat_map(|table| table.rights(service).iter().map(|right| (table.name, *right)));
        let (tables, rights): (Vec<String>, Vec<String>) =
            needed.map(|(table, right)| (table.to_owned(), right.to_owned())).unzip();
        let missing = sqlx::query!(
            r#"SELECT name AS "name!", "right" AS "right!", current_user::text AS "role!"
               FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS needed (name, "right", position)
               WHERE NOT coalesce(has_table_privilege(to_regclass(quote_ident(name)), "right"), false)
               ORDER BY position"#,
            &tables,
            &rights,
        )
        .fetch_all(&self.pool)
        .await?;
        let Some(first) = missing.first() else {
            return Ok(());
        };
        // `SELECT, INSERT on a; SELECT on b`: the rows come table by table.
        let mut text = String::new();
        for rows in missing.chunk_by(|one, next| one.name == next.name) {
            let rights: Vec<&str> = rows.iter().map(|row| row.right.as_str()).collect();
            let gap = if text.is_empty() { "" } else { "; " };
            let _ = write!(text, "{gap}{} on {}", rights.join(", "), rows[0].name);
        }
        Err(RoleError::Missing { role: first.role.clone(), service: service.as_str(), missing: text })
    }
}

struct Role {
    name: String,
    quoted: String,
}

async fn role(connection: &mut PgConnection, service: Service) -> Result<Role, RoleError> {
    let suffix = format!("_{}", service.as_str().replace('-', "_"));
    let row = sqlx::query!(
        r#"SELECT current_database() || $1 AS "name!", quote_ident(current_database() || $1) AS "quoted!""#,
        suffix
    )
    .fetch_one(connection)
    .await?;
    if row.name.len() > MAX_NAME {
        Err(RoleError::NameTooLong(row.name))
    } else {
        Ok(Role { name: row.name, quoted: row.quoted })
    }
}

async fn exists(connection: &mut PgConnection, name: &str) -> Result<bool, RoleError> {
    let found = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS "found!""#, name);
    Ok(found.fetch_one(connection).await?)
}

async fn lock(connection: &mut PgConnection) -> Result<(), RoleError> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(connection).await?;
    Ok(())
}

/// Statements about rights take no parameters; every name in them is a constant or quoted by the server.
async fn execute(connection: &mut PgConnection, statements: String) -> Result<(), RoleError> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
    Ok(())
}

/// Takes everything, also what every role has by birth, then gives what [`TABLES`] says.
fn grants(database: &str, roles: &[(Service, Role)]) -> String {
    let everybody = roles.iter().map(|(_, role)| role.quoted.as_str()).collect::<Vec<_>>().join(", ");
    let mut sql = format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC, {everybody};\n\
         REVOKE ALL ON SCHEMA public FROM PUBLIC, {everybody};\n\
         REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {everybody};\n\
         REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {everybody};\n\
         GRANT CONNECT ON DATABASE {database} TO {everybody};\n\
         GRANT USAGE ON SCHEMA public TO {everybody};\n\
         GRANT SELECT ON {MIGRATIONS} TO {everybody};\n"
    );
    for table in TABLES {
        for (service, role) in roles {
            let rights = table.rights(*service);
            if !rights.is_empty() {
                let _ = writeln!(sql, "GRANT {} ON {} TO {};", rights.join(", "), table.name, role.quoted);
            }
        }
    }
    sql
}
