/** The fork server, its C part compiled, into .rollcall/python/forkserver. */
import fs from "node:fs";
import { buildForkServer, forkServerKey } from "../../sandbox-images/python/build.mjs";
import { fromRoot, isStamped, stamp } from "./repository.mjs";
import { BootstrapError } from "./say.mjs";

const NAME = "fork-server";
const source = fromRoot("sandbox-images/python/forkserver");
const out = fromRoot(".rollcall/python/forkserver");

export const forkServerStep = {
  missing() {
    if (isStamped(NAME, forkServerKey(source)) && fs.existsSync(out)) return null;
    return "the fork server by cc";
  },
  async make() {
    const key = forkServerKey(source);
    await buildForkServer({ source, out }).catch((error) => {
      throw new BootstrapError(error.message);
    });
    stamp(NAME, key);
  },
};
