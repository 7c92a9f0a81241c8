//! Settings: defaults, then the file, then the environment.
//!
//! The file is TOML. Settings that all services share stand at its top, those of a service in its section
//! (`[cloner]`). In the environment they are `CAFFEINE_<KEY>` and `CAFFEINE_CLONER_<KEY>`; two underscores descend
//! into a table. `CAFFEINE_<…>_FILE` names a file that holds the value, for secrets. A list may be written as text whose
//! items are separated by commas. What a service is known by to broker and database may stand in its section too, so
//! that several services of one process are several users.

mod error;
mod list;
mod nearest;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use caffeine_contract::Service;
use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::Value;
use serde::de::DeserializeOwned;

pub use error::ConfigError;
pub use settings::{LogFormat, Settings};

const PREFIX: &str = "CAFFEINE_";
const FILE_SUFFIX: &str = "_FILE";

/// Keys that all services share; the fields of [`Settings`].
const COMMON: &[&str] = &[
    "nats_url",
    "nats_nkey",
    "nats_prefix",
    "nats_timings",
    "database_url",
    "database_connections",
    "health_listen",
    "log",
    "log_format",
    "shutdown_grace_seconds",
    "otlp_endpoint",
];

/// Shared settings that a service's section may replace for it: who it is.
const OF_SERVICE: &[&str] = &["nats_nkey", "database_url"];

/// Variables that are no settings: of the bus (`FAULT`), of tests and of the tools around a checkout.
const OTHER_VARIABLES: &[&str] = &[
    "CAFFEINE_CONFIG",
    "CAFFEINE_FAULT",
    "CAFFEINE_SERVER",
    "CAFFEINE_SETUP_LOCKED",
    "CAFFEINE_TOKEN",
    "CAFFEINE_TOOLS",
];

/// All settings of a process, not yet typed.
#[derive(Debug, Clone)]
pub struct Configuration {
    figment: Figment,
    /// Where a value of the environment comes from: key → (variable, value as given).
    variables: BTreeMap<String, (String, String)>,
    file: Option<PathBuf>,
}

