//! How each program of a stand is started: its command, and how one knows that it can be reached.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use super::course::{self, Course, CourseSource};
use super::folder::Folder;
use super::programs::{self, Guard, Programs, RoleCommand};
use super::{Contender, StandError, StandOptions, peers};

/// Port 0: a free one.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// How one program is started, and started again.
pub(super) struct Recipe {
    pub(super) name: String,
    pub(super) listen: Listen,
    command: Box<dyn Fn(SocketAddr) -> io::Result<Command> + Send>,
}

/// Who decides where a program listens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Listen {
    /// The program, if told port 0; it prints `listening on ADDR`.
    Told,
    /// We: it is given a port that was free a moment ago, and says nothing when it has it.
    Given,
}

impl Recipe {
    fn new(
        name: String,
        listen: Listen,
        command: impl Fn(SocketAddr) -> io::Result<Command> + Send + 'static,
    ) -> Recipe {
        Recipe { name, listen, command: Box::new(command) }
    }

    /// The command that listens at `address`.
    pub(super) fn command_at(&self, address: SocketAddr) -> io::Result<Command> {
        (self.command)(address)
    }

    /// The command that listens where it likes.
    pub(super) fn command(&self) -> io::Result<Command> {
        self.command_at(ANY_PORT)
    }
}

/// The recipes of one cell.
pub(super) struct Recipes<'a> {
    pub(super) programs: &'a Programs,
    pub(super) contender: &'a Contender,
    pub(super) options: &'a StandOptions,
    pub(super) folder: &'a Folder,
}

