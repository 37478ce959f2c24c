# The machine of known content in which make reruns itself (scripts/toolbox.sh), and the development
# container (.devcontainer/), where make up installs an engine, as on any Debian machine. Nothing here
# comes from the clone: it is mounted, and .venv is in it.
FROM debian:trixie-slim
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# A line for each package shows the progress.
RUN apt-get update -qq; \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -o Dpkg::Use-Pty=0 --no-install-recommends \
        ca-certificates curl docker-cli git iproute2 iptables make mmdebstrap mount openssl procps \
        python3 python3-venv sudo tini | grep --line-buffered ^Unpacking; \
    rm -rf /var/lib/apt/lists/*
# Inside, make runs with the user id of the clone's owner, which no user here has.
RUN echo 'ALL ALL=(ALL:ALL) NOPASSWD:SETENV: ALL' >/etc/sudoers.d/toolbox; git config --system safe.directory '*'
# Programs with certificates of their own use those of the system, which may have a company's.
ENV LANG=C.UTF-8 \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
LABEL timeservice.toolbox=
ENTRYPOINT ["tini", "-g", "--"]
