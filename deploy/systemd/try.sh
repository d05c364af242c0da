#!/usr/bin/env bash
# The units under a real systemd: try.sh BINARY. It needs root, and leaves nothing behind.
#
# It starts a systemd of its own, as process 1 of new namespaces, over a copy-on-write view of this machine's files: so
# the units are used as they are (DynamicUser, the sandbox, ports 80 and 443) and nothing here is changed.
set -euo pipefail
binary=$(realpath "${1:?the program: try.sh target/debug/giliran}")
cd "$(dirname "$0")"

fail() {
    [[ ! -s ${work:-}/boot.log ]] || tail -n 40 "$work/boot.log" >&2
    printf 'try: %s\n' "$*" >&2
    exit 1
}
missing() {
    [[ ${CI:-} == true ]] && fail "$* (with CI=true that is a failure)"
    printf 'try: skipped: %s\n' "$*"
    exit 0
}
((EUID == 0)) || missing "only root can make namespaces and mounts"
[[ -x /lib/systemd/systemd ]] || missing "systemd is missing (Debian package systemd)"
for program in unshare nsenter curl logrotate python3; do
    command -v "$program" >/dev/null || missing "$program is missing (Debian packages util-linux, curl, logrotate, python3)"
done

units=$PWD
work=$(mktemp -d)
outer=
clean_up() {
    # Process 1 of the namespace ends with its parent, and with it all that it started and mounted.
    [[ -z $outer ]] || { kill -KILL "$outer" 2>/dev/null && wait "$outer" 2>/dev/null; } || true
    rm -rf "$work"
}
trap clean_up EXIT

# What the machine inside has more than this one.
files=$work/files
mkdir -p "$work"/{layer,root} "$files"/{usr/bin,etc/giliran,etc/systemd/system,etc/logrotate.d,srv/site}
cp "$binary" "$files/usr/bin/giliran"
cp ./*.service ./*.socket "$files/etc/systemd/system/"
cp ../logrotate/giliran "$files/etc/logrotate.d/giliran"
chmod 755 "$files/usr/bin/giliran"
echo 'from the unit' >"$files/srv/site/index.html"
cat >"$files/etc/giliran/serve.toml" <<'TOML'
root = "/srv/site"
listen = ":443"
plain = ":80"
tls-self-signed = true
drain = "2s"
log-file = "/var/log/giliran/serve.log"
status = "127.0.0.1:8891"
TOML
printf '[Unit]\nDescription=what is tried\n' >"$files/etc/systemd/system/try.target"

cat >"$work/first.sh" <<'SH'
set -e
cd "$1"
mount --make-rprivate /
mount -t tmpfs layer layer
mkdir layer/upper layer/work
mount -t overlay overlay -o lowerdir=/,upperdir=layer/upper,workdir=layer/work root
cp -r files/. root/
cd root
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs run run
mount -t tmpfs tmp tmp
mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do touch "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/shm dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir mnt/old
pivot_root . mnt/old
cd /
umount --lazy /mnt/old
exec env -i container=try PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=try.target --log-target=journal --log-level=info
SH
unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child bash "$work/first.sh" "$work" >"$work/boot.log" 2>&1 &
outer=$!

until_it_holds() {
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "it never held: $*"
}
first=
find_first() { first=$(cat "/proc/$outer/task/$outer/children") && first=${first// /} && [[ -n $first && $(cat "/proc/$first/comm") == systemd ]]; }
until_it_holds find_first
inside() { nsenter --target "$first" --mount --pid --net --uts --ipc --cgroup --root --wdns=/ "$@"; }
until_it_holds inside systemctl is-active try.target
inside python3 -c 'import fcntl, socket, struct
loopback_up = struct.pack("16sh", b"lo", 1)
fcntl.ioctl(socket.socket(), 0x8914, loopback_up)'
show() { inside systemctl show --property="$1" --value giliran@serve; }
status_of() { inside curl --silent --insecure --max-time 20 --output /dev/null --write-out '%{http_code}' "$1"; }
expect() { [[ $2 == "$3" ]] || { inside journalctl --no-pager --lines=50 2>/dev/null; inside systemctl status --no-pager giliran@serve || true; fail "$1: $2, not $3"; }; }

printf 'try: systemd %s as process 1\n' "$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')"
# The sockets alone: the first client starts the service.
inside systemctl start giliran-http@serve.socket giliran-https@serve.socket
expect 'before the first client' "$(show ActiveState)" inactive
expect 'the first client' "$(status_of http://127.0.0.1/)" 200
expect 'TLS' "$(status_of https://127.0.0.1/)" 200
expect 'by IPv6' "$(status_of 'http://[::1]/')" 200
expect 'the service' "$(show ActiveState) $(show Type)" 'active notify'
printf 'try: started by its first client: %s\n' "$(show StatusText)"
pid=$(show MainPID)
user=$(inside stat --format=%U "/proc/$pid")
[[ $user != root ]] || fail "it runs as root"
printf 'try: user %s, capabilities %s, open files %s\n' "$user" \
    "$(inside sed -n 's/^CapEff:\t//p' "/proc/$pid/status")" "$(inside sed -n 's/^Max open files *\([0-9]*\).*/\1/p' "/proc/$pid/limits")"

