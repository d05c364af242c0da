#!/usr/bin/env bash
# The .deb, installed, run and removed: test_deb.sh [BINARY]. It needs root, and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'test_deb: %s\n' "$*" >&2; exit 1; }
missing() {
    [[ ${CI:-} == true ]] && fail "$* (with CI=true that is a failure)"
    printf 'test_deb: skipped: %s\n' "$*"
    exit 0
}
((EUID == 0)) || missing "only root can install a package"
command -v dpkg-deb >/dev/null || missing "dpkg-deb is missing: this is no Debian"
if dpkg-query --show giliran >/dev/null 2>&1; then
    fail "giliran is installed already: remove it first (apt-get purge giliran)"
fi

deb=$(packaging/deb.sh ${1:+"$1"} | tail -n 1)
printf 'test_deb: %s, %s bytes\n' "$(basename "$deb")" "$(stat --format=%s "$deb")"

# From here on whatever happens is cleaned up: the processes that this script started, the package, and its files.
work=$(mktemp -d)
server=
clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    dpkg --purge giliran >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean_up EXIT

dpkg-deb --contents "$deb" | awk '{ print $6 }' | sed 's|^\.||' | grep --invert-match '/$' >"$work/files"
dpkg --install "$deb" >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2; fail "cannot be installed"; }
while read -r file; do
    # Images of containers may leave documents out when they install (path-exclude).
    [[ -e $file || $file == /usr/share/doc/* || $file == /usr/share/man/* ]] || fail "$file is not there"
done <"$work/files"
for part in /usr/bin/giliran /usr/share/man/man1/giliran-serve.1.gz /usr/share/man/man1/giliran.1.gz \
    /usr/share/bash-completion/completions/giliran /usr/share/zsh/vendor-completions/_giliran \
    /usr/share/fish/vendor_completions.d/giliran.fish /lib/systemd/system/giliran@.service /lib/systemd/system/giliran-http@.socket \
    /etc/logrotate.d/giliran /etc/giliran/serve.toml; do
    grep --quiet --line-regexp --fixed-strings -- "$part" "$work/files" || fail "$part is not in the package"
done

# It runs by its name, from an empty folder, as the unit starts it: its configuration, a folder, a request.
mkdir "$work/site" "$work/here"
echo 'from the package' >"$work/site/index.html"
cd "$work/here"
sed "s|^root = .*|root = \"$work/site\"|; s|^listen = .*|listen = [\"127.0.0.1:0\"]|" /etc/giliran/serve.toml >"$work/serve.toml"
env -i PATH=/usr/bin:/bin giliran serve --config "$work/serve.toml" --check >/dev/null || fail "its own configuration is refused"
mkfifo "$work/out"
env -i PATH=/usr/bin:/bin giliran serve --config "$work/serve.toml" --log off >"$work/out" &
server=$!
IFS= read -r -t 20 line <"$work/out" || fail "it does not listen"
address=${line#listening on }
exec 3<>"/dev/tcp/${address%:*}/${address##*:}"
printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&3
grep --quiet 'from the package' <&3 || fail "it does not serve its folder"
exec 3>&-
kill -TERM "$server"
wait "$server" || fail "it ends with status $?"
server=
if command -v systemd-analyze >/dev/null; then
    systemd-analyze verify --man=no giliran@serve.service giliran-http@serve.socket giliran-https@serve.socket ||
        fail "systemd refuses a unit"
fi

dpkg --purge giliran >"$work/purge.log" 2>&1 || { cat "$work/purge.log" >&2; fail "cannot be removed"; }
while read -r file; do
    [[ ! -e $file ]] || fail "$file is left behind"
done <"$work/files"
[[ ! -e /etc/giliran ]] || fail "/etc/giliran is left behind"
printf 'test_deb: installed, run, removed\n'
