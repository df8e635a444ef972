"""The sources ``llm-health`` and ``llm-lifecycle``: what the checks say of assets, as DataHub's own aspects."""
