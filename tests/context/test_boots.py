"""Boots are made of the signs that belong together, and of nothing else."""

from __future__ import annotations

from evtxscan.context.boots import Boots, BootSign, Sign, Walk
from tests.context.machine import HOUR, MINUTE, SECOND


def signs(*entries: tuple[int, Sign]) -> list[BootSign]:
    """Return signs at the given times, one record after the other."""
    return [BootSign("ws", (0, at), number, number, sign) for number, (at, sign) in enumerate(entries, 1)]


def starts(*entries: tuple[int, Sign]) -> list[int | None]:
    """Return when the boots began."""
    return [boot.started for boot in Boots(signs(*entries)).of("ws")]


def test_signs_within_minutes_are_one_boot_and_the_kernel_names_its_time() -> None:
    # Catches: a boot for each record of it.
    boots = Boots(
        signs((HOUR, "kernel_start"), (HOUR + SECOND, "4608"), (HOUR + MINUTE, "6009"), (HOUR + MINUTE, "6005"))
    )
    none, boot = boots.of("ws")
    assert (none.number, none.started, none.ended, none.end_method) == (0, None, HOUR, "restart")
    assert (boot.number, boot.started, boot.is_exact, boot.ended, boot.end_method) == (1, HOUR, True, None, None)
    assert sorted(event for event, _ in boot.events) == [1, 2, 3, 4]


def test_two_boots_within_minutes_are_two() -> None:
    # Catches: grouping by time alone: updates start a machine twice in two minutes.
    entries: list[tuple[int, Sign]] = []
    for at in (HOUR, HOUR + 90 * SECOND):
        entries += [(at, "kernel_start"), (at + SECOND, "4608"), (at + 2 * SECOND, "6005")]
    assert starts(*entries) == [None, HOUR, HOUR + 90 * SECOND]


def test_boots_are_told_apart_by_each_kind_of_sign() -> None:
    # Catches: a sign that comes twice, out of its order, behind a stop or hours later taken into the boot before.
    assert starts((HOUR, "4608"), (HOUR + MINUTE, "4608")) == [None, HOUR, HOUR + MINUTE]
    assert starts(
        (HOUR, "first_process"), (HOUR + SECOND, "4608"), (HOUR + MINUTE, "first_process"), (HOUR + 2 * MINUTE, "4608")
    ) == [None, HOUR, HOUR + MINUTE]
    assert starts((HOUR, "4608"), (HOUR + MINUTE, "6006"), (HOUR + 2 * MINUTE, "6005")) == [
        None,
        HOUR,
        HOUR + 2 * MINUTE,
    ]
    assert starts((HOUR, "4608"), (HOUR + 20 * MINUTE, "6005")) == [None, HOUR, HOUR + 20 * MINUTE]


def test_copies_of_a_sign_are_one_boot() -> None:
    # Catches: a boot for each copy of the log.
    (sign,) = signs((HOUR, "4608"))
    copy = BootSign(sign.host, sign.key, sign.record, 2, sign.sign)
    _, boot = Boots([sign, copy]).of("ws")
    assert sorted(event for event, _ in boot.events) == [1, 2]


def test_restart_of_the_log_service_is_no_boot() -> None:
    # Catches: lineage broken by whoever stops and starts the log service, and its stop told as a shutdown.
    boots = Boots(
        signs(
            (HOUR, "kernel_start"),
            (HOUR + MINUTE, "6005"),
            (2 * HOUR, "6006"),
            (2 * HOUR + MINUTE, "6009"),
            (2 * HOUR + MINUTE, "6005"),
            (3 * HOUR, "kernel_start"),
        )
    ).of("ws")
    assert [boot.started for boot in boots] == [None, HOUR, 3 * HOUR]
    assert boots[1].end_method == "restart"


def test_log_service_alone_tells_of_boots_where_nothing_better_does() -> None:
    # Catches: Windows before 7, which writes no Kernel-General 12, without any boot.
    assert starts((HOUR, "6009"), (HOUR, "6005"), (3 * HOUR, "6009"), (3 * HOUR, "6005")) == [None, HOUR, 3 * HOUR]


def test_first_processes_belong_to_the_boot_that_the_security_log_names_after_them() -> None:
    # Catches: smss.exe, which starts before 4608 is written, left in the boot before.
    assert starts((HOUR, "first_process"), (HOUR + SECOND, "first_process"), (HOUR + 9 * SECOND, "4608")) == [
        None,
        HOUR,
    ]


def test_how_a_boot_ended() -> None:
    # Catches: the log service's stop preferred to the kernel's; a crash told as a shutdown.
    boots = Boots(
        signs(
            (HOUR, "kernel_start"),
            (2 * HOUR + SECOND, "kernel_stop"),
            (2 * HOUR + 2 * SECOND, "6006"),
            (3 * HOUR, "kernel_start"),
            (3 * HOUR + MINUTE, "6006"),
            (4 * HOUR, "kernel_start"),
            (4 * HOUR + MINUTE, "6008"),
            (4 * HOUR + MINUTE, "6005"),
        )
    ).of("ws")
    assert [(boot.ended, boot.end_method) for boot in boots[1:]] == [
        (2 * HOUR + SECOND, "shutdown"),
        (4 * HOUR, "unexpected"),
        (None, None),
    ]


def test_eras_order_boots() -> None:
    # Catches: boots ordered by time where the clock was set back in between.
    found = Boots([BootSign("ws", (0, 5 * HOUR), 1, 1, "4608"), BootSign("ws", (1, 2 * HOUR), 2, 2, "4608")]).of("ws")
    assert [boot.started for boot in found] == [None, 5 * HOUR, 2 * HOUR]
    walk = Walk(found)
    assert [walk.passes(key) and walk.boot.number for key in ((0, 6 * HOUR), (1, HOUR), (1, 3 * HOUR))] == [1, False, 2]
