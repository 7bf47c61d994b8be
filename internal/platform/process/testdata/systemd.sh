#!/bin/sh
# Runs a command under a systemd of its own, which is process 1 of namespaces made for it, and
# ends when that ends: systemd.sh DIR COMMAND... writes DIR/out, and the exit status to DIR/status.
# The host's /etc and /proc/sys are read-only there, its /run and its units are not seen, and what
# systemd makes of control groups lies below those of the caller. For tests, as root, with
# control groups of version 1.
set -eu

group() { # the caller's group of a controller
	awk -F: -v c="$1" '$2 == c { print $3 }' /proc/self/cgroup
}

case "$1" in
--inside)
	dir=$2
	mount --make-rprivate /
	mount -t proc proc /proc
	for ro in /proc/sys /etc; do
		mount --bind $ro $ro
		mount -o remount,bind,ro $ro
	done
	mount -t tmpfs -o mode=755 tmpfs /run
	umount -R -l /sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
	for c in memory cpu cpuacct pids; do
		mkdir /sys/fs/cgroup/$c
		mount -t cgroup -o $c cgroup /sys/fs/cgroup/$c
	done
	mkdir -p /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /run/systemd/system
	mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
	mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
	for t in sysinit basic network-online shutdown multi-user; do
		printf '[Unit]\nDefaultDependencies=no\n' >/run/systemd/system/$t.target
	done
	mkdir /run/no-generators
	cat >/run/systemd/system/only.target <<-END
		[Unit]
		DefaultDependencies=no
		Requires=only.service
	END
	cat >/run/systemd/system/only.service <<-END
		[Unit]
		DefaultDependencies=no
		[Service]
		Type=oneshot
		ExecStart=/bin/sh $dir/command
		StandardOutput=file:$dir/out
		StandardError=inherit
		ExecStopPost=/bin/kill -s RTMIN+14 1
	END
	exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH=/run/systemd/system \
		SYSTEMD_GENERATOR_PATH=/run/no-generators SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/no-generators /lib/systemd/systemd --system --unit=only.target \
		--log-target=console --log-level=warning --show-status=0
	;;
*)
	dir=$1
	shift
	{
		printf "export PATH='%s'\n" "$PATH"
		printf "cd '%s'\n" "$PWD"
		for word; do printf "'%s' " "$word"; done
		printf "\necho \$? >'%s'\n" "$dir/status"
	} >"$dir/command"
	own=andon-test-$$
	groups="/sys/fs/cgroup/systemd$(group name=systemd)/$own /sys/fs/cgroup/unified$(group '')/$own"
	for c in memory cpu cpuacct pids; do groups="$groups /sys/fs/cgroup/$c$(group $c)/$own"; done
	for g in $groups; do
		mkdir "$g"
		sh -c 'echo $PPID >"$1/cgroup.procs"' sh "$g"
	done
	timeout --foreground -s KILL 595 unshare --pid --mount --cgroup --uts --ipc --fork --kill-child "$0" --inside "$dir" || true
	for g in $groups; do # this process has to leave first
		sh -c 'echo $PPID >"$1/cgroup.procs"' sh "${g%/*}"
		find "$g" -depth -type d -exec rmdir {} \; || true
	done
	[ -e "$dir/status" ]
	;;
esac
