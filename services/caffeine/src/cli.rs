//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps repositories documented: clones, analyses and writes documentation whose statements cite lines.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in one process, with servers of its own unless CAFFEINE_NATS_URL and CAFFEINE_DATABASE_URL are set.
    Up(UpArgs),
    /// Run some services in this process, with the servers from the configuration.
    Serve(ServeArgs),
    /// Document one repository: submit it, show progress, write the pages as a tree of Markdown.
    Document(Box<DocumentArgs>),
    /// Cancel a run of a running installation.
    Cancel(CancelArgs),
    /// Delete a repository of a running installation, with everything that is known about it.
    Delete(DeleteArgs),
    /// Bring the database's schema and the services' rights in it up to date.
    Migrate(MigrateArgs),
    /// Make the broker's users: a key for each service, and their part of the broker's configuration.
    Users(UsersArgs),
    /// Create and update streams and consumers on the broker.
    Provision(ProvisionArgs),
    /// List, show, send again or drop dead letters: messages that could not be handled. Needs CAFFEINE_NATS_URL with the
    /// housekeeper's key; elsewhere use the page for dead letters.
    Dlq(DlqArgs),
    /// Make the pair of keys for credentials of git hosts: the private one for the cloner goes into a file, the public one
    /// for the gateway is printed.
    CredentialKey(CredentialKeyArgs),
    /// Make or change the keys that sessions of browsers are signed with, for every gateway.
    SessionKeys(SessionKeysArgs),
    /// Recompute the chain of the audit log: whether every entry is there and is what was written.
    Audit,
    /// Name each missing or wrong setting, program or server.
    Doctor,
}

/// Options of the embedded mode.
#[derive(Debug, Clone, Args)]
pub(crate) struct EmbeddedArgs {
    /// Directory for the database, the streams, the mirrors and the administrator's token.
    #[arg(long, value_name = "DIR", default_value_os_t = default_data())]
    pub(crate) data: PathBuf,
    /// A git server on a private address that may be cloned from, as host:port. May be given several times.
    #[arg(long = "allow-host", value_name = "HOST:PORT")]
    pub(crate) allow_hosts: Vec<String>,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) embedded: EmbeddedArgs,
    /// Where the gateway listens. Only loopback is safe without TLS in front.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
}

/// A service that `serve` can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// REST, SSE, login; projects transitions.
    Gateway,
    /// Git.
    Cloner,
    /// Analysis and linking.
    Chunker,
    /// Vectors.
    Embedder,
    /// Documents.
    DocWriter,
    /// Sends again what the broker has lost.
    Housekeeper,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Which services.
    #[arg(required = true)]
    pub(crate) roles: Vec<Role>,
}

/// Options of `document`.
#[derive(Debug, Args)]
pub(crate) struct DocumentArgs {
    /// https:// or http:// address of a git repository, or the path of a local one.
    pub(crate) repository: String,
    /// Branch, tag or commit; the remote's default branch if not given.
    #[arg(long = "ref", value_name = "REF", default_value = "")]
    pub(crate) reference: String,
    /// Directory to write the pages to; emptied of earlier pages.
    #[arg(long, value_name = "DIR", default_value = "caffeine-docs")]
    pub(crate) out: PathBuf,
    /// Also write a document from this prompt template (by name), with a model if ANTHROPIC access is configured.
    #[arg(long, value_name = "NAME")]
    pub(crate) template: Option<String>,
    /// What the template document is about: the text that relevant code is looked up with.
    #[arg(long, requires = "template", value_name = "TEXT", default_value = "")]
    pub(crate) query: String,
    /// {style} of the template.
    #[arg(long, requires = "template", value_name = "TEXT", default_value = "concise, for engineers")]
    pub(crate) style: String,
    /// Use a running installation instead of an embedded one.
    #[arg(long, value_name = "URL", env = "CAFFEINE_SERVER", requires = "token")]
    pub(crate) server: Option<url::Url>,
    /// API token for --server; better given by the environment than on the command line.
    #[arg(long, value_name = "TOKEN", env = "CAFFEINE_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) embedded: EmbeddedArgs,
}

/// A running installation.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where it answers.
    #[arg(long, value_name = "URL", env = "CAFFEINE_SERVER")]
    pub(crate) server: url::Url,
    /// API token; better given by the environment than on the command line.
    #[arg(long, value_name = "TOKEN", env = "CAFFEINE_TOKEN", hide_env_values = true)]
    pub(crate) token: String,
}

