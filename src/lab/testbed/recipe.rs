//! The command of each program of a testbed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::contender::{Contender, TestbedError, TestbedOptions};
use super::course::{self, Course};
use super::peers::{self, Peer};
use super::programs::{self, Programs};
use crate::lab::lang::{Lang, text};
use crate::lab::system;

/// What the commands of one testbed are made from.
pub(super) struct Recipes {
    pub(super) programs: Programs,
    pub(super) contender: Contender,
    pub(super) options: TestbedOptions,
    /// For sources, configurations and logs; removed with the testbed.
    pub(super) folder: TempDir,
}

impl Recipes {
    /// Looks for everything that the contender needs before anything is started, and writes its sources.
    pub(super) fn check(&self) -> Result<(), TestbedError> {
        let programs = &self.programs;
        match &self.contender {
            Contender::Threaded | Contender::Async => Ok(()),
            Contender::PythonThreaded | Contender::PythonAsync => {
                programs.find_python()?;
                programs::write_python_sources(self.folder.path()).map_err(TestbedError::folder)
            }
            Contender::CourseThreaded(_) | Contender::CourseAsync(_) if self.options.backlog.is_some() => {
                Err(TestbedError::Failed(text!(Lang::of_errors(), "error-course-backlog")))
            }
            Contender::CourseThreaded(checkout) | Contender::CourseAsync(checkout) => {
                let python = programs.find_python()?;
                self.open_course(checkout)?;
                if self.contender.is_async() { course::check_asyncore(&python, checkout) } else { Ok(()) }
            }
            Contender::Ladder(_) if self.options.backlog.is_some() => {
                Err(TestbedError::Failed(text!(Lang::of_errors(), "error-ladder-backlog")))
            }
            Contender::Ladder(step) => {
                let (balancer, server) = programs::LADDER[*step - 1];
                programs.find_example(balancer).and(programs.find_example(server)).map(drop)
            }
            Contender::Nginx => nginx_module(&self.peer_program()?).map(drop),
            Contender::Apache if !Path::new(peers::APACHE_MODULES).is_dir() => {
                Err(TestbedError::Missing(text!(Lang::of_errors(), "error-apache-modules")))
            }
            Contender::Haproxy | Contender::Apache => self.peer_program().map(drop),
        }
    }

    /// True if the back ends choose a free port themselves when told port 0, and print it.
    pub(super) fn backends_choose_ports(&self) -> bool {
        !matches!(self.contender, Contender::CourseThreaded(_) | Contender::CourseAsync(_))
    }

    /// The same of the balancer.
    pub(super) fn balancer_chooses_port(&self) -> bool {
        let is_peer = matches!(self.contender, Contender::Haproxy | Contender::Nginx | Contender::Apache);
        self.backends_choose_ports() && !is_peer
    }

    /// The back end with this number, from 1, of the same model as the balancer unless the options say otherwise.
    pub(super) fn backend(&self, number: usize, listen: SocketAddr) -> Result<Command, TestbedError> {
        let extra = &self.options.backend_extra;
        let is_async = self.options.backend_is_async.unwrap_or(self.contender.is_async());
        let mut command = match &self.contender {
            Contender::CourseThreaded(checkout) | Contender::CourseAsync(checkout) => {
                let course = self.open_course(checkout)?;
                let source = course.backend_source(number, listen.port())?;
                return self.course_program(&course, &course.backend_name(number), source, extra);
            }
            Contender::Ladder(step) => {
                let (_, server) = programs::LADDER[*step - 1];
                let mut command = Command::new(self.programs.find_example(server)?);
                command.arg(listen.port().to_string()).arg(self.site()?).args(extra);
                return Ok(command);
            }
            Contender::PythonThreaded | Contender::PythonAsync => {
                self.python(if is_async { "server_async_http.py" } else { "server_thread_http.py" }, listen)?
            }
            // The peers are measured as balancers, over the same back ends as our poll loop; Apache too.
            Contender::Apache => self.role("web-server", ["--model", "async"], listen),
            _ => self.role("web-server", ["--model", if is_async { "async" } else { "threaded" }], listen),
        };
        command.arg("--root").arg(self.site()?).args(self.backlog_flag()).args(extra);
        Ok(command)
    }

