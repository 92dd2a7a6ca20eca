/** Loaded into a service ahead of its program: SIGUSR2 collects all garbage, so that what is held can be told. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
process.on("SIGUSR2", () => collect({ type: "major", execution: "sync", flavor: "last-resort" }));
