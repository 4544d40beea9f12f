#!/usr/bin/env bash
# Makes the guest once, in the cache directory: a Debian 12 disk image with systemd, cgroup v2, Docker and Python, and the kernel and
# initrd to boot it with. Made anew when this file changes. What the guest does when it has booted: see run.sh.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
dir=$CACHE/guest
key=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
[ "$(cat "$dir/key" 2>/dev/null)" = "$key" ] && exit 0
mkdir -p "$dir"
exec 8>"$dir/lock"
flock -w 900 8 || die "another build.sh is busy with $dir"
[ "$(cat "$dir/key" 2>/dev/null)" = "$key" ] && exit 0
[ "$(id -u)" = 0 ] || die "making the guest's file system needs root"

say "making the guest in $dir (about two minutes, once)"
root=$dir/rootfs
rm -rf "$root" "$dir/key"
trap 'rm -rf "$root" "$dir/disk.new"' EXIT
# the mirror that this machine uses, if it is a Debian; else debootstrap's own default
mirror=
if grep -qx 'ID=debian' /etc/os-release; then
  mirror=$(awk '/^URIs:/{print $2; exit} /^deb /{for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
    /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null | head -1 || :)
fi
include=systemd,systemd-sysv,dbus,udev,linux-image-cloud-amd64,docker.io,iproute2,iptables,procps,busybox-static,python3,libcairo2
debootstrap --variant=minbase --include="$include" bookworm "$root" ${mirror:+"$mirror"} >"$dir/debootstrap.log" 2>&1 </dev/null || {
  tail -n 15 "$dir/debootstrap.log" >&2
  die "debootstrap failed, the whole story is in $dir/debootstrap.log"
}

echo guest >"$root/etc/hostname"
echo "127.0.0.1 localhost guest" >"$root/etc/hosts"
echo "/dev/vda / ext4 defaults 0 1" >"$root/etc/fstab"
# the job's output and exit code leave through two virtio ports, apart from the kernel's console
echo virtio_console >"$root/etc/modules-load.d/job.conf"
cat >"$root/etc/systemd/system/job.service" <<'U'
[Unit]
Description=The job on the second drive
After=docker.service network.target
Wants=docker.service
FailureAction=poweroff-force
SuccessAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec=infinity
WorkingDirectory=/
ExecStart=/bin/bash -c 'exec >/dev/virtio-ports/job.out 2>&1 </dev/null; mkdir -p /job; mount /dev/vdb /job && cd /job && HOME=/root bash ./job.sh; echo $? >/dev/virtio-ports/job.rc'
[Install]
WantedBy=multi-user.target
U
ln -s ../job.service "$root/etc/systemd/system/multi-user.target.wants/job.service"
for unit in serial-getty@ttyS0.service getty@tty1.service systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer \
  dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}

cp "$root"/boot/vmlinuz-* "$dir/vmlinuz"
cp "$root"/boot/initrd.img-* "$dir/initrd"
rm -f "$dir/disk.new"
truncate -s 4G "$dir/disk.new"
mkfs.ext4 -q -d "$root" "$dir/disk.new"
mv "$dir/disk.new" "$dir/disk.img"
echo "$key" >"$dir/key"
