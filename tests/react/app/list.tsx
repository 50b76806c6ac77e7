/** The campaigns of the user, and a form for another one. */
import { useCampaigns } from "campaign-sync/react";
import type { CampaignRecord } from "campaign-sync";
import { useState } from "react";
import { useSubmit } from "./form.js";
import { rest } from "./rest.js";
import { number, progressOf, stateOf } from "./format.js";

interface ListProps {
  selected: string | null;
  onSelect: (campaignId: string) => void;
}

export function List({ selected, onSelect }: ListProps) {
  const [search, setSearch] = useState("");
  const { campaigns, status, code } = useCampaigns();
  const shown = campaigns.filter(({ campaign }) => campaign.name.toLowerCase().includes(search.trim().toLowerCase()));
  return (
    <nav className="list" aria-label="Campaigns">
      <label>
        Search
        <input type="search" value={search} onChange={(event) => setSearch(event.target.value)} />
      </label>
      <ul>
        {shown.map(({ campaignId, campaign }) => (
          <li key={campaignId}>
            <Entry campaign={campaign} isSelected={campaignId === selected} onSelect={() => onSelect(campaignId)} />
          </li>
        ))}
      </ul>
      {status === "failed" && <p className="problem">{`The list cannot be shown (${code}).`}</p>}
      {status === "live" && shown.length === 0 && <p className="empty">{campaigns.length === 0 ? "No campaign yet." : "No campaign has this name."}</p>}
      <p className="total">{`${number(shown.length)} of ${number(campaigns.length)}`}</p>
      <NewCampaign onCreated={onSelect} />
    </nav>
  );
}

function Entry({ campaign, isSelected, onSelect }: { campaign: CampaignRecord; isSelected: boolean; onSelect: () => void }) {
  return (
    <button type="button" className="entry" aria-current={isSelected} onClick={onSelect}>
      <strong>{campaign.name}</strong>
      <span>{stateOf(campaign)}</span>
      <span className="muted">{progressOf(campaign)}</span>
      <progress max={100} value={campaign.progressPercentage} aria-label={`Progress of ${campaign.name}`} />
    </button>
  );
}

function NewCampaign({ onCreated }: { onCreated: (campaignId: string) => void }) {
  const { onSubmit, problem, isBusy } = useSubmit(async (fields) => {
    const { campaign } = await rest.create({ name: String(fields.get("name")), count: Number(fields.get("count")), rate: 500 });
    onCreated(campaign.campaignId);
  });
  return (
    <form className="new" onSubmit={onSubmit} aria-label="New campaign">
      <h2>New campaign</h2>
      <label>
        Name
        <input name="name" required maxLength={200} />
      </label>
      <label>
        Domains
        <input name="count" type="number" min={1} max={100000} defaultValue={300} required />
      </label>
      <button type="submit" disabled={isBusy}>
        Create
      </button>
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
