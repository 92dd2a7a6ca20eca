import { describeGroup, withService } from "./gauntlet.ts";
import { COMPILE } from "./programs/compile.ts";

withService({ python: { slots: 1 }, runtimes: { javascript: false } }, (subject) => {
  describeGroup("compile", subject, COMPILE);
});
