import type { Campaign as Handle, CampaignSync, CampaignView, DomainRow } from "campaign-sync";
import { computed, createApp, defineComponent, h, onMounted, onUnmounted, reactive, ref, watchEffect, type App } from "vue";
import { client } from "./client";
import { stage } from "./stage";
import { useCampaign } from "./vue";
import Campaign from "./VueCampaign.vue";

const Counted = defineComponent({
  props: { id: { type: String, required: true } },
  setup(props) {
    const shown = useCampaign(() => props.id);
    const phase = computed(() => shown.value.view.campaign?.currentPhase);
    watchEffect(() => stage.statuses.push(shown.value.view.status));
    return () => void stage.phases.push(phase.value);
  },
});

/** Keeps client, handle and view in deep reactivity, as many applications do. */
const Deep = defineComponent({
  props: { id: { type: String, required: true } },
  setup(props) {
    const state = reactive<{ sync?: CampaignSync; handle?: Handle; name: string; rows: readonly DomainRow[] }>({ name: "", rows: [] });
    const view = ref<CampaignView>();
    onMounted(async () => {
      state.sync = await client();
      state.handle = state.sync.campaign(props.id);
      state.handle.subscribe(() => {
        view.value = state.handle!.view();
        state.name = view.value.campaign?.name ?? "";
        state.rows = state.handle!.domains({ limit: 5 }).rows;
      });
    });
    onUnmounted(() => state.handle?.release());
    return () => h("p", { id: "deep" }, `${state.name}: ${state.rows.length} rows, ${view.value?.status}`);
  },
});

let app: App;
stage.mount = (id) => {
  const deep = location.hash === "#deep" ? [h(Deep, { id })] : [];
  app = createApp({ render: () => [h(Campaign, { id }), h(Counted, { id }), ...deep] });
  app.mount("#root");
};
stage.unmount = () => app.unmount();
