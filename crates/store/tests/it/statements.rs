//! Every statement in the source, planned under the role of the service that runs it: the server checks rights when it
//! opens a plan, so nothing has to be executed, and no path of the code is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use caffeine_model::Service;
use caffeine_store::TABLES;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::roles::Roles;

/// Source without line ends and gaps, as a statement looks in `.sqlx/`.
fn squeeze(text: &str) -> String {
    text.replace("\\\n", " ").replace("\\\"", "\"").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.flatten().flat_map(|entry| files(&entry.path())).collect()
}

/// The source of each service's module.
fn modules() -> BTreeMap<Service, String> {
    let text = |service: Service| {
        let name = service.as_str().replace('-', "_");
        let src = root().join("src");
        let own = [src.join(format!("{name}.rs")), src.join(name)];
        own.iter().flat_map(|path| files(path)).map(|file| std::fs::read_to_string(file).unwrap()).collect::<String>()
    };
    Service::ALL.into_iter().map(|service| (service, squeeze(&text(service)))).collect()
}

/// Statements that are in no service's module, and whose they are.
fn shared(statement: &str) -> Vec<Service> {
    let inbox = TABLES.iter().find(|table| table.name.ends_with("_inbox") && statement.contains(table.name));
    match inbox {
        Some(table) => vec![table.writer],
        None => Service::ALL.to_vec(),
    }
}

#[tokio::test]
async fn every_statement_is_allowed_to_its_service() {
    let roles = Roles::create().await;
    let modules = modules();
    let whole: String = squeeze(
        &files(&root().join("src")).iter().map(|file| std::fs::read_to_string(file).unwrap()).collect::<String>(),
    );
    let mut connections = BTreeMap::new();
    for service in Service::ALL {
        connections.insert(service, roles.connect(service).await);
    }
    let mut planned = 0;
    for file in files(&root().join("../../.sqlx")) {
        let query: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let statement = query["query"].as_str().unwrap();
        let squeezed = squeeze(statement);
        // Of the owner's side.
        if squeezed.contains("pg_roles") {
            continue;
        }
        let mut services: Vec<Service> =
            modules.iter().filter(|(_, source)| source.contains(&squeezed)).map(|(service, _)| *service).collect();
        if services.is_empty() {
            services = shared(statement);
            let pieces = whole.contains(&squeezed) || statement.contains("_inbox");
            assert!(pieces, "not found in the source: {squeezed}");
        }
        for service in services {
            let connection = connections.get_mut(&service).unwrap();
            let plan = format!("EXPLAIN (GENERIC_PLAN) {statement}");
            if let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(plan))).await {
                panic!("{}: {error}: {squeezed}\n(crates/store/src/tables.rs)", service.as_str());
            }
            planned += 1;
        }
    }
    assert!(planned > 100, "{planned}");
}

/// What the macros do not see.
#[tokio::test]
async fn every_copy_is_into_a_table_of_ones_own() {
    let mut found = 0;
    for (service, source) in modules() {
        for statement in source.split("COPY ").skip(1) {
            let table = statement.split([' ', '(']).next().unwrap();
            if let Some(spec) = TABLES.iter().find(|spec| spec.name == table) {
                assert_eq!(spec.writer, service, "{table}");
                found += 1;
            }
        }
    }
    assert!(found >= 8, "{found}");
}

#[test]
fn nobody_reads_without_need() {
    let modules = modules();
    for table in TABLES {
        for reader in table.readers {
            let words: BTreeSet<&str> =
                modules[reader].split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
            assert!(words.contains(table.name), "{} does not mention {}", reader.as_str(), table.name);
        }
    }
}
