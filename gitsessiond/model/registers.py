"""Whole-file facts: what a path is called, its mode, its content where lines mean nothing.

Each such register of a file is a stack of :class:`Fact`, oldest first, over the value it has in the base. A
write over another owner's value makes the writer depend on that owner, so the value of a set of owners closed
under dependencies is the last fact that one of them wrote (docs/ownership.md, "Whole-file facts").
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Generic, NamedTuple, TypeVar

from gitsessiond.model.values import BASE, UNASSIGNED, is_unassigned

Value = TypeVar("Value")


class Fact(NamedTuple, Generic[Value]):
    """One write of a register. ``ins_in``: bit i is set when chain commit i holds this write."""

    owner: str
    value: Value
    ins_in: int = 0


class Everyone:
    """The set of all owners: what the disk shows."""

    def __contains__(self, owner: object) -> bool:
        return True


EVERYONE: Container[str] = Everyone()


def counts(owner: str, owners: Container[str]) -> bool:
    """Whether an owner is of a set; UNASSIGNED in the set stands for every unassigned label."""
    return owner in owners or (is_unassigned(owner) and UNASSIGNED in owners)


def same_layer(one: str, other: str) -> bool:
    """Whether two owners are one: the same patch, or both nobody's."""
    return one == other or (is_unassigned(one) and is_unassigned(other))


def held(
    stack: tuple[Fact[Value], ...], base: Value, owners: Container[str] = EVERYONE, bit: int | None = None
) -> Value:
    """The register's value for a set of owners, now or as chain commit ``bit`` holds it."""
    for fact in reversed(stack):
        if (bit is None or fact.ins_in >> bit & 1) and counts(fact.owner, owners):
            return fact.value
    return base


def top_owner(stack: tuple[Fact[Value], ...]) -> str:
    """Who wrote the value of now; BASE if nobody did."""
    return stack[-1].owner if stack else BASE


def under_top(stack: tuple[Fact[Value], ...], base: Value) -> Value:
    """The value before the last owner's writes: what undoing that owner would show."""
    left = list(stack)
    while left and same_layer(left[-1].owner, stack[-1].owner):
        left.pop()
    return left[-1].value if left else base


def written(stack: tuple[Fact[Value], ...], base: Value, owner: str, value: Value) -> tuple[Fact[Value], ...]:
    """The stack after ``owner`` wrote ``value``.

    An owner's own last write is replaced unless a chain commit holds it; unassigned writes keep the first
    reason. A write of what is beneath leaves no fact.
    """
    left = list(stack)
    label = owner
    while left and same_layer(left[-1].owner, owner) and not left[-1].ins_in:
        label = left.pop().owner
    if (left[-1].value if left else base) != value:
        left.append(Fact(label, value))
    return tuple(left)


def without(
    stack: tuple[Fact[Value], ...], base: Value, gone: Callable[[Fact[Value]], bool]
) -> tuple[Fact[Value], ...]:
    """The stack without some facts, and without the ones that then write what is already there."""
    return settled(tuple(fact for fact in stack if not gone(fact)), base)


def settled(stack: tuple[Fact[Value], ...], base: Value) -> tuple[Fact[Value], ...]:
    """The stack without writes that change nothing, or that their owner replaced before any commit."""
    left: list[Fact[Value]] = []
    for fact in stack:
        while left and not left[-1].ins_in and same_layer(left[-1].owner, fact.owner):
            left.pop()
        if fact.ins_in or (left[-1].value if left else base) != fact.value:
            left.append(fact)
    return tuple(left)


def relabelled(
    stack: tuple[Fact[Value], ...], base: Value, select: Callable[[Fact[Value]], bool], to: str
) -> tuple[Fact[Value], ...]:
    """The stack with the selected facts given to another owner."""
    return settled(tuple(fact._replace(owner=to) if select(fact) else fact for fact in stack), base)


def moved_bits(stack: tuple[Fact[Value], ...], bits: Mapping[int, int]) -> tuple[Fact[Value], ...]:
    """The stack with chain positions renumbered; a position that is not in ``bits`` left the chain."""
    return tuple(fact._replace(ins_in=moved(fact.ins_in, bits)) for fact in stack)


def moved(mask: int, bits: Mapping[int, int]) -> int:
    """A mask of chain positions, renumbered."""
    if mask <= 0:
        return mask
    return sum(1 << new for old, new in bits.items() if mask >> old & 1)


def committed(
    stack: tuple[Fact[Value], ...], base: Value, bit: int, value: Value, owner: Callable[[], str]
) -> tuple[tuple[Fact[Value], ...], bool]:
    """Note what chain commit ``bit`` holds; the second value: whether that was a write never seen before.

    A write of the stack with that value: it and all beneath are in the commit; the base's value: none is.
    Else a new write by ``owner()``, above the ones the commit before held, and above it the value of now
    again (what the commit did not take).
    """
    stack = tuple(fact._replace(ins_in=fact.ins_in & ~(1 << bit)) for fact in stack)
    for at in range(len(stack) - 1, -1, -1):
        if stack[at].value == value:
            marked = [f._replace(ins_in=f.ins_in | 1 << bit) if i <= at else f for i, f in enumerate(stack)]
            return tuple(marked), False
    if value == base:
        return stack, False
    before = held(stack, base)
    kept = tuple(
        fact._replace(ins_in=fact.ins_in | 1 << bit) if bit and fact.ins_in >> (bit - 1) & 1 else fact for fact in stack
    )
    who = owner()
    at = len(kept)
    while at and not kept[at - 1].ins_in:
        at -= 1
        if kept[at].owner == who:  # the commit counts as a write before this one
            return (*kept[:at], Fact(who, value, 1 << bit), *kept[at:]), True
    out = (*kept, Fact(who, value, 1 << bit))
    return (*out, Fact(who, before)) if before != value else out, True