impl Recipes<'_> {
    /// Looks for all that the contender needs before anything is started, and writes its sources.
    pub(super) fn check(&self) -> Result<(), StandError> {
        let programs = self.programs;
        match self.contender {
            Contender::Threaded | Contender::Async => Ok(()),
            Contender::PythonThreaded | Contender::PythonAsync => {
                programs::find_python(programs)?;
                programs::write_python_sources(self.folder).map_err(StandError::folder)
            }
            Contender::CourseThreaded(_) | Contender::CourseAsync(_) if self.options.backlog.is_some() => {
                Err(StandError::Failed("the course's programs have their backlog in the source".to_owned()))
            }
            Contender::CourseThreaded(_) => programs::find_python(programs).map(drop),
            Contender::CourseAsync(checkout) => {
                course::check_asyncore(&programs::find_python(programs)?, checkout)
            }
            Contender::Haproxy => programs::find(&programs.haproxy, "haproxy").map(drop),
            Contender::Nginx => nginx_module(&programs::find(&programs.nginx, "nginx-light")?).map(drop),
            Contender::Apache if !Path::new(peers::APACHE_MODULES).is_dir() => Err(StandError::Missing(
                "Apache's modules are not installed (apt-get install apache2)".to_owned(),
            )),
            Contender::Apache => programs::find(&programs.apache, "apache2").map(drop),
        }
    }

    /// The back ends, of the same model as the balancer.
    pub(super) fn backends(&self) -> Result<Vec<Recipe>, StandError> {
        (1..=self.options.backends).map(|number| self.backend(number)).collect()
    }

    fn backend(&self, number: usize) -> Result<Recipe, StandError> {
        let extra = self.options.backend_extra.clone();
        let backlog = self.backlog_flag();
        let name = format!("backend-{number}");
        let flags = || Ok([self.root_flag()?, backlog, extra.clone()].concat());
        Ok(match self.contender {
            Contender::PythonThreaded => self.python(name, "server_thread_http.py", flags()?)?,
            Contender::PythonAsync => self.python(name, "server_async_http.py", flags()?)?,
            Contender::CourseThreaded(_) | Contender::CourseAsync(_) => {
                let course = self.course()?;
                let (file, source) = (course.backend_name(number), course.backend_source(number)?);
                self.course_program(name, file, source, extra)?
            }
            // The peers are measured as balancers, over the same back ends as our poll loop.
            Contender::Threaded => self.role(name, "web-server", ["--model", "threaded"], flags()?),
            _ => self.role(name, "web-server", ["--model", "async"], flags()?),
        })
    }

    /// All back ends serve the same site: that of the project, or an empty one where the lab is run
    /// elsewhere. The page that is asked for by default is in neither.
    fn root_flag(&self) -> Result<Vec<String>, StandError> {
        let site = match std::fs::canonicalize(crate::app::defaults::ROOT) {
            Ok(site) if site.is_dir() => site,
            _ => {
                let empty = self.folder.path().join("site");
                std::fs::create_dir_all(&empty).map_err(StandError::folder)?;
                empty
            }
        };
        Ok(vec!["--root".to_owned(), site.display().to_string()])
    }

    /// The balancer over `backends`.
    pub(super) fn balancer(&self, backends: &[SocketAddr]) -> Result<Recipe, StandError> {
        let extra = self.options.extra.clone();
        let name = "balancer".to_owned();
        let flags = [self.backlog_flag(), extra.clone()].concat();
        let each = backends.iter().flat_map(|backend| ["--backend".to_owned(), backend.to_string()]);
        Ok(match self.contender {
            Contender::Threaded => self.role(name, "lb-threaded", [], each.chain(flags).collect()),
            Contender::Async => self.role(name, "lb-async", [], each.chain(flags).collect()),
            Contender::PythonThreaded | Contender::PythonAsync => {
                let source = if self.contender.is_async() { "lb_async.py" } else { "lb_thread.py" };
                let list = backends.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",");
                self.python(name, source, [vec!["--backends".to_owned(), list], flags].concat())?
            }
            Contender::CourseThreaded(_) | Contender::CourseAsync(_) => {
                let course = self.course()?;
                let source = course.balancer_source(backends)?;
                self.course_program(name, course.balancer_name().to_owned(), source, extra)?
            }
            Contender::Haproxy | Contender::Nginx | Contender::Apache => self.peer(name, backends, extra)?,
        })
    }

    fn role<const N: usize>(
        &self,
        name: String,
        role: &'static str,
        first: [&'static str; N],
        then: Vec<String>,
    ) -> Recipe {
        let command = RoleCommand::clone(&self.programs.role);
        Recipe::new(name, Listen::Told, move |listen| {
            let mut command = command(role);
            command.args(first).args(["--listen", &listen.to_string()]).args(&then);
            Ok(command)
        })
    }

    fn python(
        &self,
        name: String,
        source: &'static str,
        arguments: Vec<String>,
    ) -> Result<Recipe, StandError> {
        let python = programs::find_python(self.programs)?;
        let folder = self.folder.path().to_owned();
        let guard = Guard::clone(&self.programs.guard);
        Ok(Recipe::new(name, Listen::Told, move |listen| {
            let mut command = programs::python(&python, source, &folder);
            command.arg(listen.port().to_string()).args(&arguments);
            Ok(guard(command))
        }))
    }

    fn course_program(
        &self,
        name: String,
        file: String,
        source: CourseSource,
        arguments: Vec<String>,
    ) -> Result<Recipe, StandError> {
        let python = programs::find_python(self.programs)?;
        let (course, folder) = (self.course()?, self.folder.path().to_owned());
        let guard = Guard::clone(&self.programs.guard);
        Ok(Recipe::new(name, Listen::Given, move |listen| {
            let script = folder.join(&file);
            std::fs::write(&script, source.listening_at(listen.port()))?;
            let mut command = course.command(&python, &script);
            command.args(&arguments);
            Ok(guard(command))
        }))
    }

    fn peer(&self, name: String, backends: &[SocketAddr], extra: Vec<String>) -> Result<Recipe, StandError> {
        let programs = self.programs;
        let contender = self.contender.clone();
        let (program, module) = match contender {
            Contender::Haproxy => (programs::find(&programs.haproxy, "haproxy")?, None),
            Contender::Nginx => {
                let program = programs::find(&programs.nginx, "nginx-light")?;
                let module = nginx_module(&program)?;
                (program, module)
            }
            _ => (programs::find(&programs.apache, "apache2")?, None),
        };
        let folder = self.folder.path().to_owned();
        let (backends, backlog) = (backends.to_vec(), self.options.backlog);
        let guard = Guard::clone(&programs.guard);
        Ok(Recipe::new(name, Listen::Given, move |listen| {
            let is_root = rustix::process::geteuid().is_root();
            let site = peers::Site { folder: &folder, listen, backlog, backends: &backends, is_root };
            let (configuration, foreground) = match contender {
                Contender::Haproxy => (peers::haproxy(&site), vec!["-db", "-f"]),
                // Before it has read its configuration it would open Debian's log, which only root may.
                Contender::Nginx => (peers::nginx(&site, module), vec!["-e", "stderr", "-c"]),
                _ => (peers::apache(&site), vec!["-D", "FOREGROUND", "-f"]),
            };
            let path = folder.join("balancer.conf");
            std::fs::write(&path, configuration)?;
            let mut command = Command::new(&program);
            command.args(foreground).arg(path).args(&extra).current_dir(&folder);
            Ok(guard(command))
        }))
    }

    fn course(&self) -> Result<Course, StandError> {
        match self.contender {
            Contender::CourseThreaded(folder) | Contender::CourseAsync(folder) => {
                Course::open(folder, self.contender.is_async(), self.options.backends)
            }
            other => Err(StandError::Failed(format!("{other} is no checkout"))),
        }
    }

    fn backlog_flag(&self) -> Vec<String> {
        let flag = |backlog: u32| vec!["--backlog".to_owned(), backlog.to_string()];
        self.options.backlog.map(flag).unwrap_or_default()
    }
}

/// The file of nginx's stream module; none if it is built in.
fn nginx_module(nginx: &Path) -> Result<Option<&'static str>, StandError> {
    if Path::new(peers::NGINX_STREAM_MODULE).is_file() {
        return Ok(Some(peers::NGINX_STREAM_MODULE));
    }
    let built = Command::new(nginx).arg("-V").output().map(|output| output.stderr).unwrap_or_default();
    // `--with-stream=dynamic` is another word: there the module is a file of its own.
    match String::from_utf8_lossy(&built).split_whitespace().any(|word| word == "--with-stream") {
        true => Ok(None),
        false => Err(StandError::Missing(
            "nginx has no stream module (apt-get install libnginx-mod-stream)".to_owned(),
        )),
    }
}
