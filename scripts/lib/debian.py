"""Fetches Debian and Ubuntu packages without root and without installing them.

apt-get does the download and checks the signatures. When the system's package lists are missing,
out of date or lack an architecture, a private copy of them is made in Hull's cache: the system is
never changed. Everything lands in the cache by a rename, so that what is there is complete.
"""

import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path


DISTRIBUTIONS = ("Debian", "Ubuntu")  # as apt calls their origin


class FetchError(Exception):
    pass


def cache_directory():
    if os.environ.get("HULL_CACHE"):
        return Path(os.environ["HULL_CACHE"]).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "hull"


def native_architecture():
    try:
        return _run(["dpkg", "--print-architecture"]).strip()
    except FileNotFoundError:
        raise FetchError("this is no Debian or Ubuntu system: there is no dpkg") from None


def _run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.startswith("E:")]
        reason = "; ".join(line[3:] for line in lines) or result.stderr.strip()
        raise FetchError(f"{command[0]}: {reason or f'exit status {result.returncode}'}")
    return result.stdout


class Lists:
    """The package lists to look into: the system's, or a private copy in the cache."""

    def __init__(self, architecture, private=False):
        self.architecture = architecture
        # As root, apt would otherwise try to become a user who cannot write to our directory.
        self._options = ["-o", "APT::Sandbox::User=root"]
        if private:
            state = cache_directory() / "apt" / architecture
            for name in ("lists/partial", "archives/partial"):
                (state / name).mkdir(parents=True, exist_ok=True)
            self._options += [
                "-o", f"Dir::State::Lists={state}/lists",
                "-o", f"Dir::Cache={state}",
                "-o", f"APT::Architectures::={architecture}",
            ]
            _run(["apt-get", *self._options, "-q", "-o", "APT::Update::Error-Mode=any", "update"])

    def _qualified(self, package):
        return f"{package}:{self.architecture}"

    def dependencies(self, package):
        """The names of the packages which a package needs; None when there is no such package."""
        try:
            output = _run(["apt-cache", *self._options, "show", "--no-all-versions",
                           self._qualified(package)])
        except FetchError:
            return None
        field = re.search(r"^Depends: (.*)$", output, re.MULTILINE)
        names = re.split(r"[,|]", field.group(1)) if field else []
        return [name.split()[0] for name in names]

    def distribution_sources(self):
        """The files in which apt is told where the distribution itself is."""
        output = _run(["apt-get", *self._options, "indextargets", "--format",
                       "$(ORIGIN) $(SOURCESENTRY)", "Created-By: Packages"])
        entries = [line.partition(" ") for line in output.splitlines()]
        files = [entry.rpartition(":")[0] for origin, _, entry in entries
                 if origin in DISTRIBUTIONS]
        if not files:
            raise FetchError("apt has no lists of packages of this distribution")
        return list(dict.fromkeys(files))

    def download(self, package, directory):
        _run(["apt-get", *self._options, "-q", "download", self._qualified(package)], cwd=directory)
        found = list(Path(directory).glob(f"{package}_*.deb"))
        if len(found) != 1:
            raise FetchError(f"apt-get left {len(found)} packages where one was asked for")
        return found[0]

    def download_with_dependencies(self, packages, directory):
        """As for a system on which nothing is installed. Returns the files, sorted."""
        directory = Path(directory)
        (directory / "partial").mkdir()
        (directory / "status").touch()
        settings = {"APT::Architecture": self.architecture, "APT::Install-Recommends": "false",
                    "Debug::NoLocking": "true", "Dir::Cache::archives": directory,
                    "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
                    "Dir::State::status": directory / "status"}
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        _run(["apt-get", *self._options, *options, "-q", "-y", "--download-only", "install",
              *packages])
        return sorted(directory.glob("*.deb"))


def with_lists(architecture, action):
    """Calls action(lists) with the system's lists and, when they do not serve, fresh ones."""
    try:
        return action(Lists(architecture))
    except FetchError:
        pass
    except FileNotFoundError as error:
        raise FetchError(f"this is no Debian or Ubuntu system: there is no {error.filename}"
                         ) from None
    return action(Lists(architecture, private=True))


def unpack(lists, package, directory):
    """Downloads a package and unpacks it below the directory. Returns the package file's name."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".download-") as download:
        file = lists.download(package, download)
        _run(["dpkg-deb", "-x", str(file), str(directory)])
        return file.name


def unpack_with_dependencies(lists, packages, directory):
    """The same for packages and all that they depend on. No script of theirs is run. Returns the
    files' names."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".download-") as download:
        files = lists.download_with_dependencies(packages, download)
        for file in files:
            _run(["dpkg-deb", "-x", str(file), str(directory)])
        return [file.name for file in files]


@contextmanager
def replaced_directory(final):
    """Gives an empty directory to fill; it becomes `final`, whole, when the block ends well."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / "tree"
        fresh.mkdir()
        yield fresh
        try:
            if final.exists():
                os.rename(final, Path(scratch) / "old")
            os.rename(fresh, final)
        except OSError:
            # Another process has put its own, equal tree there in the meantime.
            if not final.is_dir():
                raise


def busybox(architecture):
    """A statically linked busybox of the architecture: the installed one or one from a package."""
    installed = shutil.which("busybox")
    if installed and architecture == native_architecture() and _is_static(installed):
        return Path(installed)
    final = cache_directory() / "packages" / architecture / "busybox-static"
    if not final.is_dir():
        with replaced_directory(final) as tree:
            with_lists(architecture, lambda lists: unpack(lists, "busybox-static", tree))
    for name in ("bin/busybox", "usr/bin/busybox"):
        if (final / name).is_file():
            return final / name
    raise FetchError(f"there is no busybox in '{final}': remove that directory and try again")


def _is_static(program):
    with open(program, "rb") as file:
        # A dynamic program names its interpreter near its beginning.
        return b"/ld-linux" not in file.read(4096)
