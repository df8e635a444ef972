"""``llm-propagation`` propagates glossary terms and tags along lineage."""

from __future__ import annotations

from datahub_llmops.propagation.source import PropagationConfig, PropagationReport, PropagationSource

__all__ = ["PropagationConfig", "PropagationReport", "PropagationSource"]
