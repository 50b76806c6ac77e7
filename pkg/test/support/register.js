// Makes the compiled package import the fake machine instead of the generated module.
import { register } from "node:module";

register("./resolve.js", import.meta.url);
