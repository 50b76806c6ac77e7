/** Installs Fast Refresh. It must run before React does. */
import { injectIntoGlobalHook } from "react-refresh/runtime";

injectIntoGlobalHook(window);
