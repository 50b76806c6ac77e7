import { campaign } from "./client";
import { show } from "./stage";

const said: string[] = [];
const showHint = (text: string) => said.push(text);
const report = (code: string, help: string) => said.push(code, help);

const position = "an-epoch/9";
campaign.release();
//# docs/ERRORS.md 1
show({ said });
