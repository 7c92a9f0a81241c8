//! The command line of a service's own binary.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;
use caffeine_contract::Service;

/// What somebody wants from the binary.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run, with this configuration file if one is given.
    Run(Option<PathBuf>),
    /// Say what this is.
    Help,
    /// Say which version this is.
    Version,
}

impl Request {
    /// Reads the arguments, without the program's name. A question is answered whatever stands beside it.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<Self> {
        let mut arguments = arguments.into_iter();
        let mut file = None;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--help" | "-h") => return Ok(Self::Help),
                Some("--version" | "-V") => return Ok(Self::Version),
                Some("--config") if file.is_none() => match arguments.next() {
                    Some(path) => file = Some(PathBuf::from(path)),
                    None => bail!("`--config` takes one file"),
                },
                Some("--config") => bail!("`--config` is given twice"),
                _ => bail!("unknown argument {}: see `--help`", argument.display()),
            }
        }
        Ok(Self::Run(file))
    }
}

/// The binary's name.
pub(crate) fn program(service: Service) -> String {
    format!("caffeine-{}", service.as_str())
}

/// Name and version.
pub(crate) fn version(service: Service) -> String {
    format!("{} {}\n", program(service), env!("CARGO_PKG_VERSION"))
}

/// What `--help` answers.
pub(crate) fn usage(service: Service) -> String {
    let (program, section, purpose) = (program(service), service.as_str(), purpose(service));
    let variable = section.replace('-', "_").to_ascii_uppercase();
    format!(
        "{program}: {purpose}

Usage: {program} [--config <file>]

Options:
      --config <file>  Read settings from this TOML file [default: the one that CAFFEINE_CONFIG names, else none]
  -h, --help           Print this
  -V, --version        Print the version

A setting comes from the environment (CAFFEINE_…, CAFFEINE_{variable}_…; CAFFEINE_…_FILE names a file that holds the
value), else from the file (top level, section [{section}]), else it has its default. CAFFEINE_NATS_URL and
CAFFEINE_DATABASE_URL have none. docs/configuration.md lists all settings; `caffeine doctor` checks them.
"
    )
}

/// One sentence on what the service does.
fn purpose(service: Service) -> &'static str {
    match service {
        Service::Gateway => "serves the REST API and the progress of runs.",
        Service::Cloner => "fetches git repositories and sends the files that are new.",
        Service::Chunker => "analyses files: symbols, references, chunks.",
        Service::Embedder => "makes vectors of chunks, for search.",
        Service::DocWriter => "writes documents whose statements cite lines.",
        Service::Housekeeper => "cleans up after the other services.",
    }
}

#[cfg(test)]
mod tests {
    use caffeine_contract::Service;

    use super::{Request, usage, version};

    #[test]
    fn what_is_asked_for() {
        let check = |arguments: &[&str], expected: Result<Request, &str>| {
            let answer = Request::parse(arguments.iter().map(Into::into)).map_err(|error| error.to_string());
            match (answer, expected) {
                (Err(said), Err(part)) => assert!(said.contains(part), "{arguments:?}: {said}"),
                (answer, expected) => assert_eq!(answer, expected.map_err(str::to_owned), "{arguments:?}"),
            }
        };
        check(&[], Ok(Request::Run(None)));
        check(&["--config", "a.toml"], Ok(Request::Run(Some("a.toml".into()))));
        check(&["--config", "--help"], Ok(Request::Run(Some("--help".into()))));
        for question in ["--help", "-h"] {
            check(&[question], Ok(Request::Help));
        }
        check(&["--config", "a.toml", "-h"], Ok(Request::Help));
        check(&["--version"], Ok(Request::Version));
        check(&["-V"], Ok(Request::Version));
        check(&["--config"], Err("takes one file"));
        check(&["--config", "a", "--config", "b"], Err("twice"));
        check(&["--hlep"], Err("unknown argument --hlep: see `--help`"));
        check(&["a.toml"], Err("a.toml"));
    }

    #[test]
    fn help_names_the_services_own_settings() {
        for service in Service::ALL {
            let (text, name) = (usage(service), service.as_str());
            assert!(text.starts_with(&format!("caffeine-{name}: ")), "{text}");
            let variable = name.replace('-', "_").to_ascii_uppercase();
            for part in [format!("[{name}]"), format!("CAFFEINE_{variable}_…"), "docs/configuration.md".to_owned()] {
                assert!(text.contains(&part), "{part} in {text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
            assert_eq!(version(service), format!("caffeine-{name} {}\n", env!("CARGO_PKG_VERSION")));
        }
    }
}
