#!/usr/bin/env bash
# run.sh JOBDIR [SECONDS]: boots the guest that build.sh made and has it run JOBDIR/job.sh in a copy of that directory (/job).
# Prints what the job prints as it comes, exits with the job's code, 124 when SECONDS (default 600) were not enough, 125 when the
# guest did not get as far as the job's end. The disks are thrown away: each run starts fresh and JOBDIR stays as it is.
#
# The processor is emulated in software, which works everywhere and is what CI measures; QAE_GUEST_ACCEL=kvm uses the real one.
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
job=${1:?usage: run.sh JOBDIR [SECONDS]}
limit=${2:-600}
dir=$CACHE/guest
accel=${QAE_GUEST_ACCEL:-tcg,thread=multi}
tmp=$(mktemp -d "$dir/run.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
# room for what the job writes, and then some: the file is sparse
truncate -s "$(($(du -sm "$job" | cut -f1) + 1024))M" "$tmp/job.img"
mkfs.ext4 -q -d "$job" "$tmp/job.img"

machine=(-accel "$accel" -m 3072 -smp 2 -nodefaults -no-user-config -display none -no-reboot -nic none)
[[ $accel != kvm* ]] || machine+=(-cpu host)
# psi=1: Debian builds it in; other kernels may want it said. No mitigations: nothing here needs them, and emulated they are slow
boot="root=/dev/vda rw console=ttyS0 psi=1 apparmor=0 mitigations=off quiet loglevel=3 systemd.show_status=0"
rc=0
# (through cat: qemu opens /dev/stdout anew, which only a pipe takes well; --foreground: who ends this script's process group ends qemu too)
TMPDIR=$tmp timeout --foreground -k 5 "$limit" qemu-system-x86_64 "${machine[@]}" -kernel "$dir/vmlinuz" -initrd "$dir/initrd" -append "$boot" \
  -drive file="$dir/disk.img",if=virtio,format=raw,snapshot=on,cache=unsafe -drive file="$tmp/job.img",if=virtio,format=raw,cache=unsafe \
  -device virtio-rng-pci -serial file:"$tmp/console" -device virtio-serial \
  -chardev file,id=out,path=/dev/stdout -device virtserialport,chardev=out,name=job.out \
  -chardev file,id=rc,path="$tmp/rc" -device virtserialport,chardev=rc,name=job.rc </dev/null | cat || rc=$?
[ "$rc" != 124 ] || { say "the guest was stopped after $limit s"; exit 124; }
if [ ! -s "$tmp/rc" ]; then
  say "the guest ended (qemu: $rc) before the job did; the end of its console:"
  tail -n 30 "$tmp/console" | tr -d '\r' >&2
  exit 125
fi
exit "$(cat "$tmp/rc")"
