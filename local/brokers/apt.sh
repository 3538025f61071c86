#!/bin/sh
# Installs the packages in the arguments without starting their services. Must run as root.
# Debian starts installed services at once and at each boot. Its RabbitMQ would take the port of ours.
# A policy-rc.d that exits with 101 tells Debian to start nothing, with systemd and without.
set -e

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi

services=
case " $* " in *" rabbitmq-server "*)
    services=rabbitmq-server.service
    command -v epmd >/dev/null || services="$services epmd.service epmd.socket"
esac
case " $* " in *" prometheus "*)
    services="$services prometheus.service"
esac

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true # the installation may still work if one source is down
if ! output=$(apt-get install -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" 2>&1); then
    echo "$output" >&2
    exit 1
fi

if [ "$services" ] && command -v systemctl >/dev/null; then
    systemctl --quiet disable $services
fi
