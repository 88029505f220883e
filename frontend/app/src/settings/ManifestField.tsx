/** One input of a connect form, by the kind its manifest names. */
import { useId } from "react";
import type { Field } from "../types.gen";
import { FieldNote, TextField } from "../ui/field";

interface ManifestFieldProps {
  readonly field: Field;
  readonly value: string;
  readonly problem: string;
  /** A saved secret: blank means it stays. */
  readonly keeps: boolean;
  readonly onChange: (value: string) => void;
}

const INPUTS: Partial<Readonly<Record<Field["kind"], string>>> = { secret: "password", email: "email", phone: "tel", url: "url", color: "color" };

export function ManifestField({ field, value, problem, keeps, onChange }: ManifestFieldProps) {
  const id = useId();
  const { label } = field;
  const note = <FieldNote id={`${id}-help`} help={field.help} problem={problem} />;
  const common = { id, "aria-describedby": `${id}-help`, "aria-invalid": problem !== "" || undefined };
  switch (field.kind) {
    case "select":
      return (
        <div className="field">
          <label className="field-label" htmlFor={id}>{label}</label>
          <select {...common} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
            {!field.options.includes(value) && <option value="">Choose…</option>}
            {field.options.map((option) => <option key={option} value={option}>{option}</option>)}
          </select>
          {note}
        </div>
      );
    case "checkbox":
      return (
        <div className="field field-check">
          <input {...common} type="checkbox" checked={value === "true"} onChange={(event) => onChange(event.target.checked ? "true" : "false")} />
          <label className="field-label" htmlFor={id}>{field.label}</label>
          {note}
        </div>
      );
    case "multiline":
      return (
        <div className="field">
          <label className="field-label" htmlFor={id}>{label}</label>
          <textarea {...common} className="input" rows={3} value={value} onChange={(event) => onChange(event.target.value)} />
          {note}
        </div>
      );
    default:
      return (
        <TextField label={label} help={field.help} problem={problem} type={INPUTS[field.kind] ?? "text"} value={value} name={field.name}
          autoComplete={field.kind === "secret" ? "new-password" : "off"} spellCheck={false} placeholder={keeps ? "Saved. Leave blank to keep it." : ""}
          onChange={(event) => onChange(event.target.value)} />
      );
  }
}
