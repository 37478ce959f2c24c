#!/usr/bin/env bash
# Makes build/healthcheck.zip, the Lambda's package, unless it is current: our code and hash-checked
# wheels, the same bytes for the same sources.
source "$(dirname "$0")/common.sh"
one_at_a_time

digest=$(.venv/bin/python -m deployment.release package)
[ -e build/healthcheck.zip ] && [ "$(cat build/healthcheck.digest 2>/dev/null)" = "$digest" ] && exit
folder=$BUILD/package

make_package() {
    rm -rf "$folder"
    install_wheels "$folder" x86_64-manylinux_2_28 healthcheck/requirements.txt
    # What is compiled has the same in Python beside it, which runs on every architecture.
    find "$folder" -name '*.so' -delete
    cp --parents sntp.py healthcheck/{,formats/}*.py "$folder"
    # The commands in bin hold the path of this folder, and the RECORDs the digests of the commands.
    # Both would differ in each clone.
    rm -rf "${folder:?}/bin" "$folder/.lock" "$folder"/*.dist-info/RECORD
    .venv/bin/python - "$folder" build/healthcheck.part <<'PYTHON'
import sys, zipfile
from pathlib import Path

folder, target = Path(sys.argv[1]), sys.argv[2]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16  # Lambda runs it as another user
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
PYTHON
    rm -rf "$folder"
    finish_archive build/healthcheck zip "$digest"
}
step "healthcheck package for Lambda" make_package
