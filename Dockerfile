# The hub's own image: the same for migrate, serve and work. Built by `docker compose build`.
FROM node:22.19.0-bookworm-slim AS frontend
WORKDIR /build/frontend
COPY .npmrc /build/frontend/
COPY frontend/package.json frontend/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY frontend/ ./
RUN npm run build

FROM python:3.12.11-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/hub/.venv
WORKDIR /opt/hub
COPY requirements.txt ./
# Hashes: what is installed is what was tested.
RUN .venv/bin/pip install --require-hashes -r requirements.txt
COPY pyproject.toml requirements.in README.md ./
COPY hub/ hub/
COPY connectors/ connectors/
COPY api/ api/
RUN .venv/bin/pip install --no-deps --no-build-isolation -e . \
    && .venv/bin/python -m compileall -q hub connectors api

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin hub \
    && install -d -o hub -g hub -m 0700 /data
COPY --from=packages /opt/hub /opt/hub
COPY --from=frontend /build/frontend/dist /opt/hub/frontend/dist
ENV PATH=/opt/hub/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HUB_DATA_DIR=/data
WORKDIR /opt/hub
# Nobody's files but /data are writable for it; root is never needed.
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["hub", "serve"]