# A reload: a good file is taken, a bad one is refused and changes nothing.
inside sed -i 's/^drain.*/&\nkeep-alive = "7s"/' /etc/giliran/serve.toml
inside sed -i '/^drain/d' /etc/giliran/serve.toml && inside sh -c 'echo "drain = \"2s\"" >>/etc/giliran/serve.toml'
inside systemctl reload giliran@serve
taken() { inside grep --quiet 'changed: keep-alive' /var/log/giliran/serve.log; }
until_it_holds taken
inside sh -c 'echo "keep-alife = 1" >>/etc/giliran/serve.toml'
if inside systemctl reload giliran@serve 2>/dev/null; then fail 'a reload of a file with an error has no error'; fi
expect 'after a bad file' "$(show ActiveState) $(show MainPID)" "active $pid"
inside sed -i '/keep-alife/d' /etc/giliran/serve.toml

# A key that a group may read, and a drop-in that puts the service into that group.
inside sh -c 'echo key >/srv/site/key && chgrp adm /srv/site/key && chmod 640 /srv/site/key'
expect 'a file of another group' "$(status_of http://127.0.0.1/key)" 403
inside sh -c 'mkdir /etc/systemd/system/giliran@serve.service.d && printf "[Service]\nSupplementaryGroups=adm\n" >/etc/systemd/system/giliran@serve.service.d/groups.conf'
inside systemctl daemon-reload
inside systemctl restart giliran@serve
pid=$(show MainPID)
expect 'a file of its group' "$(status_of http://127.0.0.1/key)" 200

# logrotate as Debian runs it: what came before is in the old file, what comes after in the new one.
expect 'before the rotation' "$(status_of http://127.0.0.1/before)" 404
inside logrotate --force /etc/logrotate.d/giliran
rotated() { inside test -e /var/log/giliran/serve.log; }
until_it_holds rotated
expect 'after the rotation' "$(status_of http://127.0.0.1/after)" 404
has() { inside grep --quiet "$1" "$2"; }
until_it_holds has 'GET /before' /var/log/giliran/serve.log.1
until_it_holds has 'GET /after' /var/log/giliran/serve.log

# A restart under clients: none is refused, none is left without a response.
cat >"$work/clients.py" <<'PY'
import sys, threading, time, urllib.request
until, counts = time.monotonic() + float(sys.argv[1]), []
def client():
    done, longest = 0, 0.0
    while time.monotonic() < until:
        begun = time.monotonic()
        with urllib.request.urlopen("http://127.0.0.1/", timeout=20) as response:
            assert response.read() == b"from the unit\n"
        done, longest = done + 1, max(longest, time.monotonic() - begun)
    counts.append((done, longest))
threads = [threading.Thread(target=client) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(counts) == len(threads), "a client failed"
print(f"{sum(done for done, _ in counts)} requests, none failed; the longest took {max(longest for _, longest in counts) * 1000:.0f} ms")
PY
inside python3 - 4 <"$work/clients.py" >"$work/clients.log" 2>&1 &
clients=$!
for _ in 1 2 3; do
    sleep 0.5
    inside systemctl restart giliran@serve
done
wait "$clients" || { cat "$work/clients.log"; fail 'a client failed during a restart'; }
printf 'try: three restarts: %s\n' "$(cat "$work/clients.log")"
[[ $(show MainPID) != "$pid" ]] || fail 'it was not restarted'

# A configuration with an error is no reason to try again and again.
inside systemctl stop giliran-http@serve.socket giliran-https@serve.socket giliran@serve
expect 'after the stop' "$(show ActiveState) $(show Result)" 'inactive success'
inside sh -c 'echo "keep-alife = 1" >>/etc/giliran/serve.toml'
if inside systemctl start giliran@serve 2>/dev/null; then fail 'it starts with a file that has an error'; fi
expect 'with a bad file' "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)" 'failed 2 0'
printf 'try: the units do what they say\n'
