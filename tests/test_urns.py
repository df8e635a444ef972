"""URNs of things: what their identity is made of. Names that become URNs: ``test_names.py``."""

from __future__ import annotations

import doctest

from datahub_llmops import urns
from datahub_llmops.assets.collections import Container
from datahub_llmops.urns import Deployment


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(urns)
    assert result.attempted >= 7
    assert result.failed == 0


def test_platform_instance_is_a_prefix_and_env_is_kept() -> None:
    deployment = Deployment(platform="chroma", env="DEV", instance="eu")
    assert (
        urns.collection(deployment, ("db", "docs"))
        == "urn:li:dataset:(urn:li:dataPlatform:chroma,eu.db.docs,DEV)"
    )


def test_container_identity_is_its_path_and_place() -> None:
    server = Container(kind="Server", name="a/b")
    database = Container(kind="Database", name="c")
    deployment = Deployment(platform="chroma")
    paths = [
        (server,),
        (server, database),
        (Container(kind="Server", name="a"), Container(kind="b", name="c")),
        (Container(kind="Server", name='a"],["b'), database),
    ]
    found = {urns.container(deployment, path) for path in paths}
    assert len(found) == len(paths)
    assert urns.container(Deployment(platform="chroma", instance="eu"), paths[0]) not in found
    # Facts of a level are not part of its identity: an upgraded server is the same container.
    newer = Container(kind="Server", name="a/b", properties={"version": "2"})
    assert urns.container(deployment, (newer,)) == urns.container(deployment, (server,))


def test_a_model_without_a_provider_is_on_the_custom_platform() -> None:
    assert urns.model("my-model", env="PROD") == "urn:li:mlModel:(urn:li:dataPlatform:custom,my-model,PROD)"
