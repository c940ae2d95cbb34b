"""Boots a kernel and asserts on what it says: KERNEL=/boot/vmlinuz pytest test_boot.py

With ROOT, an image of a root file system, a command is run in a guest, too.
"""

import os

import hull
import pytest

KERNEL = os.environ.get("KERNEL", "/boot/vmlinuz")


@pytest.fixture(name="vm")
def fixture_vm():
    """A VM for one test; its end is that of the test, however that ends."""
    with hull.VM(kernel=KERNEL, memory="512M", timeout="10m") as vm:
        yield vm


def test_console(vm):
    version = vm.expect(os.environ.get("EXPECT", "Linux version ([0-9.]+)"), timeout=300)
    assert version[0]
    assert vm.state == "running"


@pytest.mark.skipif("ROOT" not in os.environ, reason="ROOT names no root")
def test_serve(tmp_path):
    with hull.VM(kernel=KERNEL, root=os.environ["ROOT"], serve=True, timeout="10m") as vm:
        vm.wait_ready(timeout=300)
        result = vm.run(["sh", "-c", "cat; uname -s >/tmp/name; exit 3"], input=b"hello")
        assert (result.text, result.status) == ("hello", 3)
        vm.copy_out("/tmp/name", tmp_path / "name")
        assert (tmp_path / "name").read_text() == "Linux\n"


@pytest.mark.skipif("ROOT" not in os.environ, reason="ROOT names no image")
def test_command():
    result = hull.run(["sh", "-c", "uname -s; exit 3"], kernel=KERNEL, root=os.environ["ROOT"],
                      timeout=600)
    assert result.text == "Linux"
    assert result.status == 3
