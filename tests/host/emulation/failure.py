"""What can go wrong with the host itself, each with the exit status that tells it."""

NOT_PREPARED = 110  # a wrong option, a missing program or file: nothing was booted
NOT_BOOTED = 111  # the host never came so far as to run the command
HOST_ENDED = 112  # the host or QEMU ended while the command ran
TIME_LIMIT = 113  # the time limit of the whole run was over
FILES_LOST = 114  # the command succeeded, but a file to bring back was not there

# The host itself was lost, as an emulated one is now and then, above all on busy machines: that says
# nothing about what ran in it.
HOST_LOST = (HOST_ENDED, TIME_LIMIT)


class HostFailure(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status
