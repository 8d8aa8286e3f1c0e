"""What every journal must do, as tests: inherit `JournalContract` and give it a fixture `journal`.

    class TestMyJournal(JournalContract):
        @pytest.fixture
        def journal(self) -> Iterator[Journal]:
            yield a fresh and empty journal that signs with `SIGNER`

The times are fixed: a journal whose clock is its database's is told them (`now`, and for `begin` when it started).
Every method is called twice, from many threads at the same moment, and once more after its answer was lost.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in ("beginning", "claims", "commits", "credentials", "figures", "looking", "requests", "trail")
    )
)

from rotator.testing.journal_contract.beginning import Beginning  # noqa: E402 - only what is registered is rewritten
from rotator.testing.journal_contract.claims import Claims  # noqa: E402
from rotator.testing.journal_contract.commits import Commits  # noqa: E402
from rotator.testing.journal_contract.credentials import Credentials  # noqa: E402
from rotator.testing.journal_contract.figures import InNumbers  # noqa: E402
from rotator.testing.journal_contract.looking import ForWhoLooks  # noqa: E402
from rotator.testing.journal_contract.requests import Requests  # noqa: E402
from rotator.testing.journal_contract.trail import Trail  # noqa: E402
from rotator.testing.journal_contract.values import SIGNER  # noqa: E402

__all__ = ["SIGNER", "JournalContract"]


class JournalContract(Beginning, Claims, Commits, Requests, Credentials, Trail, InNumbers, ForWhoLooks):
    """The contract of `rotator.ports.Journal`, and of `Accounts` and `Overview` where the journal has them."""
