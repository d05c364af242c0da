//! Configurations of the peers as balancers: round robin over our back ends, in the foreground, and
//! nothing written outside the stand's folder.
//!
//! They are given what a careful administrator would give them on one machine: a process or thread a
//! core, room for many connections, no access log. HAProxy and nginx relay bytes as our balancers do
//! by default; Apache knows requests only.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// Seconds that a back end may take to be connected to.
const CONNECT_SECONDS: u32 = 5;
/// Seconds in which neither side may be silent.
const SILENCE_SECONDS: u32 = 60;
/// Debian's modules of Apache httpd.
pub(super) const APACHE_MODULES: &str = "/usr/lib/apache2/modules";
/// Debian's stream module of nginx.
pub(super) const NGINX_STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Where a peer listens, and for whom.
pub(super) struct Site<'a> {
    /// The stand's folder.
    pub(super) folder: &'a Path,
    pub(super) listen: SocketAddr,
    pub(super) backlog: Option<u32>,
    pub(super) backends: &'a [SocketAddr],
    /// True if the peer starts as root, and so must be told whom to become.
    pub(super) is_root: bool,
}

impl Site<'_> {
    fn backlog(&self) -> u32 {
        self.backlog.unwrap_or(crate::app::defaults::BACKLOG)
    }

    /// One line a back end.
    fn each(&self, mut line: impl FnMut(usize, &SocketAddr) -> String) -> String {
        self.backends.iter().enumerate().fold(String::new(), |mut lines, (index, backend)| {
            let _ = writeln!(lines, "  {}", line(index, backend)); // a String takes everything
            lines
        })
    }
}

/// `haproxy.cfg`; HAProxy starts a thread a core by itself.
pub(super) fn haproxy(site: &Site<'_>) -> String {
    let servers = site.each(|index, backend| format!("server s{index} {backend} check"));
    format!(
        "global
  maxconn 8000
defaults
  mode tcp
  option redispatch
  timeout connect {CONNECT_SECONDS}s
  timeout client {SILENCE_SECONDS}s
  timeout server {SILENCE_SECONDS}s
listen turns
  bind {listen} backlog {backlog}
  balance roundrobin
{servers}",
        listen = site.listen,
        backlog = site.backlog(),
    )
}

/// `nginx.conf` with the stream module, which is loaded from `module` unless it is built in.
pub(super) fn nginx(site: &Site<'_>, module: Option<&str>) -> String {
    let module = module.map(|path| format!("load_module {path};\n")).unwrap_or_default();
    // Only as root is there a choice, and then the default may be a user that does not exist.
    let user = if site.is_root { "user root;\n" } else { "" };
    let servers = site.each(|_, backend| format!("  server {backend};"));
    format!(
        "{module}{user}daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 8192; }}
stream {{
  upstream turns {{
{servers}  }}
  server {{
    listen {listen} backlog={backlog};
    proxy_connect_timeout {CONNECT_SECONDS}s;
    proxy_timeout {SILENCE_SECONDS}s;
    proxy_pass turns;
  }}
}}
",
        folder = site.folder.display(),
        listen = site.listen,
        backlog = site.backlog(),
    )
}

/// `apache.conf` for the worker MPM: the best-known balancer with threads.
pub(super) fn apache(site: &Site<'_>) -> String {
    let modules = [
        "mpm_worker",
        "authz_core",
        "slotmem_shm",
        "proxy",
        "proxy_http",
        "proxy_balancer",
        "lbmethod_byrequests",
    ];
    let modules: String = modules
        .iter()
        .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
        .collect();
    // It refuses to serve as root.
    let user = if site.is_root { "User www-data\nGroup www-data\n" } else { "" };
    let members = site.each(|_, backend| format!("BalancerMember http://{backend}"));
    format!(
        "{modules}{user}ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
LogLevel error
ServerName localhost
ServerLimit 8
StartServers 2
ThreadsPerChild 64
MaxRequestWorkers 512
MaxKeepAliveRequests 0
ListenBackLog {backlog}
Listen {listen}
ProxyTimeout {SILENCE_SECONDS}
<Proxy balancer://turns>
{members}</Proxy>
ProxyPass / balancer://turns/
",
        folder = site.folder.display(),
        listen = site.listen,
        backlog = site.backlog(),
    )
}
