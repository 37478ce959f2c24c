"""Images have Debian's newest packages, are complete, and have the same bytes each time."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from deployment import release
from deployment.errors import UserError
from deployment.release import archive, source_digest
from tests.scripts.conftest import ROOT, Run
from tests.scripts.test_scripts import replace_mmdebstrap
from tests.support.archives import pack_tar

IMAGE = "image-x86_64"
STATUS = "./var/lib/dpkg/status.d"
POLICY = "libssl3t64:\n  Installed: {}\n  Candidate: {}\n  Version table:\n *** {} 100\n"
# A machine whose apt names no mirror, and where Debian has nothing newer.
STUBS = {
    "apt-get": '[ "$1" != indextargets ]',
    "apt-cache": f"printf '{POLICY.format('3.5.1', '3.5.1', '3.5.1')}'",
    "apt-config": "",
    "unshare": "exit 1",
    "id": "echo 0",
}
ASKED = ("apt-get", "apt-cache", "apt-config", "unshare", "curl")
SILENT = STUBS | {"apt-get": "echo E: Failed to fetch >&2; exit 100"}
NEWER = STUBS | {"apt-cache": f"printf '{POLICY.format('3.5.1', '3.5.9', '3.5.1')}'"}


def publish(clone: Path, version: str) -> None:
    """Let mmdebstrap make a base with that version of OpenSSL, and record how it was called."""
    control = f"Package: libssl3t64\nSource: openssl\nVersion: {version}\n"
    base = {
        f"{STATUS}/libssl3t64": control,
        f"{STATUS}/libssl3t64.md5sums": "0123  usr/lib/libssl.so.3\n",
        "./usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2": "#!/bin/bash\n",
    }
    (clone / "debian.tar").write_bytes(pack_tar(base))
    shutil.rmtree(clone / "build/debian", ignore_errors=True)
    replace_mmdebstrap(clone, "umask >umask; printf '%s\\n' \"$@\" >arguments; cat debian.tar")


def test_a_base_has_the_updates_and_the_security_updates(run: Run, clone: Path) -> None:
    publish(clone, "3.5.1")
    done = run("scripts/base.sh", "x86_64", **STUBS)
    assert done.returncode == 0, done.stderr
    assert (clone / "build/base-x86_64.packages").read_text() == "libssl3t64 3.5.1\n"
    lines = (clone / "arguments").read_text().splitlines()
    assert [line.split("] ")[1] for line in lines if line.startswith("deb ")] == [
        "http://deb.debian.org/debian trixie main",
        "http://deb.debian.org/debian trixie-updates main",
        "http://deb.debian.org/debian-security trixie-security main",
    ]


def test_a_base_comes_from_the_mirrors_of_this_machine(run: Run, clone: Path) -> None:
    publish(clone, "3.5.1")
    mirrors = "https://mirror.example/debian/\nhttps://mirror.example/debian-security\n"
    run("scripts/base.sh", "arm64", **STUBS | {"apt-get": f"printf '{mirrors}'"})
    lines = (clone / "arguments").read_text().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("deb ")] == [
        "https://mirror.example/debian/",
        "https://mirror.example/debian/",
        "https://mirror.example/debian-security",
    ]
    assert "--architectures=arm64" in lines


def test_a_base_with_an_older_package_is_named_and_renewed_and_makes_another_image(
    run: Run, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "ROOT", clone)
    publish(clone, "3.5.1")
    run("scripts/base.sh", "x86_64", **STUBS)
    before = source_digest(IMAGE)
    publish(clone, "3.5.9")
    done = run("scripts/base.sh", "--renew", "x86_64", **NEWER)
    assert done.returncode == 0, done.stderr
    assert "Debian has libssl3t64 3.5.9, here is 3.5.1" in done.stdout
    assert (clone / "build/base-x86_64.packages").read_text() == "libssl3t64 3.5.9\n"
    assert source_digest(IMAGE) != before
    # The script gave apt the packages of the image, in the form of apt's list of installed
    # packages.
    installed = (clone / "build/apt-amd64/status").read_text()
    assert "Package: libssl3t64\nStatus: install ok installed\nVersion: 3.5.1\n" in installed


def test_a_base_with_debians_newest_packages_stays(run: Run, clone: Path) -> None:
    publish(clone, "3.5.1")
    run("scripts/base.sh", "x86_64", **STUBS)
    (clone / "arguments").unlink()
    done = run("scripts/base.sh", "--renew", "x86_64", **STUBS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (clone / "arguments").exists()


def test_a_mirror_that_does_not_answer_leaves_the_base_and_is_named(run: Run, clone: Path) -> None:
    publish(clone, "3.5.1")
    run("scripts/base.sh", "x86_64", **STUBS)
    done = run("scripts/base.sh", "--renew", "x86_64", **SILENT)
    assert done.returncode == 0
    assert "DEBIAN DOES NOT RESPOND, so the packages of 20" in done.stdout
    assert (clone / "build/base-x86_64.packages").read_text() == "libssl3t64 3.5.1\n"


def test_a_dead_mirror_without_a_base_ends_with_a_hint_and_leaves_none(
    run: Run, clone: Path
) -> None:
    replace_mmdebstrap(clone, "echo Temporary failure resolving >&2; echo half; exit 1")
    done = run("scripts/base.sh", "x86_64", **SILENT)
    assert done.returncode == 1
    assert "If it was the network, try again" in done.stderr
    assert not (clone / "build/base-x86_64.tar").exists()


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("base.sh", ["scripts/base.sh", "x86_64"]),
        ("debian.sh", ["scripts/base.sh", "x86_64"]),
        ("cloud.sh", ["scripts/cloud.sh"]),
        ("debian.sh", ["scripts/cloud.sh"]),
    ],
)
def test_a_base_is_made_anew_when_a_script_that_makes_it_changes(
    run: Run, clone: Path, script: str, command: list[str]
) -> None:
    publish(clone, "3.5.1")
    stubs = STUBS | {"docker": "echo amd64", "uname": "echo x86_64"}
    assert run(*command, **stubs).returncode == 0
    (clone / "arguments").unlink()
    assert run(*command, **stubs).returncode == 0
    assert not (clone / "arguments").exists()
    # A base as old as the script is made again too.
    base = next(clone.glob("build/*base*.tar")).stat()
    os.utime(clone / "scripts" / script, ns=(base.st_atime_ns, base.st_mtime_ns))
    assert run(*command, **stubs).returncode == 0
    assert (clone / "arguments").exists()


def test_debian_is_not_asked_while_there_is_a_base(run: Run, clone: Path) -> None:
    """This lets make up work offline, and a rollback make the same image."""
    publish(clone, "3.5.1")
    run("scripts/base.sh", "x86_64", **STUBS)
    done = run("scripts/base.sh", "x86_64", **dict.fromkeys(ASKED, "echo asked; exit 1"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_list_of_a_base_that_was_exchanged_is_written_anew(run: Run, clone: Path) -> None:
    publish(clone, "3.5.1")
    run("scripts/base.sh", "x86_64", **STUBS)
    publish(clone, "3.0.2")
    shutil.copy(clone / "debian.tar", clone / "build/base-x86_64.tar")
    assert run("scripts/base.sh", "x86_64", **STUBS).returncode == 0
    assert (clone / "build/base-x86_64.packages").read_text() == "libssl3t64 3.0.2\n"


def test_the_scan_lists_what_is_behind_debian_and_does_not_fail(run: Run, clone: Path) -> None:
    (clone / "scripts/tools.sh").write_text("")
    (clone / "build").mkdir()
    assert "no image is built here" in run("scripts/scan.sh", "debian", **STUBS).stdout
    (clone / "build/base-arm64.packages").write_text("libssl3t64 3.5.1\n")
    done = run("scripts/scan.sh", "debian", **NEWER)
    assert done.returncode == 0, done.stderr
    assert "arm64: libssl3t64 3.5.1 is behind 3.5.9 (make image renews it)" in done.stdout
    assert "arm64: 1, none behind Debian" in run("scripts/scan.sh", "debian", **STUBS).stdout
    done = run("scripts/scan.sh", "debian", **SILENT)
    assert "arm64: NOT CHECKED: E: Failed to fetch" in done.stdout


@pytest.mark.parametrize("umask", [0o027, 0o077])
def test_the_user_of_an_image_reads_all_of_it_whatever_the_umask(
    umask: int, run: Run, clone: Path
) -> None:
    """The docker of this test lists the files that not everybody may read."""
    uv = 'mkdir -p "$4/wheel.dist-info"; echo bin/wheel >"$4/wheel.dist-info/RECORD"'
    write_command(clone, "uv", uv)
    publish(clone, "3.5.1")
    (clone / "service/page").mkdir(parents=True)
    for name in ("sntp.py", "service/app.py", "service/page/page.css", "service/Dockerfile"):
        (clone / name).write_text("")
        (clone / name).chmod(0o600)
    build = 'find "${@: -1}" ! -name base.tar ! -perm -o=r >hidden; find "${@: -1}" -type f >built'
    command = f'umask {umask:03o}; umask >umask; exec scripts/python-image.sh "$@"'
    arguments = ["service", "x86_64", "tag"]
    done = run("bash", "-c", command, "-", *arguments, **STUBS | {"docker": build})
    assert done.returncode == 0, done.stderr
    assert (clone / "umask").read_text() == "0022\n"
    assert (clone / "hidden").read_text() == ""
    built = (clone / "built").read_text()
    assert "app/service/page/page.css\n" in built
    assert "app/site-packages/wheel.dist-info/RECORD\n" in built


def write_command(clone: Path, name: str, body: str) -> None:
    """Write a command of .venv."""
    folder = clone / ".venv/bin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/bash\n{body}\n")
    (folder / name).chmod(0o755)
    if not (folder / "python").exists():
        (folder / "python").symlink_to(sys.executable)


def save(time: int, owner: int, label: str, engine: str) -> bytes:
    """Return an image as `docker save` writes it. time, owner: of its files. label, engine: of the
    build."""
    layer = pack_tar({"app/app.py": "app", "app/sntp.py": "sntp"}, time, owner)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": f"2026-01-01T00:00:{time}Z",
        "docker_version": engine,
        "config": {
            "Entrypoint": ["python"],
            "Cmd": ["-V"],
            "Image": engine,
            "Labels": {"timeservice.build": label},
        },
        "rootfs": {"type": "layers", "diff_ids": [engine]},
        "history": [{"created": str(time)}],
    }
    manifest = [{"Config": "a.json", "RepoTags": [label], "Layers": [f"{engine}/layer.tar"]}]
    files: dict[str, str | bytes] = {
        f"{engine}/layer.tar": layer,
        "a.json": json.dumps(config),
        "manifest.json": json.dumps(manifest),
    }
    return pack_tar(files, time)


def normalize(saved: bytes, folder: Path) -> bytes:
    (folder / "saved.tar").write_bytes(saved)
    script = str(ROOT / "scripts/archive.py")
    command = [sys.executable, script, str(folder / "saved.tar")]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def test_time_owner_clone_and_engine_leave_no_trace_in_an_archive(tmp_path: Path) -> None:
    first = normalize(save(10, 0, "a", "20.10"), tmp_path)
    assert first == normalize(save(20, 1000, "b", "29.1"), tmp_path)
    with tarfile.open(fileobj=io.BytesIO(first)) as image:
        entries = {name: image.extractfile(name) for name in image.getnames()}
        (manifest,) = json.load(entries["manifest.json"])  # type: ignore[arg-type]
        config = json.load(entries[manifest["Config"]])  # type: ignore[arg-type]
        with tarfile.open(fileobj=entries[manifest["Layers"][0]]) as layer:
            (app, _) = layer.getmembers()
            assert (app.name, app.uid, app.mode) == ("app/app.py", 0, 0o755)
    (name,) = manifest["RepoTags"]
    assert re.fullmatch("timeservice:[0-9a-f]{12}", name)
    assert config["config"] == {"Entrypoint": ["python"], "Cmd": ["-V"]}
    assert config["rootfs"]["diff_ids"] == [f"sha256:{manifest['Layers'][0].split('.')[0]}"]


DOCKER = "case $1 in save) cat saved.tar ;; esac"


@pytest.fixture
def service(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a base, whose engine has built the image of the service."""
    monkeypatch.setattr(release, "ROOT", clone)
    shutil.copytree(ROOT / "deployment", clone / "deployment")
    write_command(clone, "uv", "")
    for name in ("base", "python-image"):
        (clone / f"scripts/{name}.sh").write_text("#!/bin/bash\n")
        (clone / f"scripts/{name}.sh").chmod(0o755)
    (clone / "saved.tar").write_bytes(save(1, 0, "a", "20.10"))
    return clone


