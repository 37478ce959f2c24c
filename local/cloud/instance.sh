#!/bin/bash
# An EC2 instance for its user data: link-local services and chronyd, then at the first boot the
# unchanged user data. When the container starts again, that is a reboot.
# Environment: TIME_SERVER (address of the time container), HOP_LIMIT, USER_DATA, and what
# instance_metadata.py reads.
set -euo pipefail
export METADATA_PORT=1080
# A machine starts with an empty /run.
rm -rf /run/docker* /run/chrony

# Docker in this container needs a cgroup tree of its own. On cgroup v2, controllers are handed down
# only from a root without processes. The official docker:dind image does the same.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p /sys/fs/cgroup/init
    xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs || true
    sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

# The private subnets' route table has no default route, but some versions of Docker give an
# internal network one. Link-local addresses need no route on AWS.
ip route del default 2>/dev/null || true
ip route add 169.254.0.0/16 dev eth0

# The metadata service is in this container, and the time server is the time container. The address
# of the time server is translated, because Docker's internal networks drop foreign addresses.
ip address add 169.254.169.254/32 dev lo
for chain in OUTPUT PREROUTING; do
    iptables -t nat -A "$chain" -d 169.254.169.123 -p udp --dport 123 -j DNAT --to-destination "$TIME_SERVER"
done
# Port 80 belongs to the service. So the metadata service listens on another port, and requests to
# its port 80 are redirected. A bridged container is one hop further away: a hop limit of 1 keeps
# the responses from it.
metadata=(-d 169.254.169.254 -p tcp --dport 80 -j DNAT --to-destination "169.254.169.254:$METADATA_PORT")
iptables -t nat -A OUTPUT "${metadata[@]}"
if [ "$HOP_LIMIT" = 1 ]; then
    iptables -I INPUT -i docker0 -d 169.254.169.254 -j DROP
else
    iptables -t nat -A PREROUTING "${metadata[@]}"
fi
python3 /opt/local/cloud/instance_metadata.py &

# The clock belongs to this machine: chronyd measures it and does not set it (-x).
mkdir -p /run/chrony
cat >/etc/chrony/chrony.conf <<CONF
server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4
CONF
chronyd -x

until curl -fs -o /dev/null -X PUT http://169.254.169.254/latest/api/token \
    -H "X-aws-ec2-metadata-token-ttl-seconds: 60"; do sleep 0.1; done
if [ -e /var/lib/user-data ]; then
    echo "step: serving"
    for unit in docker guard-health; do
        [ ! -e "/etc/systemd/system/multi-user.target.wants/$unit" ] || systemctl start "$unit"
    done
else
    echo "$USER_DATA" | base64 --decode >/var/lib/user-data
    chmod 700 /var/lib/user-data
    env -u USER_DATA -u ROLE /var/lib/user-data || echo "user data ended with status $?"
fi
exec sleep infinity
