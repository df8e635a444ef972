# DataHub's command with this plugin: an image that runs recipes. It is built from the wheel, not from the checkout:
#   make dist PYTHONS=
#   docker build -t datahub-llmops .
#   docker run --rm -v "$PWD:/data" datahub-llmops ingest run -c recipe.dhub.yaml
ARG BASE=python:3.11-slim
FROM ${BASE}

# The extras to install, such as chroma,qdrant. Fewer make a smaller image.
ARG EXTRAS=all

ENV DATAHUB_TELEMETRY_ENABLED=false \
    PYTHONUNBUFFERED=1 \
    PATH=/opt/datahub/bin:$PATH

COPY dist/*.whl /tmp/wheel/
RUN python3 -m venv /opt/datahub \
    && /opt/datahub/bin/python -m pip install --no-cache-dir "$(echo /tmp/wheel/datahub_llmops-*.whl)[${EXTRAS}]" \
    && rm -r /tmp/wheel \
    && useradd --uid 10001 --create-home datahub \
    && install -d -o datahub /data

USER 10001
WORKDIR /data
# A recipe's relative paths are below /data: mount the folder of the recipes there. The catalog lies there as well.
ENV DATAHUB_LLMOPS_CATALOG=/data/catalog.db
ENTRYPOINT ["datahub"]
CMD ["--help"]
