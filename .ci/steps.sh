# What the scripts of this folder share; they source it.

# Runs a command under a heading with its words, and says how long it took.
step() {
    local start=$SECONDS
    printf '\n== %s\n' "$*"
    "$@"
    printf -- '-- %d s\n' $((SECONDS - start))
}

# Installs those of these Debian packages that are missing. Looked for by package and not by program name: another
# package's `nc` has no `-N`.
install_missing() {
    local package status missing=() as_root=()
    for package in "$@"; do
        status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [[ $status == installed ]] || missing+=("$package")
    done
    if ((${#missing[@]})); then
        ((EUID == 0)) || as_root=(sudo)
        step "${as_root[@]}" apt-get update
        step "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
    fi
}
