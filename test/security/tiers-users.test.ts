/** Containers of a service that is not root. */
import { describeTiers } from "./tier-suite.ts";

describeTiers("rootless", "one-user");
