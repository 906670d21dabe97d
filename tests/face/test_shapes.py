"""Properties of redaction over made-up values, and its time on hostile ones."""

from __future__ import annotations

import string
import time

import hand_made
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from planted import plant

from qqdiag.errors import LeakRefused
from qqdiag.model import FreeText, Name, Secret, User
from qqdiag.redact import public
from qqdiag.redact.private_values import Private
from qqdiag.redact.pseudonyms import canonical, scope
from qqdiag.redact.publisher import Publisher
from qqdiag.redact.selfcheck import check, rendered
from qqdiag.redact.shown import show, show_raw
from qqdiag.render import markdown, terminal

IDENTIFIERS = st.from_regex(r"[a-z]{2,9}(_[a-z]{2,9}){0,3}", fullmatch=True)
SECRETS = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40)
NEIGHBOURS = st.text(string.printable, max_size=20)


@given(st.text(max_size=600))
def test_shown_text_is_printable_ascii_and_bounded(text: str) -> None:
    shown = show(text)
    assert all(" " <= character <= "~" for character in shown)
    assert len(shown) <= 400
    assert show(shown) == shown


@given(st.text(max_size=600))
def test_raw_text_is_printable(text: str) -> None:
    assert str.__str__(show_raw(text)).isprintable()


@given(st.lists(IDENTIFIERS, min_size=1, max_size=4))
def test_names_that_people_write_stay(parts: list[str]) -> None:
    name = ".".join(parts)
    assert Publisher().text(Name(name)) == name


@given(st.text(max_size=300))
@example("/site-packages/\n.py")
@example("<frozen " + "a" * 200 + ">")
def test_a_code_path_is_one_or_nothing(path: str) -> None:
    shown = public.code_path(path)
    assert shown is None or (len(shown) < 400 and all("!" <= character <= "~" for character in shown))


@given(SECRETS, NEIGHBOURS, NEIGHBOURS)
def test_a_secret_is_found_between_any_neighbours(secret: str, before: str, behind: str) -> None:
    blank = "".join(character for character in before + behind if character not in secret)
    with pytest.raises(LeakRefused):
        check(f"{before}{secret}{behind}", blank, [Private(secret, "Secret", "x")])


@given(st.lists(st.text(min_size=1), min_size=2, max_size=10, unique=True))
def test_different_values_have_different_names(values: list[str]) -> None:
    publisher = Publisher()
    shown = [publisher.text(User(value)) for value in values]
    assert len(set(shown)) == len(values)
    assert shown == [publisher.text(User(value)) for value in values]


@given(st.ip_addresses())
def test_an_address_keeps_its_scope_alone(address: object) -> None:
    ip = canonical(str(address))
    assert ip is not None
    shown = Publisher().names.address(str(address))
    assert shown == str(ip) if ip.is_loopback else shown in ("any", f"{scope(ip)}-1")


HOSTILE = [
    "API_KEY_" * 12_500 + "=x",
    "a." * 50_000,
    "." * 100_000 + "token=",
    "`" * 100_000,
    "/" * 100_000 + ".py",
    "<" * 100_000,
    "a" * 100_000,
    "0" * 100_000,
    "aA0" * 33_000,
    "\u202e" * 100_000,
    "\x1b[" * 50_000,
    "::ffff:" * 14_000,
    "-" * 100_000,
    " " * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:8]))
def test_a_hostile_text_costs_linear_time(text: str) -> None:
    """In every field of the snapshot at once, in two formats; a quadratic pattern takes minutes."""
    snapshot = plant(hand_made.snapshot(), lambda kind: text)
    diagnosis = hand_made.diagnosis(hand_made.finding())
    started = time.process_time()
    for form in (terminal.text, markdown.text):
        rendered(form, snapshot, diagnosis)
    assert time.process_time() - started < 4


def test_a_megabyte_of_log_costs_little() -> None:
    lines = iter(f"{number} INFO gateway: message {number * 7919} of the day\n" * 20 for number in range(100_000))
    snapshot = plant(hand_made.snapshot(), lambda kind: next(lines) if kind in (FreeText, Secret) else None)
    started = time.process_time()
    rendered(terminal.text, snapshot, hand_made.diagnosis(hand_made.finding()))
    assert time.process_time() - started < 3
