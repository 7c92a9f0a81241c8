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

/// A statement that stands outside of the services' modules belongs to the writer of the table that it changes. The
/// others read no table, or they are these.
const SHARED_READS: &[(&str, Service)] = &[
    ("FROM repositories p WHERE EXISTS", Service::Housekeeper),
    ("JOIN chunks k ON k.file_version_id = s.file_version_id", Service::DocWriter),
    ("JOIN chunks k ON k.file_version_id = s.file_version_id", Service::Gateway),
    ("JOIN visible v USING (file_version_id)", Service::DocWriter),
    ("JOIN visible v USING (file_version_id)", Service::Gateway),
];

fn shared(statement: &str) -> Vec<Service> {
    let read = SHARED_READS.iter().filter(|(part, _)| statement.contains(part)).map(|(_, service)| *service);
    let changed = TABLES.iter().filter(|table| {
        let begins = |verb: &str| statement.starts_with(&format!("{verb} {} ", table.name));
        begins("DELETE FROM")
            || begins("INSERT INTO")
            || begins("UPDATE")
            || begins("SELECT attempts, open_deliveries, outcome, detail, retried_generation FROM")
    });
    let found: Vec<Service> = read.chain(changed.filter_map(|table| table.writer)).collect();
    let tables = TABLES.iter().filter(|table| words(statement).contains(table.name)).count();
    assert!(!found.is_empty() || tables == 0, "whose is it? {statement}");
    if found.is_empty() { Service::ALL.to_vec() } else { found }
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect()
}

/// Every statement that the compiler has seen, and who runs it.
fn statements() -> Vec<(String, Vec<Service>)> {
    let modules = modules();
    let mut statements = Vec::new();
    for file in files(&root().join("../../.sqlx")) {
        let query: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let statement = squeeze(query["query"].as_str().unwrap());
        // The owner's, who makes the roles.
        if statement.contains("pg_roles") {
            continue;
        }
        let own = modules.iter().filter(|(_, source)| source.contains(&statement)).map(|(service, _)| *service);
        let mut services: Vec<Service> = own.collect();
        if services.is_empty() {
            services = shared(&statement);
        }
        statements.push((statement, services));
    }
    statements
}

#[tokio::test]
async fn every_statement_is_allowed_to_its_service() {
    let roles = Roles::create().await;
    let mut connections = BTreeMap::new();
    for service in Service::ALL {
        connections.insert(service, roles.connect(service).await);
    }
    let mut planned = 0;
    for (statement, services) in statements() {
        for service in services {
            let connection = connections.get_mut(&service).unwrap();
            let plan = format!("EXPLAIN (GENERIC_PLAN) {statement}");
            if let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(plan))).await {
                panic!("{}: {error}: {statement}\n(crates/store/src/tables.rs)", service.as_str());
            }
            planned += 1;
        }
    }
    assert!(planned > 100, "{planned}");
}

#[test]
fn nobody_reads_without_need() {
    let statements = statements();
    for table in TABLES {
        for reader in table.readers {
            let reads = statements
                .iter()
                .any(|(statement, services)| services.contains(reader) && words(statement).contains(table.name));
            assert!(reads, "{} does not read {}", reader.as_str(), table.name);
        }
    }
}

/// What the macros do not see.
#[tokio::test]
async fn every_copy_is_into_a_table_of_ones_own() {
    let mut found = 0;
    for (service, source) in modules() {
        for statement in source.split("COPY ").skip(1) {
            let table = statement.split([' ', '(']).next().unwrap();
            if let Some(spec) = TABLES.iter().find(|spec| spec.name == table) {
                assert_eq!(spec.writer, Some(service), "{table}");
                found += 1;
            }
        }
    }
    assert!(found >= 8, "{found}");
}
