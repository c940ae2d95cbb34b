# Sourced by the cases that run commands in guests.
#
# $ROOT is an image with a busybox. command STATUS OPTION... -- WORD...: runs it with $INPUT as its
# standard input; standard output and standard error are $out and $errors then.
. "$(dirname "$0")/case.sh"
scratch=$(mktemp -d)
trap 'rm -r $scratch' EXIT
out=$scratch/out
errors=$scratch/errors
ROOT=$DISKS/command-root
KERNEL="-k $FILES/kernel --modules $FILES/modules -m 256M"

command()
{
	wanted=$1
	shift
	# shellcheck disable=SC2086
	"$HULL" run --timeout 120s $KERNEL "$@" >"$out" 2>"$errors" <"${INPUT:-/dev/null}"
	status=$?
	[ $status = "$wanted" ] || report "status $status, not $wanted: $*"
	echo "ok $wanted: $*" | cut -c1-120
}

report()
{
	echo "--- output"
	tail -c 3000 "$out"
	echo "--- errors"
	cat "$errors"
	fail "$@"
}

printed()
{
	[ "$(cat "$out")" = "$1" ] || report "the output is not '$1'"
}

# said PATTERN: on standard error.
said()
{
	grep -q "$1" "$errors" || report "nothing about '$1'"
}

silent()
{
	! [ -s "$errors" ] || report "there are words on standard error"
}
