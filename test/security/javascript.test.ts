import { describeGroup, withService } from "./gauntlet.ts";
import { JAVASCRIPT } from "./programs/javascript.ts";

withService({ javascript: { slots: 1 }, runtimes: { python: false, node: false } }, (subject) => {
  describeGroup("javascript", subject, JAVASCRIPT);
});
