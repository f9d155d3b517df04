#!/bin/bash
# Installs this release on an instance and starts it. It lies in the folder of the release, which has been checked
# against its manifest (template.yaml, UserData), and is run there as root:
#
#     install.sh web|app --runtime openvino|torch [--log-group NAME] [--gallery-secret ARN] < settings
#
# Settings are lines NAME=VALUE on standard input. With --root DIR everything goes below DIR, with the rights of who
# runs it, and nothing outside is touched or started; that is how the tests run it. Running it again is harmless.
set -euo pipefail
release=$(cd "$(dirname "$0")" && pwd)
given=$(cat) # read at once, lest a program below eats it
role=${1:-}
shift || true
runtime=openvino log_group='' secret='' root=''
while [ $# -gt 0 ]; do
    case $1 in
        --runtime) runtime=$2 ;;
        --log-group) log_group=$2 ;;
        --gallery-secret) secret=$2 ;;
        --root) root=$2 ;;
        *) echo "install.sh: there is no option $1" >&2; exit 2 ;;
    esac
    shift 2
done
case $role in
    web) services='web autoscale' ;;
    app) services=worker ;;
    *) echo "install.sh: the first word must be web or app" >&2; exit 2 ;;
esac
requirements=$release/requirements-$runtime.txt
if [ ! -f "$requirements" ]; then
    echo "install.sh: $runtime was not packaged; run: make package RUNTIMES='openvino torch'" >&2
    exit 2
fi
python=python$(cat "$release/python-version")
home=$root/var/lib/visage
environment=$root/etc/visage/visage.env

system_packages() {
    [ -z "$root" ] || return 0
    # Amazon Linux locks its repositories to the image's version, so these do not change under a running stack.
    dnf install --quiet --assumeyes "$python" amazon-cloudwatch-agent logrotate
    id visage >/dev/null 2>&1 || useradd --system --home-dir "$home" --shell /usr/sbin/nologin visage
}

program() {
    "$python" -m venv --clear "$root/opt/visage/venv"
    "$root/opt/visage/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
        --no-index --find-links "$release/wheels" --no-deps --require-hashes --only-binary :all: -r "$requirements"
}

data() {
    mkdir -p "$home" "$root/var/log/visage"
    chmod 700 "$home"
    cp -R "$release/home/." "$home/"
    [ -n "$root" ] || chown -R visage:visage "$home"
}

# One file for systemd and for the shell: values stand in single quotes, so they may hold anything but those.
settings() {
    local line value
    mkdir -p "$(dirname "$environment")"
    (umask 077 && : >"$environment")
    {
        echo "$given"
        echo "VISAGE_HOME=$home"
        echo "TMPDIR=$root/var/tmp" # /tmp is kept in memory there, and videos are large
        if [ -n "$secret" ]; then
            echo "VISAGE_GALLERY=$(aws secretsmanager get-secret-value --region "$(cut -d: -f4 <<<"$secret")" \
                --secret-id "$secret" --query SecretString --output text)"
        fi
    } | while IFS= read -r line; do
        value=${line#*=}
        case $line in
            *"'"*) echo "install.sh: the setting ${line%%=*} must not hold a single quote" >&2; exit 2 ;;
            [A-Z]*=*) printf "%s='%s'\n" "${line%%=*}" "$value" ;;
            '') ;;
            *) echo "install.sh: a setting is a line NAME=VALUE" >&2; exit 2 ;;
        esac
    done >>"$environment"
    mkdir -p "$root/var/tmp"
}

# `sudo visage ...` in a session on the instance: with the service's settings, as the service's user. Not in
# /usr/local/bin, where sudo does not look on Amazon Linux.
command_for_people() {
    mkdir -p "$root/usr/bin"
    cat >"$root/usr/bin/visage" <<END
#!/bin/bash
set -a
. '$environment' || exit
set +a
cd /
if [ "\$(id -u)" = 0 ] && [ -z '$root' ]; then
    exec runuser -u visage -- /opt/visage/venv/bin/visage "\$@"
fi
exec '$root/opt/visage/venv/bin/visage' "\$@"
END
    chmod 755 "$root/usr/bin/visage"
}

unit() { # name, command, share of the memory, seconds it may take to stop
    mkdir -p "$root/etc/systemd/system"
    cat >"$root/etc/systemd/system/visage-$1.service" <<END
[Unit]
Description=Visage, $1
Wants=network-online.target
After=network-online.target
# It never gives up: a bucket may be away for an hour, and the web tier waits for its first key.
StartLimitIntervalSec=0

[Service]
ExecStart=$root/opt/visage/venv/bin/visage $2
EnvironmentFile=$environment
User=visage
StateDirectory=visage
StateDirectoryMode=0700
WorkingDirectory=$home
# Opened by systemd as root; the folder is root's, so that the service cannot put another file there.
StandardOutput=append:$root/var/log/visage/$1.log
StandardError=inherit
# A worker that leaves because its instance has to go ends well, and must not come back.
Restart=on-failure
RestartSec=2
KillMode=mixed
TimeoutStopSec=$4
MemoryMax=$3
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
LockPersonality=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
END
}

units() {
    case $role in
        web)
            unit web web 60% 45
            unit autoscale autoscale 20% 20
            ;;
        app) unit worker 'worker --station instance' 90% 150 ;;
    esac
}

logs() {
    mkdir -p "$root/etc/logrotate.d" "$root/opt/aws/amazon-cloudwatch-agent/etc"
    cat >"$root/etc/logrotate.d/visage" <<END
$root/var/log/visage/*.log {
    size 50M
    rotate 2
    copytruncate
    missingok
    notifempty
}
END
    [ -n "$log_group" ] || return 0
    local files='' service
    for service in $services install; do
        files+="${files:+,}{\"file_path\": \"$root/var/log/visage/$service.log\", \"log_group_name\": \"$log_group\","
        files+=" \"log_stream_name\": \"{instance_id}/$service\"}"
    done
    echo "{\"logs\": {\"logs_collected\": {\"files\": {\"collect_list\": [$files]}}}}" \
        >"$root/opt/aws/amazon-cloudwatch-agent/etc/visage.json"
}

start() {
    [ -z "$root" ] || return 0
    if [ -n "$log_group" ]; then
        /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s \
            -c file:/opt/aws/amazon-cloudwatch-agent/etc/visage.json >/dev/null
    fi
    systemctl daemon-reload
    systemctl enable --now logrotate.timer
    for service in $services; do systemctl enable "visage-$service"; done
    for service in $services; do systemctl restart "visage-$service"; done
}

main() {
    settings
    system_packages
    program
    data
    command_for_people
    units
    logs
    "$root/usr/bin/visage" --version
    start
}

mkdir -p "$root/var/log/visage"
main 2>&1 | tee "$root/var/log/visage/install.log"
