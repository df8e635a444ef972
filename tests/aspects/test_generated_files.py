"""What is generated from the PDL is committed as it would be generated today; none of it needs Maven here."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from datahub.api.entities.structuredproperties.structuredproperties import StructuredProperties
from datahub.metadata.schema_classes import (
    StructuredPropertyDefinitionClass,
    StructuredPropertySettingsClass,
)

from aspects.examples import PDL
from datahub_llmops import urns
from datahub_llmops.aspects.admission import released_fields
from datahub_llmops.aspects.generated import ASPECTS, SCHEMAS_VERSION
from datahub_llmops.aspects.manifest import package_data
from datahub_llmops.mapping.properties import PROPERTIES, definitions
from support.paths import ROOT

SCHEMAS = ROOT / "schemas"
PACKAGE = ROOT / "connectors" / "datahub_llmops" / "aspects"
ARCHIVE = PACKAGE / "data" / package_data()["archive"]["file"]
PROPERTIES_FILE = SCHEMAS / "structured-properties.yaml"
GENERATED = [
    "connectors/datahub_llmops/aspects/generated.py",
    "connectors/datahub_llmops/aspects/data/schemas.json",
    f"connectors/datahub_llmops/aspects/data/{ARCHIVE.name}",
    "schemas/structured-properties.yaml",
    "docs/schemas.md",
]


def jar() -> zipfile.ZipFile:
    with zipfile.ZipFile(ARCHIVE) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".jar"))
        return zipfile.ZipFile(io.BytesIO(archive.read(name)))


def test_one_version_everywhere() -> None:
    pom = ElementTree.parse(SCHEMAS / "pom.xml").getroot()
    version = pom.findtext("{http://maven.apache.org/POM/4.0.0}version")
    assert version == SCHEMAS_VERSION == package_data()["version"]
    assert list(released_fields())[-1] == version
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert f"datahub-llmops/{version}/entity-registry.yaml" in archive.namelist()


def test_the_archive_is_the_one_that_the_package_knows() -> None:
    assert hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() == package_data()["archive"]["sha256"]
    assert [path.name for path in (PACKAGE / "data").glob("*.zip")] == [ARCHIVE.name]


def test_the_archive_holds_todays_pdl_and_registry() -> None:
    with jar() as archive:
        inside = {
            Path(name).name: archive.read(name).decode()
            for name in archive.namelist()
            if name.endswith(".pdl")
        }
        classes = {Path(name).stem for name in archive.namelist() if name.endswith(".class")}
    assert inside == {path.name: path.read_text(encoding="utf-8") for path in PDL.glob("*.pdl")}
    assert {path.stem for path in PDL.glob("*.pdl")} <= classes
    with zipfile.ZipFile(ARCHIVE) as outer:
        registry = outer.read(f"datahub-llmops/{SCHEMAS_VERSION}/entity-registry.yaml").decode()
    assert registry == (SCHEMAS / "entity-registry.yaml").read_text(encoding="utf-8")


def test_every_entry_has_one_time_and_the_jar_has_directories() -> None:
    with zipfile.ZipFile(ARCHIVE) as outer, jar() as inner:
        entries = [*outer.infolist(), *inner.infolist()]
        assert {entry.date_time for entry in entries} == {(2026, 1, 1, 0, 0, 0)}
        assert "org/datahubllmops/metadata/" in inner.namelist()
        assert not [name for name in inner.namelist() if name.startswith("com/")]


def test_datahub_reads_the_structured_properties() -> None:
    read = StructuredProperties.from_yaml(str(PROPERTIES_FILE))
    assert len(read) == len({one.urn for one in read}) > 0
    for one in read:
        for proposal in one.generate_mcps():
            assert proposal.validate()


def test_the_sources_define_the_same_properties() -> None:
    """Two ways to define one property: the second must not undo the first."""
    by_urn = {one.urn: one for one in StructuredProperties.from_yaml(str(PROPERTIES_FILE))}
    ours = {urns.structured_property(name): proposals for name, proposals in definitions()}
    assert set(ours) <= set(by_urn)
    for urn, proposals in ours.items():
        listed = {type(proposal.aspect): proposal.aspect for proposal in by_urn[urn].generate_mcps()}
        (definition,) = (
            p.aspect for p in proposals if isinstance(p.aspect, StructuredPropertyDefinitionClass)
        )
        assert listed[StructuredPropertyDefinitionClass] == definition
        (settings,) = (p.aspect for p in proposals if isinstance(p.aspect, StructuredPropertySettingsClass))
        other = listed[StructuredPropertySettingsClass]
        assert isinstance(other, StructuredPropertySettingsClass)
        for name in ("showInSearchFilters", "showInAssetSummary", "showAsAssetBadge", "showInColumnsTable"):
            assert getattr(settings, name) == getattr(other, name), (urn, name)
    assert {one.name for one in PROPERTIES} | {"region"} == {
        urn.rpartition(".")[2] for urn in map(str, by_urn)
    }


def test_no_name_of_ours_is_datahubs() -> None:
    """Against the installed DataHub; the Java tests look at names that were written down."""
    done = subprocess.run(
        [sys.executable, str(SCHEMAS / "datahub_names.py")], capture_output=True, text=True, check=True
    )
    taken = set(done.stdout.splitlines())
    assert {"search dataset description", "relationship DownstreamOf", "aspect status"} <= taken
    for kind in ASPECTS:
        schema = json.dumps(kind.RECORD_SCHEMA.to_json())  # type: ignore[no-untyped-call]  # avro has no annotations
        carriers = [
            entity for entity, names in package_data()["entities"].items() if kind.ASPECT_NAME in names
        ]
        ours = {f"aspect {kind.ASPECT_NAME}"}
        for field, annotation in annotated(json.loads(schema), "Searchable"):
            ours |= {f"search {entity} {annotation.get('fieldName', field)}" for entity in carriers}
        for _, annotation in annotated(json.loads(schema), "Relationship"):
            ours.add(f"relationship {annotation['name']}")
        assert not ours & taken


def annotated(node: Any, name: str) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [found for item in node for found in annotated(item, name)]
    if not isinstance(node, dict):
        return []
    here = node.get(name)
    own = [(str(node.get("name")), here.get("/*", here))] if isinstance(here, dict) else []
    return own + [found for key, item in node.items() if key != name for found in annotated(item, name)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the generated files, and a Maven output of the released schemas: what Maven would give today."""
    released = SCHEMAS / "released" / SCHEMAS_VERSION
    if not released.is_dir():
        pytest.skip(f"{SCHEMAS_VERSION} is not released yet: only Maven can tell what it gives")
    for name in GENERATED:
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / "root" / name)
    shutil.copytree(released / "avsc", tmp_path / "target" / "avsc")
    shutil.copyfile(ARCHIVE, tmp_path / "target" / ARCHIVE.name)
    return tmp_path


