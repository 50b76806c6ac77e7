import { sync } from "./client";
import { show } from "./stage";

//# README.md 3
show({ list });