def test_an_image_that_is_made_again_is_the_same_release(run: Run, service: Path) -> None:
    assert run("scripts/image.sh", "x86_64", docker=DOCKER).returncode == 0
    first = archive(IMAGE)
    bill = json.loads((service / "build/sbom-x86_64.json").read_text())
    assert bill["metadata"]["component"]["version"] == first.digest
    (service / "saved.tar").write_bytes(save(2, 1000, "b", "29.1"))
    (service / "build/image-x86_64.digest").unlink()
    assert run("scripts/image.sh", "x86_64", docker=DOCKER).returncode == 0
    assert archive(IMAGE) == first


@pytest.mark.parametrize("size", [0, 100])
def test_an_archive_that_was_cut_short_is_made_anew(size: int, run: Run, service: Path) -> None:
    run("scripts/image.sh", "x86_64", docker=DOCKER)
    whole = archive(IMAGE)
    os.truncate(whole.path, size)
    with pytest.raises(UserError, match="is damaged: run make image"):
        archive(IMAGE)
    assert run("scripts/image.sh", "x86_64", docker=DOCKER).returncode == 0
    assert archive(IMAGE) == whole
    again = run("scripts/image.sh", "x86_64", docker="echo built; exit 1")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_build_that_was_killed_leaves_no_archive_that_is_taken(run: Run, service: Path) -> None:
    run("scripts/image.sh", "x86_64", docker=DOCKER)
    whole = archive(IMAGE)
    (service / "build/image-x86_64.digest").write_text("of other sources\n")
    os.mkfifo(service / "begun")
    docker = '[ "$1" != save ] || { head -c 100 saved.tar; echo >begun; sleep 1000; }'
    write_command(service, "docker", docker)
    environment = os.environ | {"PATH": f"{service}/.venv/bin:{os.environ['PATH']}"}
    with (
        subprocess.Popen(
            ["scripts/image.sh", "x86_64"],
            cwd=service,
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as build,
        (service / "begun").open() as begun,
    ):
        begun.readline()
        os.killpg(build.pid, signal.SIGKILL)
    with pytest.raises(UserError, match="have changed: run make image"):
        archive(IMAGE)
    assert run("scripts/image.sh", "x86_64", docker=DOCKER).returncode == 0
    assert archive(IMAGE) == whole


def test_a_full_disk_leaves_the_archive_before_and_is_named(run: Run, service: Path) -> None:
    run("scripts/image.sh", "x86_64", docker=DOCKER)
    (service / "sntp.py").write_text("changed")
    done = run(
        "scripts/image.sh", "x86_64", docker=DOCKER, gzip="echo No space left on device >&2; exit 1"
    )
    assert done.returncode == 1
    assert "A disk is full" in done.stderr
    with pytest.raises(UserError, match="have changed: run make image"):
        archive(IMAGE)