def generate(checkout: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCHEMAS / "generate.py"), "--root", str(checkout / "root")]
    return subprocess.run(
        [*command, "--target", str(checkout / "target"), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_stale(checkout: Path) -> None:
    done = generate(checkout, "--check")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", GENERATED)
def test_a_stale_file_is_named(checkout: Path, name: str) -> None:
    path = checkout / "root" / name
    if name.endswith(".zip"):
        rebuilt(path)
    else:
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    done = generate(checkout, "--check")
    assert done.returncode == 1
    assert name in done.stderr
    assert "run `make schemas`" in done.stderr
    assert generate(checkout).returncode == 0
    assert generate(checkout, "--check").returncode == 0
    path.unlink()
    assert f"{name} is missing" in generate(checkout, "--check").stderr


def rebuilt(path: Path) -> None:
    """The same archive with another registry in it."""
    with zipfile.ZipFile(path) as before:
        content = {name: before.read(name) for name in before.namelist()}
    with zipfile.ZipFile(path, "w") as after:
        for name, raw in content.items():
            after.writestr(name, raw + (b"# more\n" if name.endswith(".yaml") else b""))


def test_without_maven_output_it_says_what_to_do(checkout: Path) -> None:
    shutil.rmtree(checkout / "target")
    (checkout / "target").mkdir()
    done = generate(checkout, "--check")
    assert done.returncode == 1
    assert "run `make schemas` (needs Maven and JDK 17)" in done.stderr


def test_a_released_version_does_not_change(checkout: Path) -> None:
    path = checkout / "target" / "avsc" / "PromptInfo.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append({"name": "more", "type": ["null", "string"], "default": None, "doc": "More."})
    path.write_text(json.dumps(schema), encoding="utf-8")
    done = generate(checkout, "--check")
    assert done.returncode == 1
    assert "raise <version> in schemas/pom.xml" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda schema: schema.pop("Aspect"), "no PDL has such an @Aspect"),
        (lambda schema: schema["Aspect"].update(name="other"), "no PDL has such an @Aspect"),
        (lambda schema: schema["fields"][0].update(type=["string", "int"]), "make it optional of one type"),
        (lambda schema: schema["fields"][0].update(type="bytes"), "use a flat one or a list"),
        (
            lambda schema: schema["fields"][0].update(
                LlmopsProperty={"name": "x", "displayName": "X", "entityTypes": [], "type": "number"}
            ),
            "make them agree",
        ),
        (lambda schema: schema["fields"][0].update(LlmopsProperty={"nam": "x"}), "does not know nam"),
        (
            lambda schema: schema["fields"][0].update(
                LlmopsProperty={"name": "metric", "displayName": "X", "entityTypes": []}
            ),
            "both define the property metric",
        ),
    ],
)
def test_schemas_that_cannot_be_used_say_why(checkout: Path, change: Any, message: str) -> None:
    path = checkout / "target" / "avsc" / "PromptInfo.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    change(schema)
    path.write_text(json.dumps(schema), encoding="utf-8")
    done = generate(checkout)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_yaml_is_plain() -> None:
    loaded = yaml.safe_load(PROPERTIES_FILE.read_text(encoding="utf-8"))
    assert [one["id"] for one in loaded] == sorted(one["id"] for one in loaded)
