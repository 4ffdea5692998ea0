#!/bin/bash
# SPDX-License-Identifier: ISC
#
# systemd.sh FOLDER TERMINAL: systemd as the first process of namespaces, with no units but those of FOLDER/units.
#
#	unshare --pid --fork --kill-child --mount --uts --ipc systemd.sh FOLDER TERMINAL
#
# FOLDER/bin, FOLDER/sbin and FOLDER/etc are seen as /usr/local's. Nothing of the system it runs in can be harmed: its files are
# read-only here, what is written (/run, /tmp, /var, /dev) is memory that ends with the namespaces, and systemd knows
# neither the system's units nor its generators, some of which would empty /tmp or mount disks. The network is that of
# the caller; control groups are made below one named after FOLDER, which is left to the caller to remove. What units
# and systemd print goes to TERMINAL. Needs root and cgroups of version 2.
set -e
[ $$ -eq 1 ] || {
	echo "systemd.sh: to be run in a process namespace of its own" >&2
	exit 2
}
folder=$1 terminal=$2
own=(/run /tmp /var/lib /var/log /var/tmp /var/cache /usr/local/bin /usr/local/sbin /usr/local/etc)

mount --make-rprivate /
mount -t proc -o nosuid,nodev,noexec proc /proc

# What is needed of FOLDER and /dev is kept in memory of its own before both are out of sight.
kept=/srv
mount -t tmpfs -o mode=755 tmpfs "$kept"
mkdir "$kept/units" "$kept/dev"
cp -r "$folder/bin" "$folder/sbin" "$folder/etc" "$kept"
cp "$folder"/units/* "$kept/units"
for node in null zero full random urandom tty; do
	: >"$kept/dev/$node"
	mount --bind "/dev/$node" "$kept/dev/$node"
done
: >"$kept/dev/console"
mount --bind "$terminal" "$kept/dev/console"
mkdir "$kept/dev/shm" "$kept/dev/pts"
ln -s /proc/self/fd "$kept/dev/fd"
ln -s pts/ptmx "$kept/dev/ptmx"

# Read-only, whatever is mounted; then memory over what is written.
while read -r _ _ _ _ point _; do
	case $point in
	/proc | /proc/* | "$kept" | "$kept"/*) ;;
	*) mount -o remount,bind,ro "$point" 2>/dev/null || umount -l "$point" ;;
	esac
done < <(sort -r -k 5,5 /proc/self/mountinfo)
for point in "${own[@]}"; do
	mount -t tmpfs -o mode=755 tmpfs "$point"
done
chmod 1777 /tmp /var/tmp
mount --rbind "$kept/dev" /dev
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$(basename "$folder")"
echo 1 >"/sys/fs/cgroup/$(basename "$folder")/cgroup.procs"
for part in bin sbin etc; do
	cp -r "$kept/$part/." "/usr/local/$part"
done

mkdir -p /run/units /run/systemd/system
cp "$kept"/units/* /run/units
# What units of a service depend on without saying so, and what is started first: nothing.
for target in idle sysinit basic shutdown network timers sockets multi-user umount final; do
	printf '[Unit]\nDefaultDependencies=no\nDescription=%s\nAllowIsolate=yes\n' "$target" >"/run/units/$target.target"
done
export container=cdrd-test SYSTEMD_UNIT_PATH=/run/units SYSTEMD_GENERATOR_PATH=/run/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none
exec unshare --cgroup sh -c 'umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
	exec /lib/systemd/systemd --system --unit=idle.target --log-target=console --show-status=no'
