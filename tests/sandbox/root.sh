#!/bin/bash
# SPDX-License-Identifier: ISC
#
# root.sh ROOT GROUP TERMINAL: the systemd of a Debian in a folder as the first process of namespaces, with its own units.
#
#	unshare --pid --fork --kill-child --mount --uts --ipc root.sh ROOT GROUP TERMINAL
#
# What is written stays in ROOT; nothing else of the system is seen from there. The network is that of the caller; control
# groups are made below GROUP, which is left to the caller to remove. What systemd prints goes to TERMINAL. Needs root and
# cgroups of version 2.
set -e
[ $$ -eq 1 ] || {
	echo "root.sh: to be run in a process namespace of its own" >&2
	exit 2
}
root=$1 group=$2 terminal=$3

mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
	: >"$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
: >"$root/dev/console"
mount --bind "$terminal" "$root/dev/console"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mkdir "$root/sys/fs/cgroup/$group"
echo 1 >"$root/sys/fs/cgroup/$group/cgroup.procs"

cd "$root"
pivot_root . mnt
umount -l /mnt
export container=cdrd-test
exec unshare --cgroup sh -c 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
	exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no'
