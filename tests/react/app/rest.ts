/** Everything that this application sends over REST. */
import { RestClient } from "campaign-sync/rest";

export const rest = new RestClient();
