# One image for every part: `outlay collector`, `outlay worker`, `outlay dashboard`, `outlay migrate`.
# It holds no database (OUTLAY_DATABASE_URL names one), runs as user 10001, and writes nowhere but /tmp.
#
#     docker build -t outlay .
#
# A release names the base by its digest: --build-arg PYTHON=python:3.12-slim-bookworm@sha256:…
ARG PYTHON=python:3.12-slim-bookworm

FROM ${PYTHON} AS build
COPY pyproject.toml uv.lock README.md LICENSE /source/
COPY sdk /source/sdk
COPY collector /source/collector
COPY dashboard /source/dashboard
COPY migrations /source/migrations
COPY image /source/image
RUN sh /source/image/install.sh /source /opt/outlay /usr/local/bin/python3

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Outlay" \
      org.opencontainers.image.description="What LLM applications do, and what that costs, exactly." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 outlay && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent outlay
COPY --from=build /opt/outlay /opt/outlay
ENV PATH=/opt/outlay/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    OUTLAY_HOST=0.0.0.0
USER 10001:10001
EXPOSE 4317 4318 8501
STOPSIGNAL SIGTERM
ENTRYPOINT ["outlay"]
CMD ["--help"]
