# Rollcall in a container that makes containers itself. docs/docker.md says how to build and run it.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ca-certificates nodejs npm
WORKDIR /app
# What changes seldom comes first: Node, node_modules, Python packages and the compiled fork server.
COPY package.json package-lock.json LICENSE ./
COPY scripts scripts
COPY sandbox-images sandbox-images
RUN node scripts/run.mjs --prepare
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${BASE}
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends crun g++ python3 runc \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build /app/.rollcall/node/node_modules/node-linux-*/bin/node /usr/local/bin/node
COPY --from=build /app/.rollcall/python .rollcall/python
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/dist dist
# Sandboxes see the Python packages and the fork server read-only from here; nothing else below /app is theirs.
ENV NODE_ENV=production ROLLCALL_HTTP_HOST=0.0.0.0
EXPOSE 8707
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.ROLLCALL_HTTP_PORT ?? 8707) + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
