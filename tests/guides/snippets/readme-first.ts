import { show } from "./stage";

//# README.md 1
show({ sync });
