#!/bin/bash
# HAProxy as a master with workers, which reloads without dropping a connection.
set -euo pipefail
# Remove sockets and configuration of an earlier run. The controller writes a new configuration.
rm -f /run/balancer/*.sock /run/balancer/*.cfg
until [ -e /run/balancer/haproxy.cfg ]; do sleep 0.2; done
# -q: its log has each message already.
exec haproxy -q -W -S /run/balancer/master.sock -f /run/balancer/haproxy.cfg
