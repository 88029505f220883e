/** A labelled input with its help and its complaint, tied together for screen readers. */
import { useId, useState } from "react";
import type { InputHTMLAttributes } from "react";
import { IconButton } from "./basics";

export interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, "id"> {
  readonly label: string;
  readonly help?: string;
  readonly problem?: string;
}

export function TextField({ label, help = "", problem = "", type = "text", ...rest }: FieldProps) {
  const id = useId();
  const [shown, setShown] = useState(false);
  const secret = type === "password";
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      <span className="field-box">
        <input {...rest} id={id} type={secret && shown ? "text" : type} className={problem === "" ? "input" : "input input-bad"}
          aria-invalid={problem !== "" || undefined} aria-describedby={help === "" && problem === "" ? undefined : `${id}-help`} />
        {secret && <IconButton icon={shown ? "eyeOff" : "eye"} label={shown ? `Hide ${label.toLowerCase()}` : `Show ${label.toLowerCase()}`} onClick={() => setShown(!shown)} />}
      </span>
      <FieldNote id={`${id}-help`} help={help} problem={problem} />
    </div>
  );
}

export function FieldNote({ id, help, problem }: { readonly id: string; readonly help: string; readonly problem: string }) {
  if (problem !== "") return <span id={id} className="field-help field-bad" role="alert">{problem}</span>;
  return help === "" ? null : <span id={id} className="field-help">{help}</span>;
}
