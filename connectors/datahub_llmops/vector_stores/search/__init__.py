"""The connectors of OpenSearch and Elasticsearch, which share one reader."""
