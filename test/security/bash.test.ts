import { describeGroup, withService } from "./gauntlet.ts";
import { BASH } from "./programs/bash.ts";

withService({ python: { slots: 1 }, runtimes: { javascript: false } }, (subject) => {
  describeGroup("bash", subject, BASH);
});
