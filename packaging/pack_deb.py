"""Makes the .deb from [package.metadata.deb] of Cargo.toml with dpkg-deb, for machines without cargo-deb.

It knows the keys that stand there, and no others: one that it does not know is an error.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

KNOWN = {"maintainer", "copyright", "section", "priority", "depends", "extended-description", "assets", "conf-files"}


def depends(binary: str) -> str:
    """What `$auto` stands for: the C library, as new as the newest of its symbols that the program uses."""
    with open(binary, "rb") as file:
        versions = re.findall(rb"GLIBC_(\d+)\.(\d+)", file.read())
    major, minor = max((int(major), int(minor)) for major, minor in versions)
    return f"libc6 (>= {major}.{minor}), libgcc-s1"


def lay_out(assets: list, root: str) -> None:
    for source, where, mode in assets:
        sources = glob.glob(source)
        if not sources:
            sys.exit(f"{source}: there is no such file; packaging/deb.sh makes what is missing")
        for path in sources:
            name = os.path.basename(path) if where.endswith("/") else ""
            into = os.path.join(root, where, name).rstrip("/")
            os.makedirs(os.path.dirname(into), mode=0o755, exist_ok=True)
            shutil.copyfile(path, into)
            os.chmod(into, int(mode, 8))


def main(folder: str) -> None:
    with open("Cargo.toml", "rb") as file:
        package = tomllib.load(file)["package"]
    deb = package["metadata"]["deb"]
    if unknown := set(deb) - KNOWN:
        sys.exit(f"Cargo.toml: [package.metadata.deb]: {', '.join(sorted(unknown))}: not known here")
    architecture = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        lay_out(deb["assets"], root)
        size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(root) for name in names)
        control = {
            "Package": package["name"],
            "Version": f"{package['version']}-1",
            "Architecture": architecture,
            "Maintainer": deb["maintainer"],
            "Section": deb["section"],
            "Priority": deb["priority"],
            "Installed-Size": str(-(-size // 1024)),
            "Depends": deb["depends"].replace("$auto", depends(os.path.join(folder, "giliran"))),
            "Description": package["description"] + "\n " + deb["extended-description"].strip().replace("\n", "\n "),
        }
        os.mkdir(os.path.join(root, "DEBIAN"), mode=0o755)
        with open(os.path.join(root, "DEBIAN", "control"), "w", encoding="utf-8") as file:
            file.writelines(f"{key}: {value}\n" for key, value in control.items())
        with open(os.path.join(root, "DEBIAN", "conffiles"), "w", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in deb["conf-files"])
        name = f"{package['name']}_{control['Version']}_{architecture}.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", root, os.path.join(folder, name)], check=True)


main(sys.argv[1])
