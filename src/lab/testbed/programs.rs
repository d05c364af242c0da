//! Where the programs of a testbed come from: our own roles, Python, the peers.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::TestbedError;
use crate::lab::lang::{Lang, text};
use crate::lab::system;

/// The Python counterparts, built in: the lab's executable works without the source tree.
const PYTHON_SOURCES: [(&str, &str); 7] = [
    ("http.py", include_str!("../../../integration/python/http.py")),
    ("listener.py", include_str!("../../../integration/python/listener.py")),
    ("backends.py", include_str!("../../../integration/python/backends.py")),
    ("server_thread_http.py", include_str!("../../../integration/python/server_thread_http.py")),
    ("server_async_http.py", include_str!("../../../integration/python/server_async_http.py")),
    ("lb_thread.py", include_str!("../../../integration/python/lb_thread.py")),
    ("lb_async.py", include_str!("../../../integration/python/lb_async.py")),
];

/// The ladder: the names of each step's balancer and web server in `examples/`.
pub(in crate::lab) const LADDER: [(&str, &str); 4] = [
    ("1_one_at_a_time", "web_1_one_at_a_time"),
    ("2_thread_per_connection", "web_2_thread_per_connection"),
    ("3_worker_pool", "web_3_worker_pool"),
    ("4_poll_loop", "web_4_poll_loop"),
];

/// How each program is started.
pub(super) struct Programs {
    /// The begin of the command that runs one of our roles; its name and flags come after it.
    pub(super) role: Vec<OsString>,
    /// The begin of a command that makes a program end when the lab ends; the program comes after it.
    pub(super) guard: Vec<OsString>,
    /// The folder of the ladder's built programs.
    pub(super) examples: PathBuf,
    /// The Python interpreter: a name that is searched for, or a path.
    pub(super) python: PathBuf,
    /// HAProxy, likewise.
    pub(super) haproxy: PathBuf,
    /// nginx, likewise.
    pub(super) nginx: PathBuf,
    /// Apache httpd, likewise.
    pub(super) apache: PathBuf,
}

impl Programs {
    /// Our roles from the running executable, by its hidden commands `lab role` and `lab guard`.
    ///
    /// Errors: the system does not tell which file is running.
    pub(super) fn of_this_executable() -> io::Result<Programs> {
        let lab = env::current_exe()?;
        // Cargo puts them there: target/release/lab, target/release/examples.
        let examples = lab.with_file_name("examples");
        let lab = lab.into_os_string();
        let guard = vec![lab.clone(), "guard".into(), std::process::id().to_string().into()];
        Ok(Programs { role: vec![lab, "role".into()], guard, examples, ..Programs::default() })
    }

    /// The command that runs our role of this name.
    pub(super) fn role(&self, name: &str) -> Command {
        let mut command = Command::new(&self.role[0]);
        command.args(&self.role[1..]).arg(name);
        command
    }

    /// The same command through `lab guard`: only a process itself can ask the kernel for a signal at
    /// its parent's death.
    pub(super) fn guarded(&self, command: Command) -> Command {
        let [program, arguments @ ..] = &self.guard[..] else { return command };
        let mut guarded = Command::new(program);
        guarded.args(arguments).arg(command.get_program()).args(command.get_args());
        guarded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        guarded
    }

    /// Finds a built program of the ladder.
    pub(super) fn find_example(&self, name: &str) -> Result<PathBuf, TestbedError> {
        let path = self.examples.join(format!("{name}{}", env::consts::EXE_SUFFIX));
        if path.is_file() {
            return Ok(path);
        }
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        let command = format!("cargo build --examples{release}");
        let path = path.display().to_string();
        Err(TestbedError::Missing(text!(Lang::of_errors(), "error-example", path, command)))
    }

    /// Finds the Python interpreter.
    pub(super) fn find_python(&self) -> Result<PathBuf, TestbedError> {
        find(&self.python, "python3")
    }
}

impl Default for Programs {
    /// The peers by their usual names, and no roles.
    fn default() -> Programs {
        Programs {
            role: Vec::new(),
            guard: Vec::new(),
            examples: PathBuf::new(),
            python: system::PYTHON.into(),
            haproxy: "haproxy".into(),
            nginx: "nginx".into(),
            apache: "apache2".into(),
        }
    }
}

/// Finds `program`, or says that it is not there; on Linux also which Debian package has it.
pub(super) fn find(program: &Path, package: &str) -> Result<PathBuf, TestbedError> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Debian keeps daemons in folders that are not in an ordinary user's PATH.
    let further = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = env::split_paths(&path).chain(further);
    // Joined with an absolute path, any folder gives that path.
    let mut file = program.as_os_str().to_owned();
    file.push(env::consts::EXE_SUFFIX);
    let found = folders.map(|folder| folder.join(&file)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let program = program.display().to_string();
        TestbedError::Missing(match system::IS_LINUX {
            true => text!(Lang::of_errors(), "error-not-installed", program, package),
            false => text!(Lang::of_errors(), "error-not-found", program),
        })
    })
}

/// Writes the Python counterparts to `folder`.
pub(super) fn write_python_sources(folder: &Path) -> io::Result<()> {
    PYTHON_SOURCES.iter().try_for_each(|(name, source)| fs::write(folder.join(name), source))
}
