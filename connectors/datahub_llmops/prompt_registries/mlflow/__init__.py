"""The connector of MLflow 3."""
