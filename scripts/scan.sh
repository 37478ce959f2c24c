#!/usr/bin/env bash
# scan.sh [templates|secrets|packages|debian]...: searches for known weaknesses; without arguments, in
# all four. The scanners see neither this user's home folder nor its settings. Only the last two use
# the network.
source "$(dirname "$0")/common.sh"
scripts/tools.sh scanners
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# scan FOLDER COMMAND...: runs it there, with its output in $work/report; sets $status.
scan() {
    status=0
    (cd "$1" && HOME=$work SKIP_PACKAGE_UPDATE_CHECK=true KF_RULE_CACHE_DIR=$BUILD/tools/rules "$BUILD/tools/bin/$2" "${@:3}") \
        >"$work/report" 2>&1 || status=$?
}

refuse() {
    cat "$work/report" >&2
    die "$1"
}

# A template accepts a finding in a comment inside of the resource, with the reason.
templates() {
    scan "$work" checkov --directory "$ROOT/cfn" --framework cloudformation --skip-download --compact --quiet
    grep -q '^Passed checks: [1-9]' "$work/report" || refuse "checkov has judged no template (exit code $status): correct what it reports above"
    ! grep -q 'Parsing errors' "$work/report" || refuse "checkov cannot read a template: correct what it reports above"
    [ "$status" = 0 ] || refuse "checkov: correct the template, or accept it in the resource: # checkov:skip=ID:REASON"
    echo "  templates: $(grep '^Passed checks' "$work/report")"
}

# This searches all files that are or could be committed, and each commit. No comment and no list of
# exceptions hides a secret.
secrets() {
    local git=(git -c core.excludesFile=/dev/null -c safe.directory=*) history=() commits
    commits="HISTORY NOT CHECKED: this is an exported tree"
    mkdir "$work/tree"
    "${git[@]}" --git-dir="$work/git" --work-tree=. init --quiet
    "${git[@]}" --git-dir="$work/git" --work-tree=. ls-files -z --others --exclude-standard |
        tar --null --files-from=- --create | tar --extract --directory="$work/tree"
    if [ -e .git ]; then
        history=("$("${git[@]}" rev-parse --path-format=absolute --git-common-dir)")
        commits="$("${git[@]}" rev-list --all --count) commits"
        [ "$("${git[@]}" rev-parse --is-shallow-repository)" = false ] ||
            commits="HISTORY NOT CHECKED beyond $commits: this is a shallow clone"
    fi
    # The password "hush" of "me" is made up: a test shows that no password of a URL is printed.
    scan "$work/tree" kingfisher scan . "${history[@]}" --confidence=low --no-ignore --no-validate --no-update-check --redact --quiet \
        --skip-regex '//me:hush@'
    [ "$status" != 200 ] || refuse "kingfisher: take the secret out of the tree and its history, and revoke it"
    [ "$status" = 0 ] || refuse "kingfisher has failed (exit code $status): correct what it reports above"
    echo "  secrets: none in $(find "$work/tree" -type f | wc -l) files and their history ($commits)"
}

packages() {
    local group
    for group in dev tools mutation; do
        export_group "$group" "$work/$group.txt"
        scan "$work" pip-audit --vulnerability-service=osv --osv-url="${OSV_URL:-https://api.osv.dev/v1/query}" \
            --progress-spinner=off --disable-pip --requirement="$work/$group.txt"
        if grep '^requests\.exceptions\.' "$work/report" >"$work/why"; then
            echo "  packages: VULNERABILITIES NOT CHECKED: the database does not respond: $(tail -n 1 "$work/why")"
            return
        fi
        [ "$status" = 0 ] || refuse "pip-audit: renew the packages of uv.lock (make lock)"
    done
    echo "  packages: $(grep -c '^name = ' uv.lock) in uv.lock, without known vulnerabilities"
}

# Lists packages of the images that are built here. To be behind is no failure: Debian changes each day.
debian() {
    local list architecture newer
    for list in build/base-*.packages; do
        [ -e "$list" ] || { echo "  Debian's packages: no image is built here" && return; }
        architecture=${list#build/base-} architecture=${architecture%.packages}
        if ! newer=$(scripts/debian.sh --newer "$architecture" "$list" 2>"$work/report"); then
            echo "  Debian's packages, $architecture: NOT CHECKED: $(grep -m 1 '^E: ' "$work/report")"
        elif [ -n "$newer" ]; then
            awk -v text="  Debian's packages, $architecture:" '{ print text, $1, $2, "is behind", $3 " (make image renews it)" }' <<<"$newer"
        else
            echo "  Debian's packages, $architecture: $(wc -l <"$list"), none behind Debian"
        fi
    done
}

[ "$#" != 0 ] || set -- templates secrets packages debian
for part in "$@"; do "$part"; done
