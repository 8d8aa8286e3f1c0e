"""`rotator find`: a planted key is found wherever and however it is planted, and no output ever holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from rotator.adapters.finding.looked import Bounds
from rotator.adapters.finding.looking import Looking
from rotator.testing.keyserver import Keyserver
from tests.cli.planting import PACKINGS, TEXTS, docker_save, oci_layout, tar, zipped
from tests.cli.scene import NAME, Answer, Scene, make
from tests.journal.places import as_nobody, open_directory

pytestmark = pytest.mark.stand_in("API provider: keyserver")
STRANGE = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" + "zzYx"


@pytest.fixture
def known(scene: Scene) -> Scene:
    """The journal knows the key."""
    assert scene.say("adopt", NAME).code == 0
    return scene


def unsaid(scene: Scene, answer: Answer) -> None:
    """No value in what was said, nor most of one."""
    for value in (scene.published(), STRANGE):
        assert value[:12] not in answer.out + answer.err
        assert value[8:20] not in answer.out + answer.err


def plant(scene: Scene, name: str, data: bytes | str) -> Path:
    path = scene.folder / "planted" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


# -- managed keys ------------------------------------------------------------------------------------------------------


def test_a_key_in_a_dotenv_file_is_named_with_its_line_its_id_and_what_to_do(known: Scene) -> None:
    path = plant(known, ".env", f"A=1\n\nAPI_KEY={known.published()}\n")
    answer = known.say("find", str(path))
    assert answer.code == 1
    head, row, *_ = answer.out.splitlines()
    assert head.split() == ["where", "credential", "key", "state", "next"]
    assert row.split("  ")[0] == f"{path}:3"
    assert "llm-prod    key-1  current, alive  rotate llm-prod --assume-compromise" in row
    assert answer.out.splitlines()[-1].startswith("looked at 1 file, ")
    unsaid(known, answer)


def test_the_object_of_json(known: Scene) -> None:
    path = plant(known, "app.tar", tar({"etc/app.json": json.dumps({"k": known.published()}).encode()}))
    data = known.json("find", str(path))
    assert data == {
        "found": [
            {
                "path": str(path),
                "members": ["etc/app.json"],
                "line": 1,
                "byte": None,
                "times": 1,
                "credential": NAME,
                "provider": "ks",
                "key_id": "key-1",
                "state": "current",
                "alive": True,
                "dead_at": None,
                "next": f"rotate {NAME} --assume-compromise",
            }
        ],
        "unmanaged": [],
        "looked_at": {
            "files": 1,
            "members": 1,
            "processes": 0,
            "bytes": data["looked_at"]["bytes"],
            "links_not_followed": 0,
            "special_files": 0,
        },
        "not_looked_at": [],
        "not_compared": [],
        "complete": True,
    }
    assert data["looked_at"]["bytes"] == len(json.dumps({"k": known.published()}))


@pytest.mark.parametrize("text", TEXTS)
def test_a_key_is_found_however_it_is_written(text: str, known: Scene) -> None:
    path = plant(known, "file", TEXTS[text](known.published()))
    answer = known.say("find", str(path))
    assert answer.code == 1, answer.out
    assert f"  {NAME}    key-1  " in answer.out
    unsaid(known, answer)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_key_is_found_however_it_is_packed(packing: str, known: Scene) -> None:
    data = PACKINGS[packing](f"A=1\nAPI_KEY={known.published()}\n".encode())
    path = plant(known, "file", data)
    answer = known.say("find", str(path))
    assert answer.code == 1, answer.out
    assert f"  {NAME}    key-1  " in answer.out
    unsaid(known, answer)


def test_a_file_that_a_later_layer_deletes_is_found_in_the_layer_that_has_it(known: Scene) -> None:
    layers = [
        tar({"app/.env": f"API_KEY={known.published()}\n".encode()}, "w:gz"),
        tar({"app/.wh..env": b"", "app/main.py": b"print()\n"}, "w:gz"),
    ]
    files = oci_layout(layers, ["PATH=/usr/bin"])
    for name, data in files.items():
        plant(known, f"image/{name}", data)
    found = known.json("find", str(known.folder / "planted"))["found"]
    (blob,) = (name for name, data in files.items() if data == layers[0])
    assert [(each["path"], each["members"]) for each in found] == [
        (str(known.folder / "planted" / "image" / blob), ["app/.env"])
    ]
    saved = plant(known, "saved.tar", docker_save([tar({"app/.env": f"K={known.published()}\n".encode()})]))
    found = known.json("find", str(saved))["found"]
    assert [each["members"][1:] for each in found] == [["app/.env"]]


def test_a_key_in_an_images_environment_is_found(known: Scene) -> None:
    path = plant(known, "image.tar", tar(oci_layout([tar({"x": b"y"}, "w:gz")], [f"API_KEY={known.published()}"])))
    assert [each["credential"] for each in known.json("find", str(path))["found"]] == [NAME]


def test_a_running_process_that_has_the_key_is_found_and_by_ps_too(known: Scene) -> None:
    environment = {**known.environment(), "API_KEY": known.published(), "QUOTED": 'a "b'}
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment)
    try:
        found = known.json("find", f"/proc/{sleeper.pid}")
        assert [each["path"] for each in found["found"]] == [f"/proc/{sleeper.pid}/environ"]
        assert found["looked_at"]["processes"] == 1
        environ = Path(f"/proc/{sleeper.pid}/environ").read_bytes()
        (line,) = (number for number, each in enumerate(environ.split(b"\0"), 1) if each.startswith(b"API_KEY="))
        assert found["found"][0]["line"] == line
        everything = known.json("find", "/proc")
        assert f"/proc/{sleeper.pid}/environ" in [each["path"] for each in everything["found"]]
    finally:
        sleeper.communicate(b"\n")
    text = environ.replace(b"\0", b" ").decode()
    answer = known.say("find", "-", stdin=f"  PID TTY\n  17 ?  Ss  0:00 /usr/bin/app {text}\n")
    assert answer.code == 1
    assert answer.out.splitlines()[1].startswith("-:2  ")
    unsaid(known, answer)


def test_an_old_key_is_told_with_its_death_and_nothing_is_to_be_done(known: Scene) -> None:
    old = known.published()
    known.policy(overlap="0s")
    assert known.say("rotate", NAME, "--wait").code == 0
    path = plant(known, "old", f"{old}\n{known.published()}\n")
    first, second = known.json("find", str(path))["found"]
    assert (first["key_id"], first["state"], first["alive"], first["next"]) == ("key-1", "old", False, None)
    assert first["dead_at"] is not None
    assert (second["key_id"], second["state"], second["alive"]) == ("key-2", "current", True)
    assert "old, dead since 20" in known.say("find", str(path)).out


def test_an_old_key_that_still_lives_is_to_be_replaced(known: Scene) -> None:
    old = known.published()
    known.policy(overlap="1h", max_overlap="2h")
    assert known.say("rotate", NAME).code == 0
    (found,) = known.json("find", str(plant(known, "old", old)))["found"]
    assert (found["key_id"], found["state"], found["alive"]) == ("key-1", "old", True)
    assert found["next"] == f"rotate {NAME} --assume-compromise"


def test_lines_that_repeat_a_key_are_counted(known: Scene) -> None:
    path = plant(known, "log", "".join(f"{n} key={known.published()}\n" for n in range(50)))
    (found,) = known.json("find", str(path))["found"]
    assert (found["line"], found["times"]) == (1, 50)
    assert f"{path}:1 (and 49 more)" in known.say("find", str(path)).out


def test_a_credential_that_the_config_no_longer_has_is_still_known(known: Scene) -> None:
    value = known.published()
    known.rewrite(credentials={})
    (found,) = known.json("find", str(plant(known, "x", value)))["found"]
    assert found["credential"] == NAME
    assert found["next"] == "revoke it by hand: the config has no such credential any more"


# -- a laptop with nothing but the config ------------------------------------------------------------------------------


def test_where_the_journal_knows_nothing_the_stores_are_read(scene: Scene) -> None:
    path = plant(scene, "x", f"key: {scene.published()}\n")
    (found,) = scene.json("find", str(path))["found"]
    assert (found["credential"], found["key_id"], found["state"], found["alive"]) == (NAME, None, "current", None)
    assert not (scene.folder / "rotator.db").exists()
    answer = scene.say("find", str(path))
    assert "current, by a store" in answer.out
    unsaid(scene, answer)


def test_where_the_journal_knows_it_no_store_and_no_provider_is_asked(known: Scene) -> None:
    path = plant(known, "x", known.published())
    (known.folder / "store" / f"{NAME}.json").unlink()
    before = len(list(known.keyserver.log))
    assert known.say("find", str(path)).code == 1
    assert len(list(known.keyserver.log)) == before


def test_a_store_that_does_not_answer_is_named_and_the_exit_code_is_3(scene: Scene) -> None:
    path = plant(scene, "x", scene.published())
    (scene.folder / "store" / f"{NAME}.json").write_text("{")
    answer = scene.say("find", str(path))
    assert answer.code == 3
    assert f"not compared with what files:{NAME}.json holds: " in answer.out
    data = scene.json("find", str(path))
    assert data["complete"] is False
    assert [each["what"] for each in data["not_compared"]] == [f"files:{NAME}.json"]


def test_a_journal_that_cannot_be_read_is_named_and_the_stores_are_read(known: Scene) -> None:
    (known.folder / "rotator.db").write_text("this is no database, and longer than its header would be" * 20)
    path = plant(known, "x", known.published())
    data = known.json("find", str(path))
    assert [each["credential"] for each in data["found"]] == [NAME]
    assert [each["what"] for each in data["not_compared"]] == ["the journal"]


def test_the_password_of_a_url_that_a_store_holds_is_found_by_itself(tmp_path: Path, keyserver: Keyserver) -> None:
    scene = make(tmp_path, keyserver)
    field = "https://agent:{secret}@api.internal/v1"
    scene.credential(publish=[{"store": "files", "ref": f"{NAME}.json", "fields": {"URL": field}}])
    value = scene.published()
    document = scene.folder / "store" / f"{NAME}.json"
    document.write_text(json.dumps({"URL": field.replace("{secret}", value)}))
    found = scene.json("find", str(plant(scene, "x", f"token={value}")), str(document))["found"]
    assert [each["credential"] for each in found] == [NAME, NAME]


# -- keys of nobody here -----------------------------------------------------------------------------------------------


def test_a_key_that_nobody_here_manages_is_told_by_its_form_with_where_to_revoke_it(known: Scene) -> None:
    path = plant(known, "x.py", f'client = OpenAI(api_key="{STRANGE}")\n')
    data = known.json("find", str(path))
    assert data["found"] == []
    (stranger,) = data["unmanaged"]
    assert (stranger["vendor"], stranger["driver"], stranger["hint"], stranger["line"]) == (
        "OpenAI",
        "openai",
        "…zzYx",
        1,
    )
    assert stranger["revoke"] == "https://platform.openai.com/api-keys"
    assert stranger["source"].startswith("https://platform.openai.com/docs/")
    answer = known.say("find", str(path))
    assert answer.code == 1
    assert "1 key that no credential here has, by the form:" in answer.out
    unsaid(known, answer)


def test_a_strangers_key_in_base64_is_told_too(known: Scene) -> None:
    path = plant(known, "x.yaml", TEXTS["a Kubernetes Secret"](STRANGE))
    assert [each["vendor"] for each in known.json("find", str(path))["unmanaged"]] == ["OpenAI"]


def test_a_managed_password_in_a_login_is_no_strangers_login(known: Scene) -> None:
    path = plant(known, "x", f"redis://app:{known.published()}@cache.internal/0\n")
    data = known.json("find", str(path))
    assert (len(data["found"]), data["unmanaged"]) == (1, [])


@pytest.mark.parametrize(
    "line",
    ["redis://app:$PASSWORD@cache/0", "postgresql://app:${DB_PASSWORD}@db/x", "amqp://u:<password>@h/", "x://u:***@h"],
)
def test_a_placeholder_is_no_key(line: str, known: Scene) -> None:
    assert known.say("find", str(plant(known, "x", line))).code == 0


def test_of_a_strangers_login_nothing_is_shown(known: Scene) -> None:
    answer = known.say("find", str(plant(known, "x", "mysql://app:correcthorse@db.internal/app\n")))
    assert answer.code == 1
    assert "MySQL" in answer.out
    assert "correcthorse" not in answer.out
    assert "internal/app" not in answer.out


# -- what was not seen -------------------------------------------------------------------------------------------------


def test_nothing_found_is_said_with_what_was_looked_at_and_is_not_called_safe(known: Scene) -> None:
    plant(known, "a/b.txt", "nothing here\n")
    (known.folder / "planted" / "link").symlink_to(known.folder / "store")
    os.mkfifo(known.folder / "planted" / "pipe")
    answer = known.say("find", str(known.folder / "planted"))
    assert answer.code == 0
    first, *rest = answer.out.splitlines()
    assert first == "looked at 1 file, 13 bytes unpacked, 1 link not followed, 1 neither file nor directory"
    assert rest[0] == "no key found"
    assert rest[1].startswith("that is not the same as none there: ")


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_looked_at(known: Scene) -> None:
    path = plant(known, "x", known.published())
    answer = known.say("find", f"/proc/{os.getpid()}/mem", str(path))
    assert answer.code == 3
    assert f"not looked at: /proc/{os.getpid()}/mem: input/output error" in answer.out
    assert f"  {NAME}    key-1  " in answer.out


def test_a_directory_and_a_file_that_may_not_be_read_are_named() -> None:
    with open_directory() as folder:
        (folder / "closed").mkdir()
        (folder / "key").write_text("x")
        for name in ("closed", "key"):
            (folder / name).chmod(0)
        looking = Looking()
        with as_nobody():
            assert list(looking.at_path(str(folder))) == []
        (folder / "closed").chmod(0o700)
        assert looking.looked.missed == {
            str(folder / "closed"): "it may not be read",
            str(folder / "key"): "it may not be read",
        }


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x28\xb5\x2f\xfd" + bytes(100), "it is compressed with zstd: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "it is a 7z archive: unpack it first"),
        (PACKINGS["tar.gz"](b"x" * 5000)[:-20], "it is damaged"),
        (PACKINGS["xz"](b"x" * 5000)[:-20], "it is damaged"),
        (PACKINGS["zip"](b"x" * 5000)[:-30], "it is damaged"),
        (PACKINGS["bz2"](b"xyz" * 5000)[:40], "it is damaged"),
        (b"\x1f\x8b\x08" + b"\xff" * 50, "it is damaged"),
    ],
    ids=["zstd", "7z", "tar.gz", "xz", "zip", "bz2", "gz"],
)
def test_what_cannot_be_unpacked_is_named_and_the_rest_is_looked_at(data: bytes, why: str, known: Scene) -> None:
    plant(known, "a", data)
    plant(known, "b", known.published())
    answer = known.say("find", str(known.folder / "planted"))
    assert answer.code == 3
    assert f"not looked at: {known.folder / 'planted' / 'a'}: {why}" in answer.out
    assert f"  {NAME}    key-1  " in answer.out


def test_an_encrypted_zip_is_named(known: Scene) -> None:
    whole = bytearray(zipped({"in": known.published().encode()}))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(magic) + at] |= 1
    path = plant(known, "x.zip", bytes(whole))
    answer = known.say("find", str(path))
    assert answer.code == 3
    assert f"not looked at: {path}!in: it is encrypted" in answer.out


def test_archives_too_deep_in_each_other_are_named(known: Scene) -> None:
    data = known.published().encode()
    for _ in range(12):
        data = tar({"x": data})
    answer = known.say("find", str(plant(known, "deep", data)))
    assert answer.code == 3
    assert "it lies more than 10 archives deep" in answer.out


def test_a_member_that_unpacks_to_more_than_anybody_has_is_cut_and_named(known: Scene) -> None:
    looking = Looking(Bounds(file=100_000))
    path = plant(known, "bomb.gz", PACKINGS["gz"](bytes(10_000_000)))
    assert list(looking.at_path(str(path))) == []
    assert looking.looked.missed == {str(path): "only its first 0 MiB were looked at"}
    assert looking.looked.bytes < 1_000_000


def test_names_from_an_archive_are_shown_without_control_characters(known: Scene) -> None:
    path = plant(known, "x.tar", tar({"a\x1b[2J\nb": known.published().encode()}))
    answer = known.say("find", str(path))
    assert answer.code == 1
    assert "\x1b" not in answer.out
    assert f"{path}!a·[2J·b:1" in answer.out


def test_a_tar_whose_header_would_fill_the_memory_is_refused(known: Scene) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    path = plant(known, "x.tar", info.tobuf(tarfile.GNU_FORMAT) + b"x" * 10240)
    answer = known.say("find", str(path))
    assert answer.code == 3
    assert f"not looked at: {path}: it is damaged" in answer.out


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["none"], ["rotator: there is no none", "hint: name a file or a directory, or - for standard input"]),
        (["-", "-"], ["rotator: - is given twice", "hint: there is one standard input"]),
        (["/dev/null"], ["rotator: /dev/null cannot be looked at: it is neither a file nor a directory",
                         "hint: look as somebody who may read it"]),
        (["x", ""], ["rotator: an empty word is given as PATH", "hint: is a variable not set?"]),
    ],
    ids=["missing", "twice", "device", "empty"],
)  # fmt: skip
def test_bad_input_is_told_in_two_lines(words: list[str], lines: list[str], known: Scene) -> None:
    (known.folder / "x").write_text("x")
    answer = known.say("find", *words)
    assert (answer.code, answer.out, answer.lines) == (2, "", lines)


def test_without_the_installations_key_nothing_can_be_compared(known: Scene) -> None:
    (known.folder / "installation.key").unlink()
    answer = known.say("find", str(plant(known, "x", "x")))
    assert answer.code == 2
    assert len(answer.lines) == 2


def test_a_real_process_says_the_same(known: Scene) -> None:
    answer = known.run("find", "-", stdin=f"x={known.published()}\n", timeout=240)
    assert answer.code == 1
    assert "-:1  " in answer.out
    unsaid(known, answer)


def test_standard_input_is_read_to_its_end_however_long_it_is(known: Scene) -> None:
    answer = known.run("find", "-", stdin="x y z\n" * 1_000_000 + known.published() + "\n", timeout=240)
    assert answer.code == 1, answer.err
    assert "-:1000001" in answer.out
    unsaid(known, answer)
