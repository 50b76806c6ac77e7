import { live, show } from "./stage";

//# pkg/README.md 1
await live(campaign);
//# pkg/README.md 2
function exported() {
  //# pkg/README.md 3
  return lines;
}
show({ total, rows, lines: exported() });
