/** `npm run check`: the checks without the tests. */
import { runChecks } from "./checks.ts";

process.exitCode = runChecks().failed === 0 ? 0 : 1;
