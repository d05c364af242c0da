//! The peers as balancers: round robin over our back ends, in the foreground, and nothing written
//! outside the testbed's folder. Their configurations are files of their own beside this one.
//!
//! They get what a careful administrator would give them on one machine: a process or a thread for
//! each core, room for many connections, no access log. HAProxy and nginx relay bytes, as our balancers
//! do by default; Apache can only forward requests.

use std::net::SocketAddr;
use std::path::Path;

/// Debian's modules of Apache httpd.
pub(super) const APACHE_MODULES: &str = "/usr/lib/apache2/modules";
/// Debian's stream module of nginx.
pub(super) const NGINX_STREAM_MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// What a peer must know.
pub(super) struct Peer<'a> {
    /// The testbed's folder.
    pub(super) folder: &'a Path,
    pub(super) listen: SocketAddr,
    pub(super) backlog: u32,
    pub(super) backends: &'a [SocketAddr],
    /// It starts as root, and so must be told which user to become.
    pub(super) is_root: bool,
}

impl Peer<'_> {
    /// The configuration of HAProxy.
    pub(super) fn haproxy(&self) -> String {
        let servers = self.each(|number, backend| format!("  server s{number} {backend} check"));
        self.fill(include_str!("haproxy.cfg"), &servers)
    }

    /// The configuration of nginx with the stream module, loaded from `module` unless it is built in.
    pub(super) fn nginx(&self, module: Option<&str>) -> String {
        let module = module.map(|path| format!("load_module {path};")).unwrap_or_default();
        // Only root may choose, and the default may be a user that does not exist here.
        let user = if self.is_root { "user root;" } else { "" };
        let servers = self.each(|_, backend| format!("    server {backend};"));
        self.fill(include_str!("nginx.conf"), &servers).replace("{module}", &module).replace("{user}", user)
    }

    /// The configuration of Apache.
    pub(super) fn apache(&self) -> String {
        // It refuses to serve as root.
        let user = if self.is_root { "User www-data\nGroup www-data" } else { "" };
        let servers = self.each(|_, backend| format!("  BalancerMember http://{backend}"));
        let filled = self.fill(include_str!("apache.conf"), &servers);
        filled.replace("{modules}", APACHE_MODULES).replace("{user}", user)
    }

    /// One line for each back end.
    fn each(&self, line: impl Fn(usize, &SocketAddr) -> String) -> String {
        let lines = self.backends.iter().enumerate().map(|(number, backend)| line(number, backend));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn fill(&self, template: &str, servers: &str) -> String {
        template
            .replace("{listen}", &self.listen.to_string())
            .replace("{backlog}", &self.backlog.to_string())
            .replace("{folder}", &self.folder.display().to_string())
            .replace("{servers}", servers)
    }
}
