// Lets the compiled package import the fake machine where the generated module would be.
import { register } from "node:module";

register("./resolve.js", import.meta.url);
