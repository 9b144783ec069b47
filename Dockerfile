# One image for every process: web is the default, compose.yaml names the commands of the others.
# The base is pinned by tag. Before a release, append the digest that `docker buildx imagetools inspect` shows.
FROM python:3.12-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# Wheels only, so that no package runs code of its own here and no compiler is needed.
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.txt
COPY . .
# The settings want a key and a database by name; nothing here signs or connects, and neither is kept.
RUN SECRET_KEY=build DATABASE_URL=postgresql:///build python manage.py collectstatic --no-input \
    && python -m compileall -q /app \
    && chmod -R a+rX,go-w /app /venv

FROM python:3.12-slim-trixie
RUN groupadd --gid 10001 arena \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin arena
COPY --from=build /venv /venv
COPY --from=build /app /app
# The file system may be read-only: only /tmp is ever written to.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 COLLECTED=true
WORKDIR /app
USER 10001:10001
EXPOSE 8000
# As the proxy would ask: over TLS, for a host the site answers to.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import os; \
from urllib.request import Request, urlopen; \
host = os.environ.get('ALLOWED_HOSTS', '').split(',')[0].strip().lstrip('*.') or 'localhost'; \
urlopen(Request('http://127.0.0.1:8000/livez', headers={'Host': host, 'X-Forwarded-Proto': 'https'}), timeout=4)"]
CMD ["python", "-m", "granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", \
    "--workers", "2", "--blocking-threads", "4", "--no-ws", "--http1-header-read-timeout", "10000", \
    "--respawn-failed-workers", "--log-level", "warning", "config.wsgi:application"]
