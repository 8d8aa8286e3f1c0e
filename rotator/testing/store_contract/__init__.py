"""What every store's driver must do, as tests to inherit. They run on the driver's real server, through the codec.

    class TestMine(StoreContract):
        @pytest.fixture
        def store(self) -> Store: ...            # the driver, on an empty store
        @pytest.fixture
        def colleague(self) -> Colleague: ...    # somebody else who reads and writes there, without the rotator

Two more may be given: `lose_answer`, without which those tests are skipped, and `REFUSED`, the names of the values in
`VALUES` that the store cannot hold and refuses.
"""

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("documents", "places", "together")))

from rotator.testing.store_contract.documents import Documents  # noqa: E402 - only what is registered is rewritten
from rotator.testing.store_contract.given import Colleague, LoseAnswer  # noqa: E402
from rotator.testing.store_contract.places import Places  # noqa: E402
from rotator.testing.store_contract.together import Together  # noqa: E402
from rotator.testing.store_contract.values import VALUES  # noqa: E402
from rotator.testing.store_contract.watching import at_once, secret_free  # noqa: E402

__all__ = ["VALUES", "Colleague", "LoseAnswer", "StoreContract", "at_once", "secret_free"]


class StoreContract(Places, Documents, Together):
    """For every store that can be read. Each test begins with an empty one."""
