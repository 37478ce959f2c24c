#!/bin/bash
# HAProxy in the master-worker form that reloads without dropping a connection; the controller writes its configuration.
set -euo pipefail
# Of an earlier run: where it listened, and what it was told.
rm -f /run/balancer/*.sock /run/balancer/*.cfg
until [ -e /run/balancer/haproxy.cfg ]; do sleep 0.2; done
exec haproxy -W -S /run/balancer/master.sock -f /run/balancer/haproxy.cfg
