"""Pictures of every page, light and dark, narrow and wide, for people to look at.

    python -m tests.dashboard.shots FOLDER [PART OF A NAME]

Run by hand; a picture is no test.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rotator.testing.keyserver import Behaviour, Keyserver
from tests.api.conftest import Api
from tests.dashboard.conftest import dashboard
from tests.dashboard.rich import BEHIND, INCIDENT, LIVE, STUCK, let_config_wait, rich
from tests.servers import chromium


def paths_of(api: Api) -> dict[str, str]:
    """Every page by a name."""
    rotations = {row.credential: row.id for row in api.assembly.journal.rotations()}
    return {
        "now": "/",
        "credentials": "/credentials",
        "credentials-old": "/credentials?state=too+old",
        "credential": f"/credentials/{STUCK}",
        "credential-behind": f"/credentials/{BEHIND}",
        "rotation-stuck": f"/rotations/{rotations[STUCK]}",
        "rotation-live": f"/rotations/{rotations[LIVE]}",
        "rotation-done": f"/rotations/{rotations['ci-cache']}",
        "fortnight": "/fortnight",
        "incidents": "/incidents",
        "incident": f"/incidents/{INCIDENT}",
        "trail": "/trail",
        "config": "/config",
        "lost": "/nowhere",
    }


def main() -> int:
    """Always 0: they are for looking at."""
    folder, only = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    folder.mkdir(exist_ok=True)
    browser = chromium.start()
    with tempfile.TemporaryDirectory() as scene, Keyserver(Behaviour()) as keyserver:
        made = rich(Path(scene), keyserver)
        with dashboard(made) as api:
            let_config_wait(made, api.assembly)
            headers = {"Authorization": f"Bearer {api.tokens['responder']}"}
            for size in (chromium.NARROW, chromium.WIDE):
                for dark in (False, True):
                    context = browser.context(size=size, dark=dark, headers=headers)
                    page = context.new_page()
                    for name, path in {**paths_of(api), "sign-in": "/sign-in"}.items():
                        if only in name:
                            page.goto(api.url + path, wait_until="networkidle")
                            kind = f"{name}-{size[0]}-{'dark' if dark else 'light'}.png"
                            page.screenshot(path=str(folder / kind), full_page=True)
                    context.close()
    browser.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
