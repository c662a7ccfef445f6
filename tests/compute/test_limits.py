"""Cgroups: finding them, filling them in, and what a real kernel makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from verdazul.compute import limits
from verdazul.compute.limits import Hierarchy
from verdazul.core.instance import Limits

GRANTED = Limits(cpus=1.5, memory_bytes=14 * 1024**3)

V2_FILES = {
    "memory": ("memory.max", "memory.swap.max"),
    "cpu": ("cpu.max",),
    "pids": ("pids.max",),
}


def v2_tree(mount: Path, *, hands_on: str) -> Path:
    """A made-up cgroup2 mount; plain folders do not make their files by themselves."""
    for folder in (mount, mount / "verdazul"):
        folder.mkdir()
        (folder / "cgroup.controllers").write_text(hands_on)
        (folder / "cgroup.subtree_control").write_text(hands_on)
    leaf = mount / "verdazul" / "x"
    leaf.mkdir()
    for controller in hands_on.split():
        for name in V2_FILES[controller]:
            (leaf / name).touch()
    return leaf


def test_v2_gets_memory_without_swap_cpu_quota_and_a_bound_on_processes(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    leaf = v2_tree(mount, hands_on="cpu memory pids")

    group = limits.create("x", GRANTED, hierarchies=(Hierarchy(mount, mount),))

    assert group.enforced == {"memory", "cpu", "pids"}
    assert group.folders == (str(leaf),)
    assert group.oom_file == str(leaf / "memory.events")
    written = {name: (leaf / name).read_text() for names in V2_FILES.values() for name in names}
    assert written == {
        "memory.max": "15032385536",
        "memory.swap.max": "0",
        "cpu.max": "150000 100000",
        "pids.max": "4096",
    }


def test_requests_become_shares_of_what_is_scarce(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    leaf = v2_tree(mount, hands_on="cpu memory pids")
    for name in ("cpu.weight", "memory.low"):
        (leaf / name).touch()
    asked = Limits(0.2, 200 * 2**20, requested_cpus=0.1, requested_memory_bytes=10**8)

    limits.create("x", asked, hierarchies=(Hierarchy(mount, mount),))

    assert (leaf / "cpu.max").read_text() == "20000 100000"
    assert (leaf / "memory.max").read_text() == str(200 * 2**20)
    assert ((leaf / "cpu.weight").read_text(), (leaf / "memory.low").read_text()) == (
        "4",
        "100000000",
    )


@pytest.mark.parametrize(("cores", "weight"), [(0.001, "1"), (1.0, "39"), (10_000.0, "10000")])
def test_shares_stay_within_what_the_kernel_takes(
    tmp_path: Path, cores: float, weight: str
) -> None:
    mount = tmp_path / "cgroup"
    leaf = v2_tree(mount, hands_on="cpu memory pids")
    (leaf / "cpu.weight").touch()

    limits.create("x", Limits(1, 2**30, cores), hierarchies=(Hierarchy(mount, mount),))

    assert (leaf / "cpu.weight").read_text() == weight


def test_v2_controller_that_is_not_handed_down_is_reported_not_pretended(tmp_path: Path) -> None:
    mount = tmp_path / "cgroup"
    v2_tree(mount, hands_on="memory pids")

    group = limits.create("x", GRANTED, hierarchies=(Hierarchy(mount, mount),))

    assert group.enforced == {"memory", "pids"}


def test_without_a_writable_tree_nothing_is_enforced_and_people_are_told(tmp_path: Path) -> None:
    nowhere = (Hierarchy(tmp_path / "none", tmp_path / "none"),)

    assert limits.create("x", GRANTED, hierarchies=nowhere) == limits.Group()
    assert "not enforced" in limits.enforced(hierarchies=nowhere)


def test_mounts_are_found_for_v1_and_v2_and_our_own_place_in_them(tmp_path: Path) -> None:
    memory, unified = tmp_path / "memory", tmp_path / "unified"
    (memory / "box").mkdir(parents=True)
    (unified / "user" / "app").mkdir(parents=True)
    (tmp_path / "mountinfo").write_text(
        f"30 25 0:26 / {memory} rw shared:9 - cgroup cgroup rw,memory\n"
        f"31 25 0:27 /outer {unified} rw - cgroup2 cgroup2 rw\n"
        "32 25 0:28 / /sys rw - sysfs sysfs rw\n"
        "33 25 0:29 / /cg/freezer rw - cgroup cgroup rw,freezer\n"
    )
    (tmp_path / "cgroup").write_text("4:memory:/box\n3:freezer:/\n0::/outer/user/app\n")

    assert limits.mounted(tmp_path) == (
        Hierarchy(memory, memory / "box", frozenset({"memory"})),
        Hierarchy(unified, unified / "user" / "app"),
    )


def test_release_never_touches_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    foreign = tmp_path / "system.slice" / "sshd"
    foreign.mkdir(parents=True)

    limits.release((str(foreign),))

    assert foreign.exists()


def test_two_homes_do_not_share_a_group() -> None:
    assert limits.group_name(Path("/a"), "e.d.f-0") != limits.group_name(Path("/b"), "e.d.f-0")


def test_real_groups_are_made_and_leave_no_trace() -> None:
    group = limits.create("a-test", Limits(0.5, 64 * 1024**2, 0.25, 32 * 1024**2))
    if not group.folders:
        pytest.skip("no writable cgroup here")

    there = [Path(folder).is_dir() for folder in group.folders]
    limits.release(group.folders)

    assert all(there)
    assert not any(Path(folder).exists() for folder in group.folders)
    assert "not enforced" not in limits.enforced()
