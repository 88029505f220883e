/** Providers whose settings we know: choosing one fills the form and says what has to be done there first. */
import { useId } from "react";
import type { Preset } from "../types.gen";
import { Icon } from "../ui/icons";

interface PresetsProps {
  readonly presets: readonly Preset[];
  readonly chosen: Preset | null;
  readonly onChoose: (preset: Preset | null) => void;
}

export function Presets({ presets, chosen, onChoose }: PresetsProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>Provider</label>
      <select id={id} className="input" value={chosen?.id ?? ""} onChange={(event) => onChoose(presets.find((one) => one.id === event.target.value) ?? null)}>
        <option value="">Another provider</option>
        {presets.map((preset) => <option key={preset.id} value={preset.id}>{preset.label}</option>)}
      </select>
      {chosen === null
        ? <span className="field-help">Fills in the servers. Typing the address chooses it too.</span>
        : chosen.help !== "" && <p className="notice"><Icon name="info" size={16} />{chosen.help}</p>}
    </div>
  );
}
