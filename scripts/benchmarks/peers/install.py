"""
Installs the servers that `scripts/bench sockets fanout` measures beside the hub; on demand only.

Run by `scripts/bench sockets fanout --install`, or by itself: `python -m scripts.benchmarks.peers.install`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
WITHIN_S = 600


def default_folder() -> Path:
    """Return where peers are kept: HUB_BENCH_PEERS, or a cache folder of the user's."""
    chosen = os.environ.get("HUB_BENCH_PEERS")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(chosen) if chosen else cache / "hub-bench-peers"


def find_nginx() -> str | None:
    """Return nginx' path; Debian keeps it in /usr/sbin, which is not on everybody's path."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def channels_python(folder: Path) -> Path:
    """Return the interpreter that has Django Channels, whether it is there or not."""
    return folder / "channels" / "bin" / "python"


def node_modules(folder: Path) -> Path:
    """Return where the Node packages are, whether they are there or not."""
    return folder / "node" / "node_modules"


def install(folder: Path) -> None:
    """
    Install what is missing; what cannot be is told on stderr and later in the benchmark's output.

    Args:
        folder: Outside the repository; made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, step in (("nchan", install_nchan), ("node", install_node), ("channels", install_channels)):
        try:
            step(folder)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name}: not installed: {error}", file=sys.stderr)


def install_nchan(_folder: Path) -> None:
    """Take nginx' module from Debian; only root may."""
    if NCHAN_MODULE.exists() and find_nginx():
        return
    packages = ["libnginx-mod-nchan"] + ([] if find_nginx() else ["nginx-light"])
    environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    _run(["apt-get", "update", "-qq"], environ)
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], environ)


def install_node(folder: Path) -> None:
    """Install exactly what package-lock.json names, without running packages' own scripts."""
    if (node_modules(folder) / "socket.io").exists():
        return
    (folder / "node").mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder / "node")
    _run(["npm", "ci", "--silent", "--ignore-scripts"], dict(os.environ), folder / "node")


def install_channels(folder: Path) -> None:
    """Make a venv with exactly what requirements.txt names."""
    python = channels_python(folder)
    if python.exists() and subprocess.run([python, "-c", "import channels_redis"], check=False).returncode == 0:
        return
    _run([sys.executable, "-m", "venv", "--clear", str(folder / "channels")], dict(os.environ))
    arguments = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes", "-r"]
    _run([str(python), *arguments, str(HERE / "requirements.txt")], dict(os.environ))


def _run(command: list[str], environ: dict[str, str], folder: Path | None = None) -> None:
    """Run one step with its output on stderr: stdout is for the benchmark's lines."""
    subprocess.run(command, env=environ, cwd=folder, check=True, timeout=WITHIN_S, stdout=sys.stderr)


if __name__ == "__main__":
    install(Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder())
