# Sourced by each case, which then calls boot with its expectations. POSIX sh and busybox only: it
# runs in the emulated KVM host as well as on a machine of flesh and blood.
#
# $HULL is the program, $FILES the directory with kernels and initrds, $DISKS that of disks.
log=$(mktemp)
PATH=$PATH:/usr/sbin:/sbin

fail()
{
	echo "FAIL: $*"
	echo "--- the guest's console and hull's words"
	cat "$log"
	exit 1
}

# boot STATUS OPTION...: runs hull, its output in $log and its own words behind it (or they would stand
# in the middle of the guest's lines), and checks how it ends. The kernel is quiet: each character of
# its log is two exits, which an emulated host makes slow.
boot()
{
	wanted=$1
	shift
	echo "hull run $*"
	# shellcheck disable=SC2086
	"$HULL" run --timeout "${LIMIT:-240s}" --timing -p quiet "$@" >"$log" 2>"$log.words" </dev/null
	status=$?
	cat "$log.words" >>"$log"
	[ "$status" = "$wanted" ] || fail "exit status $status, not $wanted"
	grep 'hull: ' "$log"
}

# expect WORDS: a line "guest: WORDS".
expect()
{
	grep -qE "^guest: $*.?\$" "$log" || fail "no line 'guest: $*'"
}

# memory LOW HIGH: MemTotal in KiB lies between them.
memory()
{
	kib=$(sed -n 's/^guest: memory_kib \([0-9]*\).*/\1/p' "$log")
	[ "$kib" -ge "$1" ] && [ "$kib" -le "$2" ] || fail "MemTotal is $kib KiB, not $1 to $2"
}

# complaints FILE: writes the kernel's warnings down, for comparison between monitors. Those that say
# no more than that the host is slow today do not count.
complaints()
{
	tr -d '\r' <"$log" | sed -n 's/^guest: warning //p' |
		grep -vE 'hrtimer: interrupt took|timekeeping watchdog|perf: interrupt took|hogged CPU' \
			>"$1"
	:
}

# start OPTION...: runs hull in the background, as $hull. Its input is $INPUT, its output goes to
# $OUTPUT, or else to $log as its words do.
start()
{
	echo "hull run $*"
	: >"$log"
	"$HULL" run --timeout "${LIMIT:-240s}" --timing -p quiet "$@" >>"${OUTPUT:-$log}" 2>>"$log" \
		<"${INPUT:-/dev/null}" &
	hull=$!
}

# wait_for PATTERN [COUNT]: until so many lines have it.
wait_for()
{
	until [ "$(grep -cE "$1" "$log")" -ge "${2:-1}" ]; do
		kill -0 $hull 2>/dev/null || fail "hull ended before it said '$1'"
		! grep '^guest: FAIL' "$log" || fail "the guest found something wrong"
		sleep 1
	done
}

# Kills hull at a random moment of the next three seconds.
kill_hull()
{
	random=$(od -An -N2 -tu2 /dev/urandom)
	sleep $((random / 10 % 3)).$((random % 10))
	kill -KILL $hull
	wait $hull
	status=$?
	[ $status = 137 ] || fail "hull was not killed, it ended with $status"
}
