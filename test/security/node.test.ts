import { describeGroup, withService } from "./gauntlet.ts";
import { NODE } from "./programs/node.ts";

withService({ python: { slots: 1 }, runtimes: { javascript: false } }, (subject) => {
  describeGroup("node", subject, NODE);
});