impl Configuration {
    /// Reads the process's environment and the file: `file` if given, else the one `CAFFEINE_CONFIG` names, else none.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn from_process(file: Option<&Path>) -> Result<Self, ConfigError> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
        Self::load(file, variables)
    }

    /// Reads the given environment and file.
    ///
    /// # Errors
    /// See [`ConfigError`]. Keys of sections are checked when the section is read.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> =
            environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        let file = file.map(Path::to_owned).or_else(|| environment.get("CAFFEINE_CONFIG").map(PathBuf::from));

        let mut figment = Figment::new();
        if let Some(path) = &file {
            let text =
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
            figment = figment.merge(Toml::string(&text));
            check_top_level(&figment, path)?;
        }

        let mut variables = BTreeMap::new();
        for (name, value) in &environment {
            if OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let Some((key, from_file)) = setting_of(name) else {
                return Err(ConfigError::unknown(format!("the variable `{name}`"), name, known_variables()));
            };
            if from_file {
                let path = PathBuf::from(value);
                let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::ReadSecret {
                    variable: name.clone(),
                    path,
                    source,
                })?;
                let secret = text.trim_end_matches(['\r', '\n']).to_owned();
                figment = figment.merge((key.as_str(), Value::from(secret.clone())));
                variables.insert(key, (name.clone(), secret));
            } else {
                // An unquoted value is typed by its looks; `extract` falls back to text, or to a list, where one is wanted.
                let parsed: Value = value.parse().unwrap_or_else(|never| match never {});
                figment = figment.merge((key.as_str(), parsed));
                variables.insert(key, (name.clone(), value.clone()));
            }
        }
        Ok(Self { figment, variables, file })
    }

    /// The settings that all services share.
    ///
    /// # Errors
    /// If a value has the wrong type.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        self.extract(self.common(), "")
    }

    /// The settings that all services share, as they are for one of them.
    ///
    /// # Errors
    /// If a value has the wrong type.
    pub fn settings_of(&self, service: Service) -> Result<Settings, ConfigError> {
        let mut settings = self.common();
        for key in OF_SERVICE {
            if let Ok(value) = self.figment.find_value(&format!("{}.{key}", service.as_str())) {
                settings = settings.merge((key, value));
            }
        }
        self.extract(settings, "")
    }

    fn common(&self) -> Figment {
        let mut common = Figment::new();
        for key in COMMON {
            if let Ok(value) = self.figment.find_value(key) {
                common = common.merge((key, value));
            }
        }
        common
    }

    /// The section of a service, or its default.
    ///
    /// # Errors
    /// If a key is unknown or a value has the wrong type.
    pub fn section<C: DeserializeOwned + Default>(&self, name: &str) -> Result<C, ConfigError> {
        let Ok(section) = self.figment.find_value(name) else {
            return Ok(C::default());
        };
        let Some(keys) = section.into_dict() else {
            let setting = format!("`{name}`");
            return Err(ConfigError::Invalid { setting, problem: "must be a section".to_owned() });
        };
        let mut own = Figment::new();
        for (key, value) in keys.into_iter().filter(|(key, _)| !OF_SERVICE.contains(&key.as_str())) {
            own = own.merge((key, value));
        }
        self.extract(own, name)
    }

    /// Deserializes, taking a value of the environment as text or as a list where its looks misled.
    fn extract<C: DeserializeOwned>(&self, mut figment: Figment, section: &str) -> Result<C, ConfigError> {
        // Each round turns one variable into what is wanted, so it ends.
        for _ in 0..=self.variables.len() {
            let error = match figment.extract::<C>() {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let path = error.path.join(".");
            let key = if section.is_empty() { path.clone() } else { format!("{section}.{path}") };
            let variable = self.variables.get(&key);
            if let (Kind::InvalidType(actual, expected), Some((_, text))) = (&error.kind, variable)
                && expected.contains("string")
                && !matches!(actual, figment::error::Actual::Str(_))
            {
                figment = figment.merge((path.as_str(), Value::from(text.clone())));
                continue;
            }
            if let (Kind::InvalidType(_, expected), Some((_, text))) = (&error.kind, variable)
                && list::is_wanted(expected)
                && let Some(items) = list::items(text)
            {
                figment = figment.merge((path.as_str(), Value::from(items)));
                continue;
            }
            return Err(self.explain(&error, &key, section));
        }
        Err(ConfigError::Invalid { setting: section.to_owned(), problem: "cannot be read".to_owned() })
    }

    fn explain(&self, error: &figment::Error, key: &str, section: &str) -> ConfigError {
        let setting = match (self.variables.get(key), &self.file) {
            (Some((variable, _)), _) => format!("the variable `{variable}`"),
            (None, Some(file)) => format!("`{key}` in {}", file.display()),
            (None, None) => format!("`{key}`"),
        };
        // The actual value stays out of the text: it may be a secret.
        let problem = match &error.kind {
            Kind::UnknownField(field, known) => {
                let known = known.iter().map(|name| (*name).to_owned()).collect();
                let full = if section.is_empty() { field.clone() } else { format!("{section}.{field}") };
                let what = match self.variables.get(&full) {
                    Some((variable, _)) => format!("the variable `{variable}` (setting `{full}`)"),
                    None => format!("the setting `{full}`"),
                };
                return ConfigError::unknown(what, field, known);
            }
            Kind::InvalidType(_, expected) if list::is_wanted(expected) && self.variables.contains_key(key) => {
                format!("must be a list: {}", list::HOW_IN_A_VARIABLE)
            }
            Kind::InvalidType(_, expected) if list::is_wanted(expected) => {
                format!("must be a list: {}", list::HOW_IN_A_FILE)
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => format!("must be {expected}"),
            Kind::InvalidLength(_, expected) => format!("must have {expected}"),
            Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
            Kind::MissingField(field) => {
                return ConfigError::Missing { setting: format!("`{}`", format!("{key}.{field}").trim_matches('.')) };
            }
            Kind::Message(text) => text.clone(),
            _ => "is out of range or of another type".to_owned(),
        };
        ConfigError::Invalid { setting, problem }
    }
}

/// A service's section, from the process's environment and file.
///
/// # Errors
/// See [`ConfigError`].
pub fn section<C: DeserializeOwned + Default>(name: &str) -> Result<C, ConfigError> {
    Configuration::from_process(None)?.section(name)
}

fn check_top_level(figment: &Figment, path: &Path) -> Result<(), ConfigError> {
    let top: figment::value::Dict = figment
        .extract()
        .map_err(|error| ConfigError::Parse { path: path.to_owned(), problem: error.kind.to_string() })?;
    let known = || {
        let sections = Service::ALL.iter().map(|service| service.as_str());
        COMMON.iter().copied().chain(sections).map(str::to_owned).collect()
    };
    for key in top.keys() {
        let is_section = Service::ALL.iter().any(|service| service.as_str() == key);
        if !is_section && !COMMON.contains(&key.as_str()) {
            return Err(ConfigError::unknown(format!("the setting `{key}` in {}", path.display()), key, known()));
        }
    }
    Ok(())
}

/// The key of a variable, and whether it names a file with the value.
fn setting_of(variable: &str) -> Option<(String, bool)> {
    let name = variable.strip_prefix(PREFIX)?;
    let (name, from_file) = match name.strip_suffix(FILE_SUFFIX) {
        Some(stem) => (stem, true),
        None => (name, false),
    };
    let key = name.to_ascii_lowercase();
    if COMMON.contains(&key.as_str()) {
        return Some((key, from_file));
    }
    Service::ALL.iter().find_map(|service| {
        let section = service.as_str();
        let rest = key.strip_prefix(&format!("{}_", section.replace('-', "_")))?;
        (!rest.is_empty()).then(|| (format!("{section}.{}", rest.replace("__", ".")), from_file))
    })
}

fn known_variables() -> Vec<String> {
    let common = COMMON.iter().map(|key| format!("{PREFIX}{}", key.to_ascii_uppercase()));
    let sections = Service::ALL
        .iter()
        .map(|service| format!("{PREFIX}{}_…", service.as_str().replace('-', "_").to_ascii_uppercase()));
    let others = OTHER_VARIABLES.iter().map(|name| (*name).to_owned());
    common.chain(sections).chain(others).collect()
}

#[cfg(test)]
mod tests;
