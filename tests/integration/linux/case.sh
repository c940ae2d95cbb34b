# Sourced by each case, which then calls boot with its expectations. POSIX sh and busybox only: it
# runs in the emulated KVM host as well as on a machine of flesh and blood.
#
# $HULL is the program, $FILES the directory with kernels and initrds.
log=$(mktemp)

fail()
{
	echo "FAIL: $*"
	echo "--- the guest's console and hull's words"
	cat "$log"
	exit 1
}

# boot STATUS OPTION...: runs hull, its output in $log, and checks how it ends. The kernel is quiet:
# each character of its log is two exits, which an emulated host makes slow.
boot()
{
	wanted=$1
	shift
	echo "hull run $*"
	# shellcheck disable=SC2086
	"$HULL" run --timeout "${LIMIT:-240s}" --timing -p quiet "$@" >"$log" 2>&1 </dev/null
	status=$?
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
