import { mount, unmount } from "svelte";
import { stage } from "./stage";
import Campaign from "./SvelteCampaign.svelte";
import Counted from "./SvelteCounted.svelte";

let mounted: Record<string, unknown>[] = [];
stage.mount = (id) => {
  const target = document.getElementById("root")!;
  mounted = [mount(Campaign, { target, props: { id } }), mount(Counted, { target, props: { id } })];
};
stage.unmount = () => mounted.forEach((it) => void unmount(it));