    /// The balancer before `backends`.
    pub(super) fn balancer(
        &self,
        backends: &[SocketAddr],
        listen: SocketAddr,
    ) -> Result<Command, TestbedError> {
        let extra = &self.options.extra;
        let list = backends.iter().map(SocketAddr::to_string).collect::<Vec<_>>();
        let mut command = match &self.contender {
            Contender::CourseThreaded(checkout) | Contender::CourseAsync(checkout) => {
                let course = self.open_course(checkout)?;
                let source = course.balancer_source(backends, listen.port())?;
                return self.course_program(&course, course.balancer_name(), source, extra);
            }
            Contender::Haproxy | Contender::Nginx | Contender::Apache => return self.peer(backends, listen),
            Contender::Ladder(step) => {
                let (balancer, _) = programs::LADDER[*step - 1];
                let mut command = Command::new(self.programs.find_example(balancer)?);
                command.arg(listen.port().to_string()).args(list).args(extra);
                return Ok(command);
            }
            Contender::PythonThreaded => self.python("lb_thread.py", listen)?,
            Contender::PythonAsync => self.python("lb_async.py", listen)?,
            Contender::Threaded => self.role("lb-threaded", [], listen),
            Contender::Async => self.role("lb-async", [], listen),
        };
        match &self.contender {
            Contender::Threaded | Contender::Async => {
                command.args(list.iter().flat_map(|backend| ["--backend", backend]))
            }
            _ => command.args(["--backends", &list.join(",")]),
        };
        command.args(self.backlog_flag()).args(extra);
        Ok(command)
    }

    fn role<const N: usize>(&self, role: &str, flags: [&str; N], listen: SocketAddr) -> Command {
        let mut command = self.programs.role(role);
        command.args(flags).args(["--listen", &listen.to_string()]);
        command
    }

    /// One of the Python counterparts.
    fn python(&self, source: &str, listen: SocketAddr) -> Result<Command, TestbedError> {
        let folder = self.folder.path();
        let mut command = Command::new(self.programs.find_python()?);
        command.arg(folder.join(source)).arg(listen.port().to_string());
        command.current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    }

    fn course_program(
        &self,
        course: &Course,
        name: &str,
        source: String,
        extra: &[String],
    ) -> Result<Command, TestbedError> {
        let script = self.folder.path().join(name);
        fs::write(&script, source).map_err(TestbedError::folder)?;
        let mut command = course.command(&self.programs.find_python()?, &script);
        command.args(extra);
        Ok(command)
    }

    fn peer(&self, backends: &[SocketAddr], listen: SocketAddr) -> Result<Command, TestbedError> {
        let program = self.peer_program()?;
        let folder = self.folder.path();
        let backlog = self.options.backlog.unwrap_or(crate::app::defaults::BACKLOG);
        let is_root = system::is_root();
        let peer = Peer { folder, listen, backlog, backends, is_root };
        let (configuration, foreground) = match self.contender {
            Contender::Haproxy => (peer.haproxy(), &["-db", "-f"][..]),
            // Without -e it opens Debian's log before it reads its configuration; only root may.
            Contender::Nginx => (peer.nginx(nginx_module(&program)?), &["-e", "stderr", "-c"][..]),
            _ => (peer.apache(), &["-D", "FOREGROUND", "-f"][..]),
        };
        let path = folder.join("balancer.conf");
        fs::write(&path, configuration).map_err(TestbedError::folder)?;
        let mut command = Command::new(program);
        command.args(foreground).arg(path).args(&self.options.extra).current_dir(folder);
        Ok(command)
    }

    fn peer_program(&self) -> Result<PathBuf, TestbedError> {
        let programs = &self.programs;
        match self.contender {
            Contender::Haproxy => programs::find(&programs.haproxy, "haproxy"),
            Contender::Nginx => programs::find(&programs.nginx, "nginx-light"),
            _ => programs::find(&programs.apache, "apache2"),
        }
    }

    fn open_course(&self, checkout: &Path) -> Result<Course, TestbedError> {
        Course::open(checkout, self.contender.is_async(), self.options.backends)
    }

    /// The files that all back ends serve: the project's, or none where the lab is run elsewhere. The
    /// page that is asked for by default is not a file, so it is the same in both.
    fn site(&self) -> Result<PathBuf, TestbedError> {
        // Not the canonical path: on Windows it would begin with `\\?\`, which not every program opens.
        match std::path::absolute(crate::app::defaults::ROOT) {
            Ok(site) if site.is_dir() => Ok(site),
            _ => {
                let empty = self.folder.path().join("site");
                fs::create_dir_all(&empty).map_err(TestbedError::folder)?;
                Ok(empty)
            }
        }
    }

    fn backlog_flag(&self) -> Vec<String> {
        let flag = |backlog: u32| vec!["--backlog".to_owned(), backlog.to_string()];
        self.options.backlog.map(flag).unwrap_or_default()
    }
}

/// The file of nginx's stream module; `None` if it is built in.
fn nginx_module(nginx: &Path) -> Result<Option<&'static str>, TestbedError> {
    if Path::new(peers::NGINX_STREAM_MODULE).is_file() {
        return Ok(Some(peers::NGINX_STREAM_MODULE));
    }
    let built = Command::new(nginx).arg("-V").output().map(|output| output.stderr).unwrap_or_default();
    // `--with-stream=dynamic` is another word: with it the module is a file of its own.
    match String::from_utf8_lossy(&built).split_whitespace().any(|word| word == "--with-stream") {
        true => Ok(None),
        false => Err(TestbedError::Missing(text!(Lang::of_errors(), "error-nginx-stream"))),
    }
}
