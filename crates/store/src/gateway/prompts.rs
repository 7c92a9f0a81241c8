//! Prompt templates. A version never changes; an edit is the next version.

use caffeine_model::{TemplateId, TemplateVersionId, UserId, WorkspaceId};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, Actor, Entry};
use super::idempotency::{self, Once};
use super::{Cursor, Page};
use crate::{Store, StoreError};

/// A template that ships with the program.
#[derive(Debug, Clone, Copy)]
pub struct BuiltInTemplate {
    /// Its name, unique among the built-in ones.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The system prompt.
    pub system: &'static str,
    /// The body with its placeholders.
    pub body: &'static str,
}

/// The text of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The system prompt.
    pub system: String,
    /// The body with its placeholders.
    pub body: String,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateRow {
    /// Its identifier.
    pub id: TemplateId,
    /// Whether it ships with the program.
    pub built_in: bool,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Number of its latest version.
    pub latest_number: u32,
    /// Its latest version.
    pub latest_version: TemplateVersionId,
}

/// A version of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRow {
    /// Its identifier.
    pub id: TemplateVersionId,
    /// Its number, from 1.
    pub number: u32,
    /// The system prompt.
    pub system: String,
    /// The body with its placeholders.
    pub body: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who wrote it, as people know them; `None` if it is built in or its author is gone.
    pub author: Option<String>,
}

struct Raw {
    template_id: Uuid,
    built_in: bool,
    name: String,
    description: String,
    created_at: DateTime<Utc>,
    number: i32,
    template_version_id: Uuid,
}

impl From<Raw> for TemplateRow {
    fn from(raw: Raw) -> Self {
        Self {
            id: TemplateId::from_uuid(raw.template_id),
            built_in: raw.built_in,
            name: raw.name,
            description: raw.description,
            created_at: raw.created_at,
            latest_number: raw.number.unsigned_abs(),
            latest_version: TemplateVersionId::from_uuid(raw.template_version_id),
        }
    }
}

struct RawVersion {
    template_version_id: Uuid,
    number: i32,
    system: String,
    body: String,
    created_at: DateTime<Utc>,
    author: Option<String>,
}

impl From<RawVersion> for VersionRow {
    fn from(raw: RawVersion) -> Self {
        Self {
            id: TemplateVersionId::from_uuid(raw.template_version_id),
            number: raw.number.unsigned_abs(),
            system: raw.system,
            body: raw.body,
            created_at: raw.created_at,
            author: raw.author,
        }
    }
}

impl Store {
    /// Makes sure that the built-in templates exist with this text; a changed text is a new version.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn seed_templates(&self, templates: &[BuiltInTemplate]) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        for template in templates {
            sqlx::query!(
                "INSERT INTO prompt_templates (template_id, name, description) VALUES ($1, $2, $3) \
                 ON CONFLICT (workspace_id, name) DO UPDATE SET description = excluded.description",
                TemplateId::generate().as_uuid(),
                template.name,
                template.description
            )
            .execute(&mut *tx)
            .await?;
            let id = sqlx::query_scalar!(
                "SELECT template_id FROM prompt_templates WHERE workspace_id IS NULL AND name = $1 FOR NO KEY UPDATE",
                template.name
            )
            .fetch_one(&mut *tx)
            .await?;
            let latest = sqlx::query!(
                "SELECT system, body FROM prompt_versions WHERE template_id = $1 ORDER BY number DESC LIMIT 1",
                id
            )
            .fetch_optional(&mut *tx)
            .await?;
            let same = latest.is_some_and(|latest| latest.system == template.system && latest.body == template.body);
            if !same {
                let version = NewVersion { system: template.system.to_owned(), body: template.body.to_owned() };
                add_version(&mut tx, id, &version, None).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The templates that a workspace sees: its own and the built-in ones, by name.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn templates(
        &self,
        workspace: WorkspaceId,
        after: Option<Cursor<String>>,
        limit: i64,
    ) -> Result<Page<TemplateRow, String>, StoreError> {
        // Two halves, so that each is read along the index of names and no further than a page.
        let rows = sqlx::query_as!(
            Raw,
            r#"SELECT t.template_id AS "template_id!", t.workspace_id IS NULL AS "built_in!", t.name AS "name!",
                      t.description AS "description!", t.created_at AS "created_at!",
                      v.number AS "number!", v.template_version_id AS "template_version_id!"
               FROM (
                   (SELECT * FROM prompt_templates
                    WHERE workspace_id = $1 AND ($2::text IS NULL OR (name, template_id) > ($2, $3::uuid))
                    ORDER BY name, template_id LIMIT $4)
                   UNION ALL
                   (SELECT * FROM prompt_templates
                    WHERE workspace_id IS NULL AND ($2::text IS NULL OR (name, template_id) > ($2, $3::uuid))
                    ORDER BY name, template_id LIMIT $4)
               ) t
               JOIN LATERAL (SELECT number, template_version_id FROM prompt_versions
                             WHERE template_id = t.template_id ORDER BY number DESC LIMIT 1) v ON true
               ORDER BY t.name, t.template_id LIMIT $4"#,
            workspace.as_uuid(),
            after.as_ref().map(|cursor| cursor.key.as_str()),
            after.as_ref().map(|cursor| cursor.id),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let rows = rows.into_iter().map(TemplateRow::from).collect();
        let cursor = |row: &TemplateRow| Cursor { key: row.name.clone(), id: row.id.as_uuid() };
        Ok(Page::cut(rows, limit, cursor))
    }

    /// One template that a workspace sees.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn template(&self, workspace: WorkspaceId, id: TemplateId) -> Result<Option<TemplateRow>, StoreError> {
        let row = sqlx::query_as!(
            Raw,
            r#"SELECT t.template_id, t.workspace_id IS NULL AS "built_in!", t.name, t.description, t.created_at,
                      v.number AS "number!", v.template_version_id AS "template_version_id!"
               FROM prompt_templates t
               JOIN LATERAL (SELECT number, template_version_id FROM prompt_versions
                             WHERE template_id = t.template_id ORDER BY number DESC LIMIT 1) v ON true
               WHERE t.template_id = $2 AND (t.workspace_id = $1 OR t.workspace_id IS NULL)"#,
            workspace.as_uuid(),
            id.as_uuid()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(TemplateRow::from))
    }

    /// The versions of a template, newest first. The caller has checked that the workspace sees it.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn template_versions(
        &self,
        id: TemplateId,
        after: Option<Cursor<i32>>,
        limit: i64,
    ) -> Result<Page<VersionRow, i32>, StoreError> {
        let rows = sqlx::query_as!(
            RawVersion,
            r#"SELECT v.template_version_id, v.number, v.system, v.body, v.created_at,
                      u.display_name AS "author?"
               FROM prompt_versions v LEFT JOIN users u ON u.user_id = v.author_id
               WHERE v.template_id = $1 AND ($2::int IS NULL OR v.number < $2)
               ORDER BY v.number DESC LIMIT $3"#,
            id.as_uuid(),
            after.map(|cursor| cursor.key),
            limit + 1
        )
        .fetch_all(&self.pool)
        .await?;
        let Page { items, next } =
            Page::cut(rows, limit, |row| Cursor { key: row.number, id: row.template_version_id });
        Ok(Page { items: items.into_iter().map(VersionRow::from).collect(), next })
    }

