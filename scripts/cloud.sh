#!/usr/bin/env bash
# cloud.sh DEPLOYMENT: make the image of the local cloud's containers, MiniStack to hosts.
# cloud.sh --tag DEPLOYMENT: print the image's tag.
# cloud.sh: make only the base of all such images.
source "$(dirname "$0")/common.sh"
context=$BUILD/cloud base=$BUILD/cloud-base.tar
libraries=(deployment/{{__init__,errors,permissions}.py,permissions.csv})

get_tag() {
    local sources
    mapfile -t sources < <(find local/{cloud,api.py,containers.py,requirements.txt} "${libraries[@]}" \
        scripts/{cloud,debian,common}.sh -type f ! -path '*/__pycache__/*' | sort)
    echo "$1-cloud:$(digest "${sources[@]}")"
}

make_base() {
    # The hosts' user data uses S3 alone, and needs no completion of commands. A half of the files are for
    # other services, three of which the AWS CLI renames at each start.
    local aws=/usr/lib/python3/dist-packages/awscli
    scripts/debian.sh "$base" --variant=minbase --dpkgopt="path-exclude=$aws/examples/*" \
        --dpkgopt="path-exclude=$aws/data/ac.index" --dpkgopt="path-exclude=$aws/botocore/data/*/*" \
        --dpkgopt="path-include=$aws/botocore/data/"{codedeploy,config,opsworkscm,s3,sts}'/*' \
        --include=docker.io,docker-cli,haproxy,chrony,curl,iproute2,iptables,python3,awscli,ca-certificates,tini
}

# One image serves every part: a container's command decides which part it is. An import of the
# whole takes half of the time of a build in layers.
make_image() {
    local root=$context/root
    rm -rf "$context"
    mkdir -p "$root/opt/local" "$root/opt/deployment" "$root/usr/local/bin"
    install_wheels "$root/opt/site-packages" "$MACHINE-manylinux_2_39" local/requirements.txt
    cp -r local/{cloud,api.py,containers.py} "$root/opt/local"
    cp "${libraries[@]}" "$root/opt/deployment"
    # dnf and systemctl as the hosts' user data calls them; everything else there is the real tool.
    install -m 755 local/cloud/bin/* "$root/usr/local/bin"
    cp "$base" "$context/image.tar"
    tar --append --mode u=rwX,go=rX --file "$context/image.tar" --owner 0 --group 0 -C "$root" \
        opt/{site-packages,local,deployment} usr/local/bin/{dnf,systemctl} # what the base lacks
    # PYTHONPATH is not set for all programs: Debian's AWS CLI would find our packages instead of
    # its own.
    as_docker docker import --change "LABEL timeservice.cloud=$1" --change 'ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1' \
        --change 'ENTRYPOINT ["/usr/bin/tini", "-g", "--"]' "$context/image.tar" "$2"
    rm -rf "$context"
}

[ "${1:-}" != --tag ] || { get_tag "$2" && exit; }
one_at_a_time
tag=${1:+$(get_tag "$1")}
[ -n "$tag" ] && as_docker docker image inspect "$tag" >/dev/null 2>&1 && exit
[ "$(get_engine_architecture)" = "$MACHINE" ] ||
    die "the Docker engine does not run on $MACHINE, and the local cloud is made for that, the architecture of this machine." \
        "Use an engine of this machine: unset DOCKER_HOST; docker context use default"
[ "$base" -nt scripts/cloud.sh ] && [ "$base" -nt scripts/debian.sh ] ||
    step "local cloud's image: base from Debian packages" make_base
[ -z "$tag" ] || step "local cloud's image: build" make_image "$1" "$tag"
