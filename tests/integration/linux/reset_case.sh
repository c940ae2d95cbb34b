# A guest that reboots goes on in a machine made anew, with the same console: reset_and_input OPTION...
# shellcheck shell=sh disable=SC2154
reset_and_input()
{
	mkfifo /tmp/input.$$
	"$HULL" run --timeout 300s -p quiet -i "$FILES/initrd" --on-reboot=reset -p hull_test=ask "$@" \
		>"$log" 2>&1 </tmp/input.$$ &
	hull=$!
	exec 5>/tmp/input.$$
	again=0
	for answer in reboot poweroff; do
		until [ "$(grep -c '^guest: up' "$log")" = $((1 + again)) ] ||
			! kill -0 $hull 2>/dev/null; do sleep 1; done
		echo $answer >&5
		again=1
	done
	wait $hull
	status=$?
	[ $status = 0 ] || fail "exit status $status, not 0"
	expect answer reboot
	expect answer poweroff
}
