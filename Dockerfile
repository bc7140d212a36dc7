# The whole line in one image: Asterisk and the service, supervised. Debian forky is the suite that carries
# Asterisk 22 (LTS).
#
# A tag leads to another image next month. Pin the one that you tested by its digest (docs/security.md):
#   docker build --build-arg BASE=debian:forky-slim@sha256:…
ARG BASE=debian:forky-slim
FROM ${BASE}

RUN sed -i 's/^Components: main$/Components: main non-free/' /etc/apt/sources.list.d/debian.sources \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      asterisk asterisk-modules asterisk-core-sounds-fr-wav asterisk-core-sounds-en-wav \
      libttspico0t64 libttspico-data sip-tester ca-certificates python3 python3-venv tini \
 && rm -rf /var/lib/apt/lists/*

RUN useradd --system --create-home --home-dir /var/lib/omnivigil omnivigil
WORKDIR /opt/omnivigil
COPY requirements ./requirements
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY omnivigil pyproject.toml LICENSE README.md ./
COPY ivr ./ivr
COPY api ./api
COPY agi_scripts ./agi_scripts
COPY dialplan ./dialplan
COPY sip-sim ./sip-sim

ENV OMNIVIGIL_READY_PYTHON=/opt/venv/bin/python PYTHONUNBUFFERED=1
USER omnivigil
VOLUME /var/lib/omnivigil
EXPOSE 5060/udp 5060/tcp 8080/tcp 10000-10200/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["/opt/venv/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
# tini reaps what Asterisk leaves behind and passes the stop signal on.
ENTRYPOINT ["tini", "--", "/opt/omnivigil/omnivigil", "up", "--state", "/var/lib/omnivigil"]
# On the container's own loopback the demo may run; see compose.yaml for a line that others can reach.
CMD ["--demo"]
