"""The closed vocabulary of what happens: the words of the trail, of the log and of metrics, and nothing else.

Each event of the trail and each alert has one of these words as its `action`. tests/domain/test_vocabulary.py reads the
sources and fails for a word that is not here, and for one that nobody says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ACTIONS: Final[Mapping[str, str]] = {
    # a rotation's way
    "begin": "a rotation was opened",
    "phase": "a rotation entered a phase",
    "emergency joins": "an emergency took an open rotation over and goes on with it",
    "superseded": "an emergency ended an open rotation and opened another one",
    # effects at a provider, each an intent and an outcome
    "mint": "one new key",
    "contain": "an exposed key disabled before there is a new one",
    "disable": "an old key disabled",
    "delete": "an old key deleted",
    "clean up": "a key of a smaller fence, which nobody holds, deleted",
    "make room": "a key that no store holds deleted, because the cap was reached",
    "withdraw": "the new key of a rotation that goes back deleted",
    "empty slot": "a slot given a fresh fingerprint, so that a late mint no longer matches",
    "sweep": "a stray of this rotation deleted",
    "revoke": "a key killed without a successor",
    "revoke orphan": "an orphan that was seen twice deleted",
    # effects at a store, each an intent and an outcome
    "open escrow": "tried whether the escrow accepts a write",
    "save in escrow": "the new value saved where no consumer reads",
    "keep previous": "an old value saved until its key is proven dead",
    "stage": "the new value copied to a store's pending place",
    "promote": "the new value made the one that consumers read",
    "finish promotion": "a promotion that an emergency interrupted brought to its end",
    "put back": "the old value written again as a new version",
    "rewrite": "the current value written again, so that a stalled promotion cannot land, or what is there is known",
    "mend": "the reconciler writes a credential's current key",
    "mended": "a store holds the current key again",
    "drop pending": "a pending value removed",
    "drop value": "a value that is no longer needed removed",
    # consumers, each an intent and an outcome
    "tell": "a consumer told that the value changed",
    # what was seen
    "proven": "an old key is dead",
    "cannot contain": "the provider cannot disable a key",
    "written again": "nobody could tell which key a store that cannot be read holds, so it was overwritten",
    "not kept yet": "no store takes an exposed key's value now; it is contained all the same",
    "another installation": "a store holds a pending value of another installation of the rotator",
    "left behind": "a store takes no part in this emergency any more",
    "foreign value stays": "a value nobody here wrote was left alone on the way back",
    "stray in use": "a stray was left alone, because somebody has it as current",
    "asked for a key": "the credential's key is one that a person makes, and now it is waited for",
    "handed over": "a key that a person made was taken up",
    "handed over and not taken": "a key that a person made was refused, and still lives",
    "acknowledgement refused": "a consumer's proof that it has the new key was none",
    "stranger's use": "an old key is used although every consumer has acknowledged the new one",
    # people's words
    "adopt": "a key that was there was taken over",
    "hold": "a credential's rotations stop until released",
    "release": "a held credential goes on",
    "resume": "a parked rotation goes on",
    "rollback": "a rotation goes back to the old key",
    "provide": "a person handed a key over",
    "acknowledge": "a consumer proved that it has the new key",
    "rebuild": "the journal was made again from the world",
    "restore": "a rotation that only the world remembered was entered",
    # alerts
    "adopted": "an adoption found other living keys",
    "reconciled": "the reconciler found something",
    "foreign value": "a store holds a value that nobody here wrote",
    "needs a key": "a person has to make one",
    "exposed until a person acts": "the same in an emergency",
    "consumer not told": "a consumer could not be told and is told again",
    "overlap over": "an old key is still used at the end of the longest overlap",
    "lease over": "a claim was too old to begin an effect; what was looked at is looked at again",
    "journal older than the world": "nothing is claimed and nothing revoked until it is rebuilt",
    # the log's own
    "checkpoint": "the trail was closed into a signed checkpoint; its head, for `rotator log verify --head`",
}
"""What each word means."""