    /// The version of a template with a number. The caller has checked that the workspace sees it.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub async fn template_version(&self, id: TemplateId, number: i32) -> Result<Option<VersionRow>, StoreError> {
        let row = sqlx::query_as!(
            RawVersion,
            r#"SELECT v.template_version_id, v.number, v.system, v.body, v.created_at,
                      u.display_name AS "author?"
               FROM prompt_versions v LEFT JOIN users u ON u.user_id = v.author_id
               WHERE v.template_id = $1 AND v.number = $2"#,
            id.as_uuid(),
            number
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(VersionRow::from))
    }

    /// Makes a template with its first version.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] if the workspace has one of that name.
    pub async fn create_template(
        &self,
        by: &Actor,
        name: &str,
        description: &str,
        version: &NewVersion,
        once: Option<&Once>,
    ) -> Result<TemplateId, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(TemplateId::from_uuid(made));
        }
        let id = TemplateId::generate();
        idempotency::remember(&mut tx, by.workspace, once, &id.as_uuid()).await?;
        sqlx::query!(
            "INSERT INTO prompt_templates (template_id, workspace_id, name, description) VALUES ($1, $2, $3, $4)",
            id.as_uuid(),
            by.workspace.as_uuid(),
            name,
            description
        )
        .execute(&mut *tx)
        .await?;
        let number = add_version(&mut tx, id.as_uuid(), version, by.user).await?;
        audit::append(&mut tx, by, published(id, name, number)).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Adds a version to a template of the workspace. `false` if the workspace has no such template of its own.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn create_template_version(
        &self,
        by: &Actor,
        id: TemplateId,
        version: &NewVersion,
        once: Option<&Once>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        if let Some(made) = idempotency::made(&mut tx, once).await? {
            return Ok(made);
        }
        let found = sqlx::query_scalar!(
            "SELECT name FROM prompt_templates WHERE template_id = $1 AND workspace_id = $2 FOR NO KEY UPDATE",
            id.as_uuid(),
            by.workspace.as_uuid()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(name) = found else { return Ok(false) };
        idempotency::remember(&mut tx, by.workspace, once, &true).await?;
        let number = add_version(&mut tx, id.as_uuid(), version, by.user).await?;
        audit::append(&mut tx, by, published(id, &name, number)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// The caller holds the template's lock, so numbers have no gap.
async fn add_version(
    connection: &mut PgConnection,
    template: Uuid,
    version: &NewVersion,
    author: Option<UserId>,
) -> Result<i32, StoreError> {
    let number = sqlx::query_scalar!(
        "INSERT INTO prompt_versions (template_version_id, template_id, number, system, body, author_id) \
         SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5 FROM prompt_versions WHERE template_id = $2 \
         RETURNING number",
        TemplateVersionId::generate().as_uuid(),
        template,
        version.system,
        version.body,
        author.map(UserId::as_uuid)
    )
    .fetch_one(connection)
    .await?;
    Ok(number)
}

fn published(id: TemplateId, name: &str, number: i32) -> Entry {
    Entry {
        action: "template.published",
        object_kind: "template",
        object_id: id.to_string(),
        detail: json!({ "name": name, "version": number }),
    }
}
