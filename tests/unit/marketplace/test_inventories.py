"""What is installed in an environment, read from its files alone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from swath_marketplace.domain.algorithms import Environment, Resources
from swath_marketplace.domain.inventories import ChangeKind, Inventory, difference
from swath_marketplace.domain.runs import Run
from swath_marketplace.services.inventories import Inventories
from swath_marketplace.store.artifacts import ArtifactDamaged, ArtifactStore
from swath_marketplace.store.environments import EnvironmentRegistry
from swath_marketplace.store.file_hashes import FileHashes, Signature
from swath_marketplace.store.inventories import InventoryStore


def make_environment(folder: Path, **packages: str) -> Environment:
    """A virtual environment with small packages, each of one module."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.9\n")
    site = folder / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    for name, version in packages.items():
        install(site, name, version)
    return Environment(name="eo", title="", lock_sha256="0" * 64, python=str(folder / "bin" / "python"))


def install(site: Path, name: str, version: str) -> None:
    """A package as an installer leaves it."""
    (site / name).mkdir(exist_ok=True)
    (site / name / "__init__.py").write_text(f"version = '{version}'\n")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n")
    (info / "INSTALLER").write_text("uv")
    (info / "direct_url.json").write_text(str(site))
    lines = []
    for path in (f"{name}/__init__.py", f"{info.name}/METADATA"):
        digest = base64.urlsafe_b64encode(hashlib.sha256((site / path).read_bytes()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{(site / path).stat().st_size}")
    lines += [f"{info.name}/RECORD,,", f"../../../bin/{name},sha256=AAAA,1", f"{name}/__pycache__/__init__.pyc,,"]
    (info / "RECORD").write_text("\n".join(lines) + "\n")


def site_of(environment: Environment) -> Path:
    return Path(environment.python).parents[1] / "lib" / "python3.11" / "site-packages"


@pytest.fixture
def store(tmp_path: Path) -> InventoryStore:
    return make_store(tmp_path)


def make_store(tmp_path: Path) -> InventoryStore:
    hashes = FileHashes(tmp_path / "cache" / "hashes.sqlite")
    return InventoryStore(artifacts=ArtifactStore(tmp_path / "artifacts"), hashes=hashes)


def now(store: InventoryStore, environment: Environment) -> Inventory:
    """With a look at every file."""
    return store.read(store.now(environment, after=float("inf")).inventory_sha256)


def test_packages_are_told_with_their_versions(store: InventoryStore, tmp_path: Path) -> None:
    found = now(store, make_environment(tmp_path / "eo", numpy="2.3.4", Foo_Bar="1.0"))
    assert found.packages == {"foo-bar": "1.0", "numpy": "2.3.4"}
    assert found.python == "3.11.9"
    assert found.loose == {}
    assert all(not one.altered for one in found.distributions.values())
    assert Inventory.of_content(found.content()) == found


def test_the_same_files_elsewhere_are_the_same_inventory(store: InventoryStore, tmp_path: Path) -> None:
    first, second = (make_environment(tmp_path / name, numpy="2.3.4") for name in ("eo", "eo@abc"))
    assert store.now(first).inventory_sha256 == store.now(second).inventory_sha256


def test_another_version_is_another_inventory(store: InventoryStore, tmp_path: Path) -> None:
    first = now(store, make_environment(tmp_path / "a", numpy="2.3.4", scipy="1.0"))
    second = now(store, make_environment(tmp_path / "b", numpy="2.4.0", dask="3"))
    changes = difference(first, second)
    assert [str(change) for change in changes] == ["dask 3 was added", "numpy 2.3.4 → 2.4.0", "scipy 1.0 was removed"]
    assert difference(first, first) == ()


def in_place(path: Path) -> None:
    """Other content of the same length, with the times that it had."""
    before = path.stat()
    path.write_text(path.read_text().replace("2.3.4", "6.6.6"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def test_a_package_that_is_changed_in_place_is_another_inventory(store: InventoryStore, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    before = now(store, environment)
    in_place(site_of(environment) / "numpy" / "__init__.py")
    after = now(store, environment)
    (change,) = difference(before, after)
    assert change.kind is ChangeKind.CONTENT
    assert str(change) == "numpy has other content under the same version: numpy/__init__.py"
    assert after.packages == before.packages
    assert now(make_store(tmp_path), environment) == after, "what is remembered is of the file as it is"


def test_a_change_that_also_mends_the_record_is_found(store: InventoryStore, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    before = now(store, environment)
    module = site_of(environment) / "numpy" / "__init__.py"
    in_place(module)
    record = site_of(environment) / "numpy-2.3.4.dist-info" / "RECORD"
    digest = base64.urlsafe_b64encode(hashlib.sha256(module.read_bytes()).digest()).rstrip(b"=").decode()
    record.write_text(f"numpy/__init__.py,sha256={digest},18\n" + record.read_text().partition("\n")[2])
    after = now(store, environment)
    assert [change.name for change in difference(before, after)] == ["numpy"]
    assert not after.distributions["numpy"].altered


@pytest.mark.parametrize("name", ["smuggled.py", "smuggled.pth", "numpy/extra.py", "old.egg-info"])
def test_a_file_of_no_package_is_told(store: InventoryStore, tmp_path: Path, name: str) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    before = now(store, environment)
    (site_of(environment) / name).write_text("import os\n")
    after = now(store, environment)
    assert list(after.loose) == [name]
    assert [(change.name, change.kind) for change in difference(before, after)] == [(name, ChangeKind.ADDED)]


def test_a_removed_module_is_told(store: InventoryStore, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    (site_of(environment) / "numpy" / "__init__.py").unlink()
    assert now(store, environment).distributions["numpy"].altered == ("numpy/__init__.py",)


def test_what_an_installer_does_is_seen_at_once(store: InventoryStore, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    before = store.now(environment)
    assert store.now(environment) == before
    install(site_of(environment), "scipy", "1.0")
    after = store.now(environment)
    assert "scipy" in store.read(after.inventory_sha256).packages


def test_compiled_modules_and_notes_of_the_installer_do_not_count(store: InventoryStore, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "eo", numpy="2.3.4")
    before = now(store, environment)
    cache = site_of(environment) / "numpy" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"x")
    (site_of(environment) / "numpy-2.3.4.dist-info" / "REQUESTED").touch()
    assert now(store, environment) == before


def test_what_cannot_be_read_as_an_inventory(store: InventoryStore, tmp_path: Path) -> None:
    address = ArtifactStore(tmp_path / "artifacts").put(b'{"format": "another"}')
    for digest in (address, "0" * 64):
        with pytest.raises(ArtifactDamaged):
            store.read(digest)


def test_a_file_is_read_once_for_as_long_as_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(b"scene")
    hashes = FileHashes(tmp_path / "hashes.sqlite")
    sha256, signature = hashes.of(path)
    assert sha256 == hashlib.sha256(b"scene").hexdigest()
    hashes.remember({signature: "f" * 64})
    assert hashes.of(path)[0] == "f" * 64, "not read again"
    hashes.close()
    again = FileHashes(tmp_path / "hashes.sqlite")
    assert again.of(path)[0] == "f" * 64, "remembered across a restart"
    path.write_bytes(b"other")
    os.utime(path, ns=(signature.modified_ns, signature.modified_ns))
    assert again.of(path)[0] == hashlib.sha256(b"other").hexdigest(), "old times do not hide a change"


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "hashes.sqlite").write_bytes(b"no database at all" * 100)
    path = tmp_path / "scene.tif"
    path.write_bytes(b"scene")
    assert FileHashes(tmp_path / "hashes.sqlite").of(path)[0] == hashlib.sha256(b"scene").hexdigest()


def test_a_hash_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "scene.tif").symlink_to("secret")
    with pytest.raises(OSError, match="symbolic"):
        FileHashes(tmp_path / "hashes.sqlite").of(tmp_path / "scene.tif")


def test_numbers_too_large_for_the_cache_are_not_remembered(tmp_path: Path) -> None:
    hashes = FileHashes(tmp_path / "hashes.sqlite")
    huge = Signature(device=1, inode=2**64 - 1, bytes=1, modified_ns=1, changed_ns=1)
    hashes.remember({huge: "0" * 64})
    assert hashes.known([huge]) == {}


def lived_in(environment: dict[str, object] | None, *, started_at: float) -> Run:
    """A run as far as its environment goes."""
    at = datetime.fromtimestamp(started_at, UTC)
    whole = {"owner": "ada", "name": "x", "version": "1.0.0", "digest": "sha256:0", "caller": "bob", "parameters": {}}
    resources = {"resources": Resources(), "quote_millicredits": 0, "created_at": at, "started_at": at}
    return Run(id="r1", algorithm_id="a1", environment=environment, **whole, **resources)  # type: ignore[arg-type]


def test_a_run_keeps_what_was_installed_when_it_started(store: InventoryStore, tmp_path: Path) -> None:
    lock = "0" * 64
    environment = make_environment(tmp_path / f"eo@{lock[:12]}", numpy="2.3.4")
    described = {"name": "eo", "lock_sha256": lock, "python": environment.python}
    (tmp_path / f"eo@{lock[:12]}/environment.json").write_text(json.dumps(described))
    inventories = Inventories(store=store, environments=EnvironmentRegistry(tmp_path), here=True)
    named, before = inventories.named(environment), inventories.at_start(environment)
    assert (named["inventory_sha256"], before["name"], before["python"]) == (None, "eo", "3.11.9")
    later = time.time() + 5
    assert inventories.at_end(lived_in({**before}, started_at=later)) == before
    assert inventories.at_end(lived_in({**named}, started_at=later)) == before, "a crash kept it from being looked at"
    in_place(site_of(environment) / "numpy" / "__init__.py")
    assert store.now(environment).inventory_sha256 == before["inventory_sha256"], "a cheap look does not see it"
    stale = inventories.at_end(lived_in({**before}, started_at=time.time() + 5))
    assert stale
    assert stale["inventory_sha256"] != before["inventory_sha256"], "it had changed before that run"
    assert "changed" not in stale
    during = inventories.at_end(lived_in({**before}, started_at=time.time() - 5))
    assert during
    assert during["changed"] is True
    assert (during["inventory_sha256"], during["inventory_at_end_sha256"]) == (
        before["inventory_sha256"],
        stale["inventory_sha256"],
    )
    elsewhere = Inventories(store=store, environments=EnvironmentRegistry(tmp_path), here=False)
    assert elsewhere.at_start(environment) == named
