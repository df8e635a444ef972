"""The matrix harms the engines and services that the tests of the stores start."""

from vector_stores.conftest import *  # noqa: F403
