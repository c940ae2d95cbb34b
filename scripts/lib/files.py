"""Writes files which appear under their name only when they are whole."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_file(path):
    """Gives a binary stream to write; it becomes the file when the block ends well."""
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as stream:
            yield stream
            os.fchmod(descriptor, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
