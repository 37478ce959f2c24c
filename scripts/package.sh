#!/usr/bin/env bash
# Makes build/healthcheck.zip, the Lambda's package, unless it is current: our code and hash-checked
# wheels, the same bytes for the same sources.
source "$(dirname "$0")/common.sh"
one_at_a_time

sources=$(.venv/bin/python -m deployment.release package)
[ -n "$sources" ] || exit 0
folder=$BUILD/package

make_package() {
    rm -rf "$folder"
    install_wheels "$folder" x86_64-manylinux_2_28 healthcheck/requirements.txt
    # Each compiled module has one in Python beside it, which runs on every architecture. The RECORDs
    # name the compiled ones.
    find "$folder" \( -name '*.so' -o -name RECORD \) -delete
    cp --parents sntp.py healthcheck/{,formats/}*.py "$folder"
    # Modes and times would differ in each clone.
    chmod -R u=rwX,go=rX "$folder"
    find "$folder" -exec touch --date=@315532800 {} + # 1980, with which zip's times begin
    (cd "$folder" && TZ=UTC "$ROOT/.venv/bin/python" -m zipfile --create "$BUILD/healthcheck.part" ./*)
    rm -rf "$folder"
    finish_archive build/healthcheck zip "$sources"
}
step "healthcheck package for Lambda" make_package
