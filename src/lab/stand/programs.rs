//! Where the programs of a stand come from: our own roles, Python, the peers.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::StandError;
use super::folder::Folder;

/// The Python counterparts, carried along: the lab's executable works without the source tree.
const PYTHON_SOURCES: [(&str, &str); 7] = [
    ("http.py", include_str!("../../../integration/python/http.py")),
    ("listener.py", include_str!("../../../integration/python/listener.py")),
    ("backends.py", include_str!("../../../integration/python/backends.py")),
    ("server_thread_http.py", include_str!("../../../integration/python/server_thread_http.py")),
    ("server_async_http.py", include_str!("../../../integration/python/server_async_http.py")),
    ("lb_thread.py", include_str!("../../../integration/python/lb_thread.py")),
    ("lb_async.py", include_str!("../../../integration/python/lb_async.py")),
];

/// Makes the command that runs our role of this name; its flags come behind.
pub(super) type RoleCommand = Arc<dyn Fn(&str) -> Command + Send + Sync>;

/// Makes of a command one that ends with the lab.
pub(super) type Guard = Arc<dyn Fn(Command) -> Command + Send + Sync>;

/// How each program is started.
pub struct Programs {
    pub(super) role: RoleCommand,
    /// For programs that are not ours and cannot be told.
    pub(super) guard: Guard,
    /// The Python interpreter: a name to be looked for, or a path.
    pub python: PathBuf,
    /// HAProxy, likewise.
    pub haproxy: PathBuf,
    /// nginx, likewise.
    pub nginx: PathBuf,
    /// Apache httpd, likewise.
    pub apache: PathBuf,
}

impl Programs {
    /// Our roles out of the running executable, by its hidden subcommand: `lab role LAB lb-async -- ...`.
    ///
    /// Errors: the system does not tell which file is running.
    pub fn of_this_executable() -> io::Result<Programs> {
        let executable = env::current_exe()?;
        let this = executable.clone();
        let programs = Programs::with_roles(move |role| {
            let mut command = Command::new(&executable);
            command.args(["role", &std::process::id().to_string(), role, "--"]);
            command
        });
        Ok(Programs { guard: Arc::new(move |command| run_by(&this, &command)), ..programs })
    }

    /// Our roles by the command that `role` makes of a name.
    pub fn with_roles(role: impl Fn(&str) -> Command + Send + Sync + 'static) -> Programs {
        Programs {
            role: Arc::new(role),
            guard: Arc::new(|command| command),
            python: "python3".into(),
            haproxy: "haproxy".into(),
            nginx: "nginx".into(),
            apache: "apache2".into(),
        }
    }
}

/// The same command by way of `lab role run`, which sets what a child must set itself.
fn run_by(executable: &Path, command: &Command) -> Command {
    let mut by = Command::new(executable);
    by.args(["role", &std::process::id().to_string(), "run", "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => by.env(name, value),
            None => by.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        by.current_dir(folder);
    }
    by
}

/// Finds `program`, or says which Debian package has it.
pub(super) fn find(program: &Path, package: &str) -> Result<PathBuf, StandError> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps daemons where an ordinary user's PATH does not lead.
    let further = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = env::split_paths(&path).chain(further);
    // Joined with an absolute path, any folder gives that path.
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file());
    found.ok_or_else(|| {
        StandError::Missing(format!("{} is not installed (apt-get install {package})", program.display()))
    })
}

/// Finds the Python interpreter.
pub(super) fn find_python(programs: &Programs) -> Result<PathBuf, StandError> {
    find(&programs.python, "python3")
}

/// A command that runs one of the Python counterparts, whose sources are written to `folder`.
pub(super) fn python(python: &Path, source: &str, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command.arg(folder.join(source)).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Writes the Python counterparts to `folder`.
pub(super) fn write_python_sources(folder: &Folder) -> io::Result<()> {
    PYTHON_SOURCES.iter().try_for_each(|(name, source)| folder.write(name, source).map(drop))
}
