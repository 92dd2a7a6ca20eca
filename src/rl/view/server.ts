/** The viewer's own small server, on loopback. A run is read anew for each page, so that one can watch it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { viewPage } from "./page.ts";
import { readRun, readTranscript } from "./run-data.ts";

export interface ViewServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Pages of other sites must not read transcripts under a name that they made point here. */
const OWN_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

function answer(directories: readonly string[], request: IncomingMessage, response: ServerResponse): void {
  const send = (status: number, type: string, body: string): void => {
    response.writeHead(status, {
      "content-type": `${type}; charset=utf-8`,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  };
  if (!OWN_HOST.test(request.headers.host ?? "")) return send(403, "text/plain", "this host is not served\n");
  if (request.method !== "GET" && request.method !== "HEAD")
    return send(405, "text/plain", "only GET and HEAD\n");
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  if (pathname === "/") {
    const runs = directories.map(readRun);
    return send(
      200,
      "text/html",
      viewPage(
        runs,
        [],
        runs.map(({ transcripts }) => transcripts),
      ),
    );
  }
  const directory = directories[Number(searchParams.get("run") ?? "")];
  if (pathname !== "/transcripts" || directory === undefined)
    return send(404, "text/plain", "there is nothing here\n");
  const run = readRun(directory);
  const name = searchParams.get("name") ?? "";
  if (!run.transcripts.includes(name)) return send(404, "text/plain", "the run has no such transcripts\n");
  return send(200, "application/json", JSON.stringify(readTranscript(run, name)));
}

/** @param port 0 takes a free one. @throws Error when a directory holds no run or the port is taken */
export async function serveRuns(directories: readonly string[], port: number): Promise<ViewServer> {
  for (const directory of directories) readRun(directory);
  const server = createServer((request, response) => {
    try {
      answer(directories, request, response);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain; charset=utf-8" });
      response.end(`${(error as Error).message}\n`);
    }
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
