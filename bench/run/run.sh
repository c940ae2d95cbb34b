# Sourced with $HULL, $FILES, $ROUNDS, and perhaps $QEMU and $VIRTIOFSD: runs the peers in turn and
# prints "sample NAME SECONDS". The time is that of /proc/uptime: hundredths of a second.
scratch=$(mktemp -d)
trap 'rm -r $scratch' EXIT
GUEST="-k $FILES/kernel -m 512M"

now() { cut -d' ' -f1 /proc/uptime; }

hull() { "$HULL" run --timeout 120s "$@"; }

# The kernel, and a first process that ends it by a reset or a triple fault.
floor() { hull $GUEST -i $FILES/floor.cpio -p "quiet reboot=t" --console null; }
hull_share() { hull $GUEST --modules $FILES/modules -- true; }
hull_image() { hull $GUEST --modules $FILES/modules --root $IMAGE -- true; }

qemu_virtiofs()
{
	"$VIRTIOFSD" --socket-path=$scratch/fs -o source=/,cache=auto,sandbox=chroot \
		>$scratch/virtiofsd.log 2>&1 &
	daemon=$!
	until [ -S $scratch/fs ]; do
		kill -0 $daemon 2>/dev/null || return 1
		sleep 0.01
	done
	timeout 120 "$QEMU" -L /usr/share/qemu -L /usr/share/seabios -M microvm,pcie=on -enable-kvm -cpu host -nodefaults -no-user-config -display none \
		-no-reboot -m 512 -object memory-backend-memfd,id=m,size=512M,share=on \
		-numa node,memdev=m -chardev socket,id=c,path=$scratch/fs \
		-device vhost-user-fs-pci,chardev=c,tag=ROOT -device virtio-serial-pci \
		-chardev file,id=o,path=$scratch/out -device virtserialport,chardev=o,name=out \
		-kernel $FILES/kernel -initrd $FILES/peer.cpio \
		-append "quiet panic=-1 reboot=t" >$scratch/qemu.log 2>&1 </dev/null
	status=$?
	kill $daemon 2>/dev/null
	wait $daemon
	return $status
}

sample()
{
	begin=$(now)
	"$1" >$scratch/log 2>&1
	status=$?
	end=$(now)
	[ "$1" != floor ] || [ $((status & ~2)) != 120 ] || status=0
	if [ $status = 0 ]; then
		echo "sample $1 $(echo "$begin $end" | awk '{printf "%.2f", $2 - $1}')"
	else
		echo "failed $1 with status $status: $(tail -qn 3 $scratch/*log | tr '\n' ' ')"
	fi
}

peers="floor hull_share hull_image"
[ -z "$QEMU" ] || [ -z "$VIRTIOFSD" ] || peers="$peers qemu_virtiofs"
round=0
while [ $round -lt "$ROUNDS" ]; do
	for peer in $peers; do
		sample "$peer"
	done
	round=$((round + 1))
done
"$HULL" run --timing $GUEST --modules $FILES/modules -- true 2>&1 | sed 's/^/timing /'