/// Options of `cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Identifier of the run.
    pub(crate) run: uuid::Uuid,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Options of `delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// Identifier of the repository.
    pub(crate) repository: uuid::Uuid,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How much disk the streams may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// A laptop: about 1 GiB in all.
    Embedded,
    /// One server.
    Server,
    /// Three servers, three replicas.
    Cluster,
}

/// Options of `migrate`.
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Make a role for each service, and keep its address with a password in this folder as <service>.database-url.
    #[arg(long, value_name = "DIR")]
    pub(crate) roles: Option<PathBuf>,
}

/// Options of `users`.
#[derive(Debug, Args)]
pub(crate) struct UsersArgs {
    /// The folder of the keys, <service>.nk, and of nats-users.json; missing keys are made.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

/// Options of `provision`.
#[derive(Debug, Args)]
pub(crate) struct ProvisionArgs {
    /// How much disk the streams may take.
    #[arg(long, value_enum, default_value = "server")]
    pub(crate) profile: Profile,
}

/// Options of `dlq`.
#[derive(Debug, Args)]
pub(crate) struct DlqArgs {
    #[command(subcommand)]
    pub(crate) action: DlqAction,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqAction {
    /// List dead letters, the oldest first.
    List {
        #[command(flatten)]
        filter: DlqFilter,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// From this number on.
        #[arg(long, value_name = "ID", default_value_t = 1)]
        from: u64,
    },
    /// Show one, its body decoded.
    Show {
        /// Its number in the list.
        id: u64,
    },
    /// Send again: into the run if it is still working, else by a new run of the same ref.
    #[command(override_usage = "caffeine dlq redeliver <ID>...\n       caffeine dlq redeliver --all [OPTIONS]")]
    Redeliver(DlqChoice),
    /// Remove for good.
    #[command(override_usage = "caffeine dlq drop <ID>...\n       caffeine dlq drop --all [OPTIONS]")]
    Drop(DlqChoice),
}

/// Which dead letters an action is for.
#[derive(Debug, Args)]
pub(crate) struct DlqChoice {
    /// Their numbers in the list.
    // Not a required group: one that has flattened members is empty, and can never be satisfied.
    #[arg(value_name = "ID", conflicts_with = "all", required_unless_present = "all")]
    pub(crate) ids: Vec<u64>,
    /// All that the filters let through.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filter: DlqFilter,
}

/// Narrows dead letters down.
#[derive(Debug, Clone, Args)]
pub(crate) struct DlqFilter {
    /// Only those rejected by this consumer (cloner, chunker, linker, embedder, planner, writer, projector).
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,
    /// Only those with this code.
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only those of this run.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<uuid::Uuid>,
}

/// Options of `credential-key`.
#[derive(Debug, Args)]
pub(crate) struct CredentialKeyArgs {
    /// File for the private key. If it exists already, only its public key is printed.
    pub(crate) file: PathBuf,
}

/// Options of `session-keys`.
#[derive(Debug, Args)]
pub(crate) struct SessionKeysArgs {
    /// File for the keys; made if it is not there.
    pub(crate) file: PathBuf,
    /// The next step in changing the key: add, restart, sign, restart, wait 15 minutes, drop, restart.
    #[arg(long, value_enum, value_name = "STEP")]
    pub(crate) step: Option<KeyStep>,
}

/// A step in changing the key of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyStep {
    /// A new key is added, which verifies and does not sign yet.
    Add,
    /// The key that was added signs, and the others verify.
    Sign,
    /// All but the one that signs are dropped.
    Drop,
}

/// `$XDG_DATA_HOME/caffeine`, else `~/.local/share/caffeine`, else `./.caffeine`.
fn default_data() -> PathBuf {
    std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from(".caffeine"), |share| share.join("caffeine"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::Cli;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn dead_letters_are_chosen_by_number_or_all() {
        for action in ["redeliver", "drop"] {
            let takes =
                |choice: &[&str]| Cli::try_parse_from([&["caffeine", "dlq", action][..], choice].concat()).is_ok();
            assert!(takes(&["17"]) && takes(&["17", "18"]) && takes(&["--all"]), "{action}");
            assert!(takes(&["--all", "--stage", "chunker", "--code", "attempts_used_up"]), "{action}");
            assert!(!takes(&[]) && !takes(&["17", "--all"]) && !takes(&["--stage", "chunker"]), "{action}");
        }
    }
}
